"""False matches and false non-matches of one site: its gallery, and templates of visits if some were kept.

Comparisons that share a person are not independent, and pictures of one person resemble each other. So an interval
counts no more than the pairs of people (of false non-matches: the visits), divided by the design effect: how many times
as much the rate varies from person to person (jackknife over people) as it would if they were independent. With that
many trials the interval is Clopper and Pearson's (Korn and Graubard, Survey Methodology 24, 1998). A bootstrap would
say nothing where there is no false match, which is the usual case.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.matching import SLACK, Cohort, above_strangers
from kiosk.domain.security_level import Level
from kiosk.evaluation.figures import Rate, clopper_pearson

STEP = 256
"""Probes whose scores with all references are held at a time: 31 MB in float32 at 30,000 references."""
PART = 16_384
"""Pairs whose scores are computed exactly at a time."""
PAIRED = 2.0
"""The least design effect of non-mated pairs: the jackknife's own, where no person takes part in two false matches. So
none at all never says more than a single one."""
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Templates of one network and one turning. `rows`: N x D signed bytes. `owners`: N numbers of people, from 0."""

    rows: NDArray[np.int8]
    owners: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class AtScore:
    """False matches at one score. `comparisons`: of single references. `searches`: of all references of another person.
    `people`: how many take part in a false match."""

    score: float
    comparisons: Rate
    searches: Rate
    people: int


@dataclass(frozen=True, slots=True)
class FalseMatches:
    """`people` were compared, `pairs` of them. `least`: the rate below which nothing can be said: the upper end where
    no pair matches. `points`: in the order in which the scores were given."""

    people: int
    pairs: int
    least: float
    points: tuple[AtScore, ...]


def false_matches(
    probes: Faces,
    references: Faces,
    cohort: Cohort,
    scores: Sequence[float],
    moved: Callable[[int], object] = lambda _: None,
) -> FalseMatches:
    """Compares each probe with the references of all other people, some rows at a time. The scores are those of the
    door, bit by bit. `probes` may be the references themselves: then each pair counts twice in both numbers of a rate.
    `moved` is told how many probes were compared. Raises ValueError without a score."""
    people = 1 + int(max(probes.owners.max(initial=-1), references.owners.max(initial=-1)))
    tried, had = (np.bincount(faces.owners, minlength=people) for faces in (probes, references))
    one, all_ = (np.zeros((len(scores), people), np.int64) for _ in range(2))
    rows = _Rows(probes, references, cohort, min(scores) - SLACK)
    for start in range(0, len(probes.owners), STEP):
        at, to, found = rows.near(start)
        mine, theirs = probes.owners[at], references.owners[to]
        each, place = np.unique(at * people + theirs, return_inverse=True)
        best = np.full(each.size, -np.inf)
        np.maximum.at(best, place, found)
        whose = probes.owners[each // people], each % people
        for k, score in enumerate(scores):
            _add(one[k], found >= score, mine, theirs)
            _add(all_[k], best >= score, *whose)
        moved(min(STEP, len(probes.owners) - start))
    there = (had > 0).astype(np.int64)
    pairs = _pairs(tried > 0, had > 0)
    trials = tried * (had.sum() - had) + had * (tried.sum() - tried)
    searches = tried * (there.sum() - there) + there * (tried.sum() - tried)
    points = (
        AtScore(
            score,
            _rate(one[k], trials, 2, pairs, PAIRED),
            _rate(all_[k], searches, 2, pairs, PAIRED),
            int((all_[k] > 0).sum()),
        )
        for k, score in enumerate(scores)
    )
    least = _interval(0.0, pairs / PAIRED)[1]
    return FalseMatches(int(((tried > 0) | (had > 0)).sum()), pairs, least, tuple(points))


def mated_scores(probes: Faces, references: Faces, cohort: Cohort) -> NDArray[np.float64]:
    """Of each probe the highest score with the references of the same person; NaN where there is none."""
    rows = _Rows(probes, references, cohort, -np.inf)
    found = np.full(len(probes.owners), np.nan)
    for probe, owner in enumerate(probes.owners):
        own = np.flatnonzero(references.owners == owner)
        if own.size:
            found[probe] = rows.exactly(np.full(own.size, probe), own).max()
    return found


def false_non_matches(scores: NDArray[np.float64], owners: NDArray[np.intp], threshold: float) -> Rate:
    """Of mated trials (`owners`: whose each is) the share whose score does not reach the threshold."""
    known = ~np.isnan(scores)
    owners, missed = owners[known], scores[known] < threshold
    people = 1 + int(owners.max(initial=-1))
    errors = np.bincount(owners[missed], minlength=people)
    return _rate(errors, np.bincount(owners, minlength=people), 1, int(known.sum()), 1.0)


@dataclass(frozen=True, slots=True)
class Kept:
    """A level at this site. `fpir`: what it promises. `found`: the rate that the site's own searches give, and its
    interval, low and high, of one search of a gallery as large as it compares with."""

    level: Level | None
    now: bool
    fpir: float
    found: tuple[float, float, float]

    @property
    def broken(self) -> bool:
        """Whether the site shows, with its whole interval, that the level does not keep its promise here."""
        return self.found[1] > self.fpir


def searched(rate: Rate, people: int) -> tuple[float, float, float]:
    """The rate (0..1) at which a search among so many people meets somebody, and its interval, low and high."""
    known = (0.0 if math.isnan(rate.rate) else rate.rate, rate.low, rate.high)
    met, low, high = (-math.expm1(people * math.log1p(-min(share, 1 - 1e-16))) for share in known)
    return met, low, high


def advise(levels: Sequence[Kept]) -> Kept:
    """The level to set: the present one, unless the site shows that it does not keep its promise; then the first
    stricter one that does, or the strictest. Never a laxer one. Raises ValueError if none is the present one."""
    now = next((kept for kept in levels if kept.now), None)
    if now is None:
        raise ValueError("no level is set")
    stricter = [kept for kept in levels if kept.level is not None and kept.fpir < now.fpir]
    if not now.broken or not stricter:
        return now
    return next((kept for kept in stricter if not kept.broken), stricter[-1])


class _Rows:
    """Probes and references as unit vectors for finding what is near, and as bytes for exact scores."""

    def __init__(self, probes: Faces, references: Faces, cohort: Cohort, lowest: float) -> None:
        self._probes, self._references, self._lowest = probes, references, lowest
        sides = [faces.rows for faces in (probes, references)]
        self._excess = [cohort.excess(rows) for rows in sides]
        self._lengths = [np.sqrt(np.square(rows.astype(np.int32)).sum(axis=1).astype(np.float64)) for rows in sides]
        pairs = zip(sides, self._lengths, strict=True)
        self._units = [rows.astype(np.float32) / lengths.astype(np.float32)[:, np.newaxis] for rows, lengths in pairs]

    def near(self, start: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        """Of STEP probes from `start` on the pairs with references of others whose score may reach `lowest`: their
        places, and their exact scores. No score is above its cosine."""
        cosines = self._units[0][start : start + STEP] @ self._units[1].T
        own = self._probes.owners[start : start + STEP, np.newaxis] == self._references.owners
        at, to = np.nonzero((cosines >= self._lowest) & ~own)
        at = at + start
        parts = [self.exactly(at[k : k + PART], to[k : k + PART]) for k in range(0, at.size, PART)]
        return at, to, np.concatenate(parts) if parts else np.empty(0)

    def exactly(self, at: NDArray[np.intp], to: NDArray[np.intp]) -> NDArray[np.float64]:
        """The scores of pairs as the door computes them (domain.matching)."""
        first, second = self._probes.rows[at].astype(np.int32), self._references.rows[to].astype(np.int32)
        cosines = np.einsum("ij,ij->i", first, second) / (self._lengths[1][to] * self._lengths[0][at])
        return above_strangers(cosines, self._excess[1][to], self._excess[0][at])


def _add(counts: Counts, hit: NDArray[np.bool_], mine: NDArray[np.intp], theirs: NDArray[np.intp]) -> None:
    """Counts the hits for both people of each."""
    for who in (mine, theirs):
        counts += np.bincount(who[hit], minlength=counts.size)


def _pairs(tried: NDArray[np.bool_], had: NDArray[np.bool_]) -> int:
    """How many pairs of people were compared, in one direction or in both."""
    both, only, others = int((tried & had).sum()), int((tried & ~had).sum()), int((had & ~tried).sum())
    return both * (both - 1) // 2 + both * (only + others) + only * others


def _rate(errors: Counts, trials: Counts, people: int, units: int, least: float) -> Rate:
    """A rate from the errors and trials in which each person takes part. `people`: of each trial. `units`: how many
    trials are independent at most. `least`: the least design effect."""
    wrong, all_ = int(errors.sum()) // people, int(trials.sum()) // people
    if not all_:
        return Rate(0, 0, 0.0, 1.0)
    share = wrong / all_
    effect = (
        max(least, _variance(errors, trials, wrong, all_) / (share * (1 - share) / units))
        if 0 < wrong < all_
        else least
    )
    return Rate(wrong, all_, *_interval(share, units / effect))


def _variance(errors: Counts, trials: Counts, wrong: int, all_: int) -> float:
    """The variance of a rate by the jackknife: each person is left out once."""
    took = (trials > 0) & (trials < all_)
    without = (wrong - errors[took]) / (all_ - trials[took])
    return float(np.square(without - without.mean()).sum() * (without.size - 1) / without.size) if without.size else 0.0


def _interval(share: float, trials: float) -> tuple[float, float]:
    """Clopper and Pearson's 95% interval for a number of trials that is no whole one, rounded to the wider side."""
    most, fewest = math.ceil(trials), math.floor(trials)
    low = clopper_pearson(min(math.floor(share * trials), most), most).low
    high = clopper_pearson(min(math.ceil(share * trials), fewest), fewest).high if fewest else 1.0
    return min(low, share), max(high, share)
