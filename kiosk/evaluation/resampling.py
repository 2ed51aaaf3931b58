"""Intervals by bootstrap over people.

People are independent, but comparisons that share a person are not. Each round draws as many people as there are, with
replacement, and takes all pictures of each drawn person (the subsets bootstrap of Bolle, Ratha and Pankanti, Computer
Vision and Image Understanding 93, 2004). A mated pair then counts as often as its person was drawn. A non-mated pair
counts by the product of the numbers for its two people. Without any match, the rounds do not differ, and the interval
says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
People = NDArray[np.int64]
"""Index numbers of people, from 0; or how often each person was drawn."""

ROUNDS = 1000
MARGIN = 5.0
"""How many more of the highest non-mated scores are kept than the highest requested false match rate needs. A round may
count some pairs several times."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95% interval: from the 2.5th to the 97.5th percentile of the rounds."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Scores) -> Interval:
        """The interval of one value for each round. Leaves out rounds without a value (NaN). NaN if no round has
        one."""
        known = values[~np.isnan(values)]
        if not known.size:
            return cls(math.nan, math.nan)
        low, high = np.percentile(known, (2.5, 97.5))
        return cls(float(low), float(high))


@dataclass(frozen=True, slots=True, eq=False)
class NonMated:
    """The highest scores of non-mated pairs, in descending order, and the two people of each pair.

    `pictures`: number of pictures of each person. All pairs of different people's pictures were compared, except the
    `removed` pairs (the two people of each, n x 2).
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
        """Keeps as many of all scores as false match rates up to `far` need."""
        kept = min(int(np.ceil(far * MARGIN * scores.size)) + 1, scores.size)
        at = np.argpartition(-scores, kept - 1)[:kept] if kept < scores.size else np.arange(scores.size)
        at = at[np.argsort(-scores[at], kind="stable")]
        nobody = np.empty((0, 2), np.int64)
        return cls(scores[at], first[at], second[at], pictures, nobody if removed is None else removed)

    def total(self, drawn: People) -> float:
        """Number of non-mated pairs in one round."""
        many = (drawn * self.pictures).astype(np.float64)
        gone = drawn[self.removed[:, 0]] * drawn[self.removed[:, 1]]
        return float((many.sum() ** 2 - (many**2).sum()) / 2 - gone.sum())

    def threshold(self, drawn: People, far: float) -> float:
        """The lowest threshold of one round whose false match rate is at most `far`."""
        return self.thresholds(drawn, (far,))[0]

    def thresholds(self, drawn: People, fars: Sequence[float]) -> list[float]:
        """Like `threshold`, for several rates."""
        matches = np.cumsum(drawn[self.first] * drawn[self.second])
        total = self.total(drawn)
        # The first score that would be one false match too many. The threshold lies directly above it.
        at = [int(np.searchsorted(matches, far * total * (1 + 1e-9), "right")) for far in fars]
        return [float(np.nextafter(self.scores[min(k, self.scores.size - 1)], np.inf)) for k in at]


@dataclass(frozen=True, slots=True, eq=False)
class Mated:
    """Scores of mated pairs (-inf if a pair could not be compared) and their people."""

    scores: Scores
    people: People

    def tar(self, drawn: People, threshold: float) -> float:
        """The true accept rate of one round; NaN if nobody with two pictures was drawn."""
        weights = drawn[self.people]
        total = int(weights.sum())
        return int(weights[self.scores >= threshold].sum()) / total if total else math.nan


def draws(people: int, rounds: int = ROUNDS, seed: int = 1) -> People:
    """rounds x people: how often each person was drawn in each round."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), rounds)


def score_intervals(pairs: NonMated, fars: Sequence[float], rounds: int = ROUNDS) -> list[Interval]:
    """The interval of the threshold at each false match rate."""
    found = np.array([pairs.thresholds(drawn, fars) for drawn in draws(pairs.pictures.size, rounds)])
    return [Interval.of(column) for column in found.T]


def tar_loss(
    before: tuple[Mated, NonMated], after: tuple[Mated, NonMated], far: float, rounds: int = ROUNDS
) -> Interval:
    """The interval of the TAR at a FAR of `before` minus that of `after`, on the same pictures. Both get the same
    draws, so that common variation cancels out. Each has its own threshold in each round."""
    (mated_a, non_a), (mated_b, non_b) = before, after
    losses = [
        mated_a.tar(drawn, non_a.threshold(drawn, far)) - mated_b.tar(drawn, non_b.threshold(drawn, far))
        for drawn in draws(non_a.pictures.size, rounds)
    ]
    return Interval.of(np.array(losses))
