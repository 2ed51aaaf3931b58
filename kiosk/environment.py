"""The configuration's file as it is read, and what the environment changes of it. Standard library only: kiosk-door
reads it before the rest.

`KIOSK_SECTION__KEY=value` overrides `key` of `[section]`: KIOSK_CAMERA__DEVICE=/dev/video2. Values are read as TOML
where they can be (numbers, true, lists) and as plain text otherwise.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from kiosk.domain.errors import ConfigError, os_trouble
from kiosk.domain.plain_text import one_line

PREFIX = "KIOSK_"
LARGEST = 128 * 1024
"""Bytes of a configuration: ten times the one that is shipped."""
LONGEST_LINE = 4096
"""Characters. The time that a dotted key takes grows with the square of its parts."""


def file_text(path: Path) -> str:
    """The configuration's text. Looked at before it is read: a pipe would be waited for, a disk image be swallowed.

    Raises ConfigError for what is no file of UTF-8 text of at most LARGEST bytes that this user may read.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise ConfigError(f"{path}: the configuration is no file")
            content = opened.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"the configuration cannot be read: {os_trouble(error)}") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: too large for a configuration: at most {LARGEST // 1024} KiB")
    if content.startswith(b"\xef\xbb\xbf"):
        raise ConfigError(f"{path}: begins with a byte order mark: save it as UTF-8 without one")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8: save the file in that encoding") from error


def tables(text: str, source: str) -> dict[str, object]:
    """TOML. Raises ConfigError naming `source` for whatever is none."""
    if any(len(line) > LONGEST_LINE for line in text.splitlines()):
        raise ConfigError(f"{source}: a line is longer than {LONGEST_LINE} characters")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{source}: not valid TOML: nested too deep") from error
    except ValueError as error:  # a number of thousands of digits too
        raise ConfigError(f"{source}: not valid TOML: {error}") from error


def overridden(data: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """The file's content with the environment's values in it. Raises ConfigError."""
    merged = {k: dict(v) if isinstance(v, dict) else v for k, v in data.items()}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        if not f"{name}{text}".isprintable():
            raise ConfigError(f"{name}: this variable of the environment is not printable text in UTF-8")
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if not section or not key:
            raise ConfigError(f"{name}: no section and key in this variable of the environment: KIOSK_SECTION__KEY")
        part = merged.setdefault(section, {})
        if not isinstance(part, dict):
            raise ConfigError(f"{name}: [{section}] is not a section of the configuration")
        part[key] = _value(text)
    return merged


def refuse_nul(data: Mapping[str, object], source: str) -> None:
    """Raises ConfigError naming a key that has a NUL in it or in its text: no path and no name may have one."""
    left: list[tuple[str, object]] = [("", data)]
    while left:  # a dotted key may be nested deeper than functions can be
        where, value = left.pop()
        if "\0" in where or (isinstance(value, str) and "\0" in value):
            raise ConfigError(f"{source}: {one_line(where)}: has a NUL character (\\u0000) in it: take it out")
        if isinstance(value, Mapping):
            left += [(f"{where}.{key}" if where else key, part) for key, part in value.items()]
        elif isinstance(value, list):
            left += [(where, part) for part in value]


def overriding(environ: Mapping[str, str], sections: Collection[str]) -> list[str]:
    """Names of the variables that override a key of one of these sections."""
    names = [name for name in environ if name.startswith(PREFIX) and "__" in name]
    return sorted(name for name in names if name.removeprefix(PREFIX).lower().split("__", 1)[0] in sections)


def _value(text: str) -> object:
    try:
        return tables(f"v = {text}", "")["v"]
    except ConfigError:
        return text
