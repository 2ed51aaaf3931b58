"""Intervals by bootstrap over people.

Comparisons that share a person are not independent; people are. Each round draws as many people as there are, with
replacement, and brings all of a person's pictures along (the subsets bootstrap of Bolle, Ratha and Pankanti, Computer
Vision and Image Understanding 93, 2004). A mated pair then counts as often as its person was drawn, a non-mated one as
often as both of its people, multiplied. Where nobody matches, a bootstrap sees no spread: its interval says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
People = NDArray[np.int64]
"""Numbers of people, from 0; or how often each was drawn."""

ROUNDS = 1000
MARGIN = 5.0
"""The best non-mated scores are kept for false match rates this many times as high as the highest one asked for: a
round may count some pairs several times."""


@dataclass(frozen=True, slots=True)
class Interval:
    """95%: from the 2.5th to the 97.5th percentile of the rounds."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Scores) -> Interval:
        """Of one value a round; rounds without one (NaN) are left out. NaN where there is none at all."""
        known = values[~np.isnan(values)]
        if not known.size:
            return cls(math.nan, math.nan)
        low, high = np.percentile(known, (2.5, 97.5))
        return cls(float(low), float(high))


@dataclass(frozen=True, slots=True, eq=False)
class NonMated:
    """The best scores of the non-mated pairs of some people's pictures, falling, and the two people of each.

    `pictures` counts each person's pictures: all pairs of different people's pictures were compared, but for the
    `removed` ones (the two people of each, n x 2).
    """

    scores: Scores
    first: People
    second: People
    pictures: People
    removed: People = field(default_factory=lambda: np.empty((0, 2), np.int64))

    @classmethod
    def best(
        cls, scores: Scores, first: People, second: People, pictures: People, far: float, removed: People | None = None
    ) -> NonMated:
        """Keeps of all scores what false match rates up to `far` need."""
        kept = min(int(np.ceil(far * MARGIN * scores.size)) + 1, scores.size)
        at = np.argpartition(-scores, kept - 1)[:kept] if kept < scores.size else np.arange(scores.size)
        at = at[np.argsort(-scores[at], kind="stable")]
        nobody = np.empty((0, 2), np.int64)
        return cls(scores[at], first[at], second[at], pictures, nobody if removed is None else removed)

    def total(self, drawn: People) -> float:
        """Non-mated pairs of one round."""
        many = (drawn * self.pictures).astype(np.float64)
        gone = drawn[self.removed[:, 0]] * drawn[self.removed[:, 1]]
        return float((many.sum() ** 2 - (many**2).sum()) / 2 - gone.sum())

    def threshold(self, drawn: People, far: float) -> float:
        """The lowest threshold of one round whose false match rate is at most `far`."""
        return self.thresholds(drawn, (far,))[0]

    def thresholds(self, drawn: People, fars: Sequence[float]) -> list[float]:
        """As `threshold`, for several rates."""
        matches = np.cumsum(drawn[self.first] * drawn[self.second])
        total = self.total(drawn)
        # The first score that is one false match too many; a threshold lies just above it.
        at = [int(np.searchsorted(matches, far * total * (1 + 1e-9), "right")) for far in fars]
        return [float(np.nextafter(self.scores[min(k, self.scores.size - 1)], np.inf)) for k in at]


@dataclass(frozen=True, slots=True, eq=False)
class Mated:
    """Scores of mated pairs (-inf for one that could not be made) and their people."""

    scores: Scores
    people: People

    def tar(self, drawn: People, threshold: float) -> float:
        """The true accept rate of one round; NaN where nobody with two pictures was drawn."""
        weights = drawn[self.people]
        total = int(weights.sum())
        return int(weights[self.scores >= threshold].sum()) / total if total else math.nan


def draws(people: int, rounds: int = ROUNDS, seed: int = 1) -> People:
    """rounds x people: how often each was drawn."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), rounds)


def score_intervals(pairs: NonMated, fars: Sequence[float], rounds: int = ROUNDS) -> list[Interval]:
    """Of the score at each false match rate."""
    found = np.array([pairs.thresholds(drawn, fars) for drawn in draws(pairs.pictures.size, rounds)])
    return [Interval.of(column) for column in found.T]


def tar_loss(
    before: tuple[Mated, NonMated], after: tuple[Mated, NonMated], far: float, rounds: int = ROUNDS
) -> Interval:
    """Of the TAR at a FAR of `before` less that of `after`, on the same pictures: both see the same draws, so that
    what they share cancels out. Each has its own threshold in each round."""
    (mated_a, non_a), (mated_b, non_b) = before, after
    losses = [
        mated_a.tar(drawn, non_a.threshold(drawn, far)) - mated_b.tar(drawn, non_b.threshold(drawn, far))
        for drawn in draws(non_a.pictures.size, rounds)
    ]
    return Interval.of(np.array(losses))
