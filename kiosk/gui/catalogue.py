"""Every text that a person reads, by its key, in one language. Uses only the standard library.

A catalogue is TOML, in several files: texts/PART.LANGUAGE.toml. [idle] headline = "..." is the key "idle.headline".
English is complete. A key that another language lacks is taken from English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiosk.domain.errors import ConfigError

FOLDER = Path(__file__).parent / "texts"
ENGLISH = "en"
COMPLETE = (ENGLISH, "de")
"""Languages in which every text is there; a test checks it."""
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts in one language. Call it with a key and the values of its {places}."""

    language: str
    _texts: Mapping[str, str] = field(repr=False)
    _lists: Mapping[str, tuple[str, ...]] = field(repr=False)

    @property
    def right_to_left(self) -> bool:
        """Whether the language is written from right to left, so that the screen is mirrored."""
        return self.language in RIGHT_TO_LEFT

    def __call__(self, key: str, **values: object) -> str:
        """The text; the key itself if there is none, because a screen with one bad line is better than no screen."""
        text = self._texts.get(key)
        return key if text is None else text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def several(self, key: str) -> tuple[str, ...]:
        """A list of texts, for example the days of the week. Raises KeyError."""
        return self._lists[key]


def languages() -> tuple[str, ...]:
    """The languages that there are, sorted."""
    return tuple(sorted(path.name.split(".")[1] for path in FOLDER.glob("toolkit.*.toml")))


def texts(language: str = ENGLISH) -> Texts:
    """The texts of a language. Raises ConfigError, which says which languages there are."""
    if language not in languages():
        raise ConfigError(f"[screen] languages: there are no texts in {language!r}, only in {', '.join(languages())}")
    single, lists = read(ENGLISH)
    own, own_lists = read(language)
    return Texts(language, single | own, lists | own_lists)


def read(language: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The texts and the lists of texts of one language, by key."""
    single: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for path in sorted(FOLDER.glob(f"*.{language}.toml")):
        for section, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for name, value in table.items():
                if isinstance(value, list):
                    lists[f"{section}.{name}"] = tuple(str(item) for item in value)
                else:
                    single[f"{section}.{name}"] = str(value)
    return single, lists
