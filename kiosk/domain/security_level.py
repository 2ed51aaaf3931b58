"""Security levels by name, and what they mean in words that people use: how often a stranger is taken for somebody.

The figures are upper bounds, from what the manifest says was measured of the network (domain.thresholds). A level is
two settings of the configuration; there is no third place where it is kept. Staff's page shows it (`Settings`), and no
page of the kiosk can change it: `kiosk level set` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.thresholds import Sizes, Thresholds
from kiosk.domain.verification import Verification

ATTEMPTS_A_DAY = 200
"""Attempts of people who are not enrolled, a day, for which the meaning is said: a busy door to a street."""
DAY, MONTH, YEAR = 1.0, 30.44, 365.25


class Level(StrEnum):
    """A level of security."""

    STANDARD = "standard"
    HIGH = "high"
    HIGHEST = "highest"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a level asks for: [policy] fpir, and [entry] verification."""

    fpir: float
    verification: Verification


LEVELS: Mapping[Level, Terms] = {
    Level.STANDARD: Terms(1e-3, Verification.BEYOND),
    Level.HIGH: Terms(1e-4, Verification.BEYOND),
    Level.HIGHEST: Terms(1e-5, Verification.ALWAYS),
}
"""A face alone, as long as the evidence carries the gallery; a tenth of its errors; a number, QR code or card first,
and then the face of that one person."""


def terms_at(level: Level, claims: bool) -> Terms | None:
    """What a level asks for at one door. `claims`: whether a number, QR code or card can say who somebody is. Without,
    the two lower levels are of a face alone, and the highest is not possible: None."""
    terms = LEVELS[level]
    if claims:
        return terms
    return None if terms.verification is Verification.ALWAYS else Terms(terms.fpir, Verification.SUBJECT)


def level_of(terms: Terms, claims: bool) -> Level | None:
    """The level that asks for exactly these terms at one door; None if they are somebody's own."""
    return next((level for level in Level if terms_at(level, claims) == terms), None)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a setting means for one gallery.

    `claim`: whether a number, QR code or card comes before the face. `rate`: at most this share of strangers' attempts
    is taken for somebody, and its 95% interval. `carries`: for how many people a face alone keeps the setting's rate.
    `estimated`: the gallery is larger than what was measured, so the rate is a guess.
    """

    claim: bool
    rate: float
    interval: tuple[float, float]
    carries: int
    estimated: bool = False
    score: float = 1.0
    """The threshold."""
    people: int = 1
    """How many people a face is compared with."""

    def days(self, attempts: float = ATTEMPTS_A_DAY) -> tuple[float, float, float]:
        """Days until one stranger is taken for somebody, with so many attempts a day: at least, and its interval."""
        low, high = self.interval
        return 1 / (self.rate * attempts), 1 / (high * attempts), 1 / (low * attempts)


def meaning(thresholds: Thresholds, terms: Terms, sizes: Sizes, frames: float) -> Meaning:
    """What a level means for a gallery of these sizes. `thresholds` must be those of the level's fpir. `frames`: window
    / needed of [attempt], by which an attempt's rate may be above that of one frame (domain.thresholds)."""
    each = max(sizes, default=1)
    beyond = bool(thresholds.beyond(sizes))
    claim = terms.verification is Verification.ALWAYS or (terms.verification is Verification.BEYOND and beyond)
    searched: Sizes = {each: 1} if claim else sizes or {1: 1}
    score = thresholds.for_gallery(searched).score
    low, rate, high = (min(1.0, frames * value) for value in thresholds.around(score, searched))
    beyond = bool(thresholds.beyond(searched))
    return Meaning(claim, rate, (low, high), thresholds.capacity(each), beyond, score, sum(searched.values()))


def span(days: float) -> tuple[int, str]:
    """A time as people say it: how many, and of which unit ("hour", "day", "month", "year")."""
    for unit, length in (("year", YEAR), ("month", MONTH), ("day", DAY)):
        if days >= 2 * length or (unit == "day" and days >= 1):
            number = days / length
            return (round(number) if number >= 2 else 1), unit
    return max(1, round(days * 24)), "hour"


def in_words(days: float) -> str:
    """The same in English: "9 hours", "5 days", "3 months", "12 years"."""
    number, unit = span(days)
    return f"{number} {unit}{'s' * (number != 1)}"


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A level at one door. `level`: None for settings of somebody's own. `now`: whether it is what is set. `means`:
    None where it is not possible, because nothing but the face can say who somebody is."""

    level: Level | None
    terms: Terms | None
    now: bool
    means: Meaning | None
    command: str = ""
    """What sets it, given as root."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an admin sees of the configuration, in units that people use, with the commands that change it."""

    people: int
    levels: tuple[LevelRow, ...]
    distance_mm: float
    languages: tuple[str, ...]
    sounds: bool
    set_screen: str
    """The command for distance, languages and sounds, without its options."""
    restart: str
    """The command after which a change counts."""
