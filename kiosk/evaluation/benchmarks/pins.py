"""Measures whether the time of an answer tells a stranger anything: whose number exists, who types a duress PIN."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from kiosk.domain.entry import Claim, Means
from kiosk.domain.errors import GalleryError
from kiosk.domain.guesses import HOUR
from kiosk.domain.people import NewReference
from kiosk.domain.pin import LONGEST_WAIT
from kiosk.storage.claims import Claims
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.pins import Pins, Verdict, made_both

LEAST, MOST = 0.45, 0.55
"""Where the AUC of a threshold on the time must lie; .5 is chance. With 2,000 runs each its standard error is .009."""
PEOPLE = 20
"""Of whom half have a duress PIN."""
PIN, DURESS, WRONG = "271828", "161803", "314159"
UNCOUNTED = 10
"""Rounds before those that count."""


class Kind(StrEnum):
    """What is typed: the number, then the PIN."""

    WRONG = "wrong"
    RIGHT = "right"
    DURESS = "duress"
    UNKNOWN = "unknown"
    """A number that nobody has."""


EXPECTED = {
    Kind.WRONG: (Verdict.WRONG, False),
    Kind.RIGHT: (Verdict.RIGHT, False),
    Kind.DURESS: (Verdict.RIGHT, True),
    Kind.UNKNOWN: (Verdict.WRONG, False),
}


@dataclass(frozen=True, slots=True)
class PinTiming:
    """Seconds of each run, by what was typed."""

    seconds: dict[Kind, list[float]]

    @property
    def duress(self) -> float:
        """The AUC of the time for a duress PIN against the right one."""
        return auc(self.seconds[Kind.DURESS], self.seconds[Kind.RIGHT])

    @property
    def unknown(self) -> float:
        """The AUC of the time for nobody's number against somebody's with a wrong PIN."""
        return auc(self.seconds[Kind.UNKNOWN], self.seconds[Kind.WRONG])

    @property
    def control(self) -> float:
        """The same for a right PIN against a wrong one, for comparison: everybody sees which it is anyway."""
        return auc(self.seconds[Kind.RIGHT], self.seconds[Kind.WRONG])

    @property
    def good(self) -> bool:
        """Whether the time tells nothing."""
        return all(LEAST <= found <= MOST for found in (self.duress, self.unknown))


def auc(ones: Sequence[float], others: Sequence[float]) -> float:
    """How often one of the first is larger than one of the others; equal ones count half (Mann and Whitney's U)."""
    first, second = np.sort(np.asarray(ones)), np.sort(np.asarray(others))
    below = np.searchsorted(second, first, "left") + np.searchsorted(second, first, "right")
    return float(below.sum() / (2 * len(first) * len(second)))


def measure(runs: int) -> PinTiming:
    """Types each kind `runs` times, in rounds of all four in random order, at a gallery on disk. The clock of the locks
    out is set ahead between them, so that nobody has to wait. Raises GalleryError."""
    chance = random.Random(1)
    seconds: dict[Kind, list[float]] = {kind: [] for kind in Kind}
    with tempfile.TemporaryDirectory(prefix="kiosk-pins-") as name, closing(open_gallery(Home(Path(name)))) as gallery:
        numbers = _fill(gallery)
        clock = _Clock()
        claims, pins = Claims(gallery), Pins(gallery, clock)
        for turn in range(runs + UNCOUNTED):
            for kind in chance.sample(list(Kind), len(Kind)):
                taken = _typed(kind, claims, pins, numbers, chance)
                clock.at += LONGEST_WAIT + HOUR
                if turn >= UNCOUNTED:
                    seconds[kind].append(taken)
    return PinTiming(seconds)


class _Clock:
    def __init__(self) -> None:
        self.at = HOUR

    def __call__(self) -> float:
        return self.at


def _fill(gallery: Gallery) -> list[str]:
    """People with PINs. Returns the numbers of those who have a duress PIN, too."""
    gallery.store.execute("PRAGMA synchronous=OFF")  # nobody lives here yet
    vectors = np.random.default_rng(1).normal(0, 28, (PEOPLE, 128)).astype(np.float32)
    numbers = [f"{100_000 + 7919 * person}" for person in range(PEOPLE)]
    for person, (number, vector) in enumerate(zip(numbers, vectors, strict=True)):
        secrets = made_both(PIN, DURESS if person % 2 else None)
        reference = NewReference(vector, "random", 1.0)
        gallery.add_subject(f"Person {person}", [reference], number=number, secrets=secrets)
    gallery.store.execute("PRAGMA synchronous=FULL")
    return numbers


def _typed(kind: Kind, claims: Claims, pins: Pins, numbers: Sequence[str], chance: random.Random) -> float:
    """Seconds from the number and PIN to the answer. Raises GalleryError for a wrong answer."""
    match kind:
        case Kind.DURESS:
            number, pin = chance.choice(numbers[1::2]), DURESS
        case Kind.UNKNOWN:
            number, pin = str(chance.randrange(800_000, 900_000)), chance.choice([PIN, WRONG])
        case _:
            number, pin = chance.choice(numbers), PIN if kind is Kind.RIGHT else WRONG
    begin = time.perf_counter()
    checked = pins.check(number, claims.find(Claim(Means.NUMBER, number)), pin)
    taken = time.perf_counter() - begin
    if (checked.verdict, checked.duress) != EXPECTED[kind]:
        raise GalleryError(f"{kind}: the kiosk says {checked.verdict}: nothing was measured")
    return taken
