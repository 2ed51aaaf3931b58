"""What the table of thresholds rests on: false match rates of strangers, source by source, and who is no stranger.

Most pictures of the shared folder bear no name, and several are of one person: of aaf and utkface hundreds of pairs. A
network that knows these for one person is right, so they must not be counted, and whoever decides that decides the
table's end. Until now one teacher did (y1 above 0.5), and took pairs out that show two people: of the 40 pairs nearest
to that line, looked at by eye, some 25. Now both teachers decide together, by the mean of their cosines. Of 100 pairs
of aaf and utkface around that line about as many are wrong on either side.

No torch is needed here: tests hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kiosk.evaluation.resampling import Interval, NonMated, score_intervals

FMRS = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)
RELIABLE = 10  # false matches; a score with fewer is the empirical quantile all the same, and marked extrapolated
SAME_PERSON = 0.48  # mean of both teachers' cosines; above it two pictures without names are taken for one person
LOOKED_AT = 0.44  # pairs that score less are never left out: too few of them are of one person to count
MOST_REFERENCES = 5
GROWN_ON = 100  # strangers let in by the best of five: with fewer the growth is not stated, and the bound is taken


@dataclass(frozen=True)
class Fmr:
    """At `score` and above, `false_matches` of `pairs` non-mated pairs match: a share of at most `fmr`.

    `low` and `high`: the score's 95% interval by bootstrap over people. It ends at the highest score there is, so with
    few false matches it is too narrow at the top. `growth` as domain.thresholds.OperatingPoint has it.
    """

    source: str
    fmr: float
    score: float
    pairs: int
    false_matches: int
    low: float
    high: float
    growth: tuple[float, ...] = ()

    @property
    def extrapolated(self) -> bool:
        """Whether there are too few false matches to rely on the score."""
        return self.false_matches < RELIABLE

    @property
    def squared_l2(self) -> float:
        """The same threshold for the squared distance of two unit vectors."""
        return 2 - 2 * self.score


@dataclass(frozen=True, slots=True, eq=False)
class Beside(NonMated):
    """Pairs of the first `held` people with each other, and of each of them with each of the people after them: those
    have been trained with, and are compared with strangers to the training only. One picture a person."""

    held: int = 0

    def total(self, drawn: NDArray[np.int64]) -> float:
        """Pairs of one round."""
        many, others = drawn[: self.held].astype(np.float64), float(drawn[self.held :].sum())
        gone = drawn[self.removed[:, 0]] * drawn[self.removed[:, 1]]
        return float((many.sum() ** 2 - (many**2).sum()) / 2 + many.sum() * others - gone.sum())


def one_person(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether two pictures are taken for one person's, by both teachers' cosines of them."""
    decided: NDArray[np.bool_] = (first + second) / 2 > SAME_PERSON
    return decided


def source_thresholds(
    source: str, scores: NDArray[np.float32], people: NDArray[np.int64], same: NDArray[np.bool_] | None
) -> tuple[list[Fmr], int]:
    """N x N scores, the person of each picture, N x N pairs to leave out -> a row for each of FMRS with at least one
    pair, and how many pairs were left out."""
    i, j = np.triu_indices(len(people), 1)
    different = people[i] != people[j]
    out = different & same[i, j] if same is not None else np.zeros_like(different)
    kept = different & ~out
    score, first, second = scores[i, j][kept].astype(np.float64), people[i][kept], people[j][kept]
    gone = np.stack([people[i][out], people[j][out]], axis=1)
    best = NonMated.best(score, first, second, np.bincount(people), max(FMRS), gone)
    return _rows(source, best, score.size), len(gone)


def beside_thresholds(
    source: str,
    held: NDArray[np.float32],
    others: NDArray[np.float32],
    same: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> tuple[list[Fmr], int]:
    """N x N scores of held-out people, N x M of them with people of the training, one picture each; which of both to
    leave out -> as source_thresholds."""
    count = len(held)
    i, j = np.triu_indices(count, 1)
    k, m = np.indices(others.shape).reshape(2, -1)
    out = np.concatenate([same[0][i, j], same[1].ravel()])
    score = np.concatenate([held[i, j], others.ravel()]).astype(np.float64)[~out]
    first, second = np.concatenate([i, k]), np.concatenate([j, m + count])
    gone = np.stack([first[out], second[out]], axis=1)
    people = np.ones(count + others.shape[1], np.int64)
    best = Beside.best(score, first[~out], second[~out], people, max(FMRS), gone)
    return _rows(source, replace(best, held=count), score.size), len(gone)  # type: ignore[call-arg]


def _rows(source: str, best: NonMated, pairs: int) -> list[Fmr]:
    intervals: Sequence[Interval] = score_intervals(best, FMRS)
    rows = []
    for fmr, interval in zip(FMRS, intervals, strict=True):
        at = rounded_up(float(best.scores[int(fmr * pairs)]))
        matches = int((best.scores >= at).sum())
        rows.append(Fmr(source, fmr, at, pairs, matches, min(interval.low, at), max(interval.high, at)))
    return rows


def rounded_up(score: float) -> float:
    """The next fourth decimal above a score."""
    return float(np.ceil((score + 1e-6) * 1e4) / 1e4)


def worst(rows: list[Fmr]) -> list[Fmr]:
    """The highest score at each FMR, of the sources with pairs enough for RELIABLE false matches, or where there is
    none, for one.

    A row that would be lower than the one before it, because the source that needed most has too few pairs, is left
    out: the table ends where the evidence does.
    """
    table: list[Fmr] = []
    for fmr in FMRS:
        able = [r for r in rows if r.fmr == fmr and r.fmr * r.pairs >= 1]
        row = max([r for r in able if not r.extrapolated] or able, key=lambda r: r.score, default=None)
        if row is not None and (not table or row.score >= table[-1].score):
            table.append(row)
    return table


def growth(people: Iterable[NDArray[np.floating]], score: float, rounds: int = 4) -> tuple[tuple[float, ...], int]:
    """Of each person the scores of R pictures with S strangers -> how many times as many strangers reach `score` with
    the best of 1, 2, ... MOST_REFERENCES of a person's pictures as with one, rounded up; and how many (stranger, group)
    the last of these counts, in the mean of the rounds. Each round draws groups of pictures that share none."""
    rng = np.random.default_rng(0)
    hits, tried = np.zeros(MOST_REFERENCES), np.zeros(MOST_REFERENCES)
    for scores in people:
        for _ in range(rounds):
            order = rng.permutation(len(scores))
            for k in range(1, MOST_REFERENCES + 1):
                groups = scores[order[: len(order) // k * k]].reshape(-1, k, scores.shape[1]).max(1)
                hits[k - 1] += (groups >= score).sum()
                tried[k - 1] += groups.size
    if not hits.all():
        return (), 0
    rates = hits / tried
    steps = np.maximum.accumulate(np.ceil(rates / rates[0] * 100 - 1e-9) / 100)
    return tuple(float(min(g, k)) for k, g in enumerate(steps, 1)), int(hits[-1] / rounds)


def with_growth(table: Sequence[Fmr], sources: Iterable[Sequence[NDArray[np.floating]]]) -> list[Fmr]:
    """The table with the largest growth of all sources at each row where all count GROWN_ON, and so at the rows before
    it; from there on the bound holds. A source is measured at the score of its own that has the row's FMR."""
    rows = list(table)
    measured = [list(source) for source in sources]
    for n, row in enumerate(rows):
        found = []
        for people in measured:
            every = np.concatenate([scores.ravel() for scores in people])
            at = float(np.partition(every, -1 - int(row.fmr * every.size))[-1 - int(row.fmr * every.size)])
            found.append(growth(people, at))
        if not found or any(count < GROWN_ON for _, count in found):
            break
        rows[n] = replace(row, growth=tuple(float(g) for g in np.max([g for g, _ in found], axis=0)))
    return rows
