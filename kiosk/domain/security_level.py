"""Security levels by name, and what they mean in words that people use: how often a stranger is taken for somebody.

The figures are upper bounds, from what the manifest says was measured of the network (domain.thresholds). A level is
two settings of the configuration; there is no third place where it is kept.
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


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a setting means for one gallery.

    `claim`: whether a number, QR code or card comes before the face. `rate`: at most this share of strangers' attempts
    is taken for somebody, and its 95% interval. `carries`: for how many people a face alone keeps the setting's rate.
    """

    claim: bool
    rate: float
    interval: tuple[float, float]
    carries: int

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
    return Meaning(claim, rate, (low, high), thresholds.capacity(each))


def in_words(days: float) -> str:
    """A time as people say it: "9 hours", "5 days", "3 months", "12 years"."""
    for unit, length in (("year", YEAR), ("month", MONTH), ("day", DAY)):
        if days >= 2 * length or (unit == "day" and days >= 1):
            number = days / length
            count = f"{number:.0f}" if number >= 2 else "1"
            return f"{count} {unit}{'s' * (count != '1')}"
    hours = max(1, round(days * 24))
    return f"{hours} hour{'s' * (hours != 1)}"
