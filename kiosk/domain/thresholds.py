"""The threshold that a gallery of a given size needs.

A search takes the highest score of all references. So the probability that a stranger is taken for a subject grows with
the number of subjects and with the references of each. Let FMR_k(t) be the share of strangers whose best comparison
with the k references of one subject reaches the score t. If subjects are independent, that probability is the false
positive identification rate of ISO/IEC 19795-1:

    FPIR(t) = 1 - product over subjects of (1 - FMR_k(t))

FMR_k is at most k times FMR_1 (union bound). References of one subject are alike, so the growth is smaller than k. A
table may state the measured growth; otherwise the bound is used.

The rate is either kept or reported as impossible (`Threshold.unsafe`): beyond the last score that is measured with
RELIABLE false matches, nothing is known.

The rate is for one search: one frame of a person who is not enrolled. An attempt takes several frames of one face,
whose scores are similar, and needs `needed` of at most `window` of them to agree. Its FPIR is therefore close to that
of one search. By Markov's inequality it is at most window / needed times as high (5/3 by default), however the frames
depend on each other.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

Sizes = Mapping[int, int]
"""The sizes of a gallery: maps a number of references to the number of subjects that have so many."""

STEPS = 40
"""Number of halvings of the table's range of scores. This is far finer than scores of byte templates."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A score (-1..1) that the share `fmr` (0..1) of non-mated comparisons reaches. `extrapolated`: measured with too
    few false matches to be reliable.

    `growth`, if measured: how many times as many strangers reach the score with the best of 1, 2, 3... references of
    one subject. The first value is 1. `interval`: the score's 95% interval, if measured.
    """

    fmr: float
    score: float
    extrapolated: bool = False
    growth: tuple[float, ...] = ()
    interval: tuple[float, float] | None = None

    def rate(self, references: int) -> float:
        """An upper bound of FMR_k at this score for a subject with k references, 0..1."""
        known = self.growth or (1.0,)
        whole, rest = divmod(references, len(known))
        return min(1.0, self.fmr * (whole * known[-1] + (known[rest - 1] if rest else 0.0)))


@dataclass(frozen=True, slots=True)
class Threshold:
    """The threshold of a search.

    `fpir`: an upper bound of the gallery's rate at this score; None if the score is below the table. `caution`: one
    line for the person responsible for the door, or empty. `unsafe`: the configured rate is not kept, so no real lock
    may be released; `caution` says what to do.
    """

    score: float
    subjects: int
    references: int
    fpir: float | None
    caution: str = ""
    unsafe: bool = False


class Thresholds:
    """Computes the threshold from the gallery's size, with scores measured on people who were kept out of training."""

    def __init__(self, table: Iterable[OperatingPoint], fpir: float, fixed: float | None = None) -> None:
        """`fpir`: the rate to keep (0..1). A `fixed` threshold is used unchanged for every size.

        Raises ValueError for an empty table, for scores that fall while the FMR falls, or for an impossible growth.
        """
        self._table = sorted(table, key=lambda p: -p.fmr)
        if not self._table:
            raise ValueError("a threshold needs at least one score with its FMR")
        if any(not 0 < p.fmr < 1 for p in self._table):
            raise ValueError("an FMR is not between 0 and 1")
        if any(a.fmr == b.fmr or a.score > b.score for a, b in pairwise(self._table)):
            raise ValueError("the score must not fall while the FMR falls")
        if any(not _possible(p.growth) for p in self._table):
            raise ValueError("growth is 1 for one reference, rises, and is at most the number of references")
        self._scores = [p.score for p in self._table]
        self._reliable = next((i for i, p in enumerate(self._table) if p.extrapolated), len(self._table))
        """Number of reliable points, from the first one on."""
        self._fpir = fpir
        self._fixed = fixed

    def for_gallery(self, sizes: Sizes) -> Threshold:
        """The threshold for a gallery. More subjects or references never give a lower threshold. It is never below the
        table's first score. Beyond the measured scores it guesses nothing: it stays at the last score and is unsafe."""
        if self._fixed is not None:
            return self._judge_fixed(self._fixed, sizes)
        low, high = self._scores[0], self._scores[max(self._reliable, 1) - 1]
        if beyond := self.beyond(sizes):
            return self._judged(self._scores[-1], sizes, beyond, unsafe=True)
        if self._keeps(low, sizes):
            return self._judged(low, sizes)
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._keeps(middle, sizes) else (middle, high)
        return self._judged(high, sizes)

    def sharing(self, share: float) -> Thresholds:
        """The same table for a search that may use only this share (0..1) of the rate, because another search of the
        same face uses the rest."""
        return Thresholds(self._table, self._fpir * share, self._fixed)

    def measured_for(self, fmr: float) -> float:
        """The first reliable score of the table whose FMR is at most `fmr`; the last reliable one if there is none."""
        reliable = self._table[: max(self._reliable, 1)]
        return next((p.score for p in reliable if p.fmr <= fmr), reliable[-1].score)

    def capacity(self, references: int) -> int:
        """The largest number of subjects, each with `references` references, for which the rate can be kept."""
        if not self._reliable:
            return 0
        rate = self._rate(self._scores[self._reliable - 1], references)
        return 0 if rate is None or rate >= 1 else int(math.log1p(-self._fpir) / math.log1p(-rate) * (1 + 1e-9))

    def fpir(self, score: float, sizes: Sizes) -> float | None:
        """An upper bound of the share of strangers' searches that match a subject; None below the table."""
        survive = 0.0
        for references, subjects in sizes.items():
            rate = self._rate(score, references)
            if rate is None:
                return None
            survive += subjects * (math.log1p(-rate) if rate < 1 else -math.inf)
        return 0.0 - math.expm1(survive)  # not -0.0 for an empty gallery

    def around(self, score: float, sizes: Sizes) -> tuple[float, float, float]:
        """Of the rate of `fpir`: the low end of its 95% interval, the rate, and the high end. If the nearest measured
        score lies higher than measured, this one lies as much lower in the table. 1 below the table."""
        near = min(self._table, key=lambda point: abs(point.score - score))
        low, high = near.interval or (near.score, near.score)
        scores = (score + max(0.0, near.score - low), score, score - max(0.0, high - near.score))
        rates = [self.fpir(at, sizes) for at in scores]
        least, rate, most = (1.0 if value is None else value for value in rates)
        return least, rate, most

    def beyond(self, sizes: Sizes) -> str:
        """Why a gallery of these sizes is too large for the measurements, and what to do; empty if it is not. Does not
        depend on a fixed threshold."""
        if self._keeps(self._scores[max(self._reliable, 1) - 1], sizes):
            return ""
        each = max(sizes, default=1)
        return (
            f"what was measured of this network ends before {_told(sizes)}: at [policy] fpir {self._fpir:g} it carries "
            f"{self.capacity(each)} subjects with {each} references each; remove who has left, enrol with fewer "
            "references, install a better network, or ask for a card too and verify 1:1"
        )

    def _keeps(self, score: float, sizes: Sizes) -> bool:
        fpir = self.fpir(score, sizes)
        return self._reliable > 0 and fpir is not None and fpir <= self._fpir * (1 + 1e-9)

    def _judged(self, score: float, sizes: Sizes, caution: str = "", unsafe: bool = False) -> Threshold:
        references = sum(k * n for k, n in sizes.items())
        return Threshold(score, sum(sizes.values()), references, self.fpir(score, sizes), caution, unsafe)

    def _judge_fixed(self, score: float, sizes: Sizes) -> Threshold:
        first = self._table[0]
        judged = self._judged(score, sizes)
        if score < first.score:
            return self._judged(
                score,
                sizes,
                f"[policy] threshold {score:g} is below {first.score:g}, the score of FMR {first.fmr:g}: strangers may "
                "be let in; remove it from the configuration",
                unsafe=True,
            )
        if self._keeps(score, sizes):
            return judged
        caution = (
            f"[policy] threshold {score:g} is too low for {_told(sizes)}: FPIR {judged.fpir or 1.0:.2g}, not "
            f"{self._fpir:g}; remove it from the configuration"
        )
        return self._judged(score, sizes, caution, unsafe=True)

    def _rate(self, score: float, references: int) -> float | None:
        """An upper bound of FMR_k at a score; None below the first score. Between two scores its logarithm is linear.
        Beyond the last reliable score it stays constant, because lower rates were never measured."""
        at = min(bisect_right(self._scores, score), max(self._reliable, 1))
        if at == 0:
            return None
        # The rate never rises with the score. The minimum is taken because the bound may be larger where the measured
        # growth ends.
        rates = [p.rate(references) for p in self._table[: at + 1]]
        here = min(rates[:at])
        if at >= self._reliable:
            return here
        a, b = self._table[at - 1], self._table[at]
        share = (score - a.score) / (b.score - a.score)
        return here * math.pow(min(here, rates[at]) / here, share)


def _told(sizes: Sizes) -> str:
    subjects, references = sum(sizes.values()), sum(k * n for k, n in sizes.items())
    return f"{subjects} subject{'s' * (subjects != 1)} with {references} references"


def _possible(growth: tuple[float, ...]) -> bool:
    rises = all(a <= b for a, b in pairwise(growth))
    return rises and all(1 <= g <= k for k, g in enumerate(growth, 1))
