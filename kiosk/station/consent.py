"""The texts that people agree to before they are enrolled: those of the package, or a site's own.

A text is a file VERSION.LANGUAGE.txt: "1.de.txt". A text that somebody has agreed to is never edited; a changed one is
another version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kiosk.domain.errors import ConsentError, os_trouble
from kiosk.domain.people import Consent
from kiosk.keeping import ConsentConfig
from kiosk.system.files import read_at_most

SHIPPED = Path(__file__).with_name("consent_texts")
LARGEST = 1 << 16
"""Bytes of a text."""
_FILE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,39})\.([a-z]{2})\.txt")


@dataclass(frozen=True, slots=True, order=True)
class TextName:
    """Which text it is. Printed and given as VERSION/LANGUAGE."""

    version: str
    language: str

    def __str__(self) -> str:
        return f"{self.version}/{self.language}"


def names(config: ConsentConfig) -> list[TextName]:
    """The texts that there are, sorted. Raises ConsentError when there are none."""
    folder = config.folder or SHIPPED
    try:
        found = [TextName(m[1], m[2]) for path in folder.iterdir() if (m := _FILE.fullmatch(path.name))]
    except OSError as error:
        raise ConsentError(f"the texts of consent cannot be read: {os_trouble(error)}") from error
    if not found:
        raise ConsentError(f"{folder}: there is no text of consent, named VERSION.LANGUAGE.txt: 1.de.txt")
    return sorted(found)


def find(config: ConsentConfig, given: str | None) -> TextName:
    """The text that VERSION or VERSION/LANGUAGE names; the newest in the configured language if nothing is given.
    Raises ConsentError, which names those that there are."""
    there = names(config)
    version, _, language = (given or "").partition("/")
    language = language or config.language
    found = [name for name in there if name.language == language and version in {"", name.version}]
    if not found:
        known = ", ".join(map(str, there))
        raise ConsentError(f"{given or language}: there is no such text of consent; there are: {known}")
    return max(found, key=_age)


def text(config: ConsentConfig, name: TextName) -> str:
    """What it says. Raises ConsentError."""
    path = (config.folder or SHIPPED) / f"{name.version}.{name.language}.txt"
    try:
        return read_at_most(path, LARGEST).decode()
    except UnicodeDecodeError as error:
        raise ConsentError(f"{path}: this is no text in UTF-8") from error
    except OSError as error:
        raise ConsentError(f"the text of consent cannot be read: {os_trouble(error)}") from error


def agreed(config: ConsentConfig, name: TextName, now: datetime, staff: str) -> Consent:
    """What is recorded of somebody who has agreed to this text before this person of the staff."""
    text(config, name)  # it can be read: what nobody can show was not agreed to
    return Consent(name.version, name.language, now, staff, config.alternative)


def _age(name: TextName) -> list[tuple[int, str]]:
    """Versions in the order in which people count: 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.version) if part]
