"""The threshold that a gallery of a given size needs.

A search takes the highest score of all references, so the chance that a stranger is taken for somebody grows with the
number of subjects, and with the references that each of them has. With FMR_k(t), the share of strangers whose best
comparison with the k references of one subject reaches the score t, and subjects taken for independent, that chance is
the false positive identification rate of ISO/IEC 19795-1:

    FPIR(t) = 1 - product over subjects of (1 - FMR_k(t))

FMR_k is FMR_1 times a growth of k at most (union bound). References of one subject are alike, so the growth is smaller;
a table may state it where it was measured, and where it does not the bound is taken.

The rate is kept or said to be out of reach (`Threshold.unsafe`): past the last score that RELIABLE false matches stand
behind nothing is known.

What is counted is one search: one frame of somebody who is not enrolled. An attempt takes several frames of one face,
whose scores are much alike, and needs `needed` of at most `window` of them to agree. Its FPIR is therefore near that of
one search, and by Markov's inequality at most window / needed times as high (5/3 by default), however the frames hang
together.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

Sizes = Mapping[int, int]
"""A gallery: references a subject -> how many subjects have so many."""

STEPS = 40
"""Halvings of the table's range of scores: to far below what a score of bytes can tell apart."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A score (-1..1) that the share `fmr` (0..1) of non-mated comparisons reaches. `extrapolated`: measured on too few
    false matches to rely on.

    `growth`: how many times as many strangers reach it with the best of 1, 2, 3... references of one subject, where
    that was measured; the first is 1.
    """

    fmr: float
    score: float
    extrapolated: bool = False
    growth: tuple[float, ...] = ()

    def rate(self, references: int) -> float:
        """FMR_k at this score, at most, for a subject of k references: 0..1."""
        known = self.growth or (1.0,)
        whole, rest = divmod(references, len(known))
        return min(1.0, self.fmr * (whole * known[-1] + (known[rest - 1] if rest else 0.0)))


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a search is held against.

    `fpir` is the rate expected of the gallery at this score, at most; None where the table says nothing about so low a
    score. `caution` is one line for whoever answers for the door, empty when there is nothing to say. `unsafe`: the
    rate that was asked for is not kept, so no real lock may be released on it; `caution` says what to do.
    """

    score: float
    subjects: int
    references: int
    fpir: float | None
    caution: str = ""
    unsafe: bool = False


class Thresholds:
    """The threshold as a function of the gallery's size, from the scores measured on people kept out of training."""

    def __init__(self, table: Iterable[OperatingPoint], fpir: float, fixed: float | None = None) -> None:
        """`fpir` is the rate to keep to (0..1). A `fixed` threshold is used as it is, whatever the size.

        Raises ValueError for an empty table, for one whose scores fall while the FMR falls, or for a growth that cannot
        be.
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
        """How many points, from the first one on, may be relied on."""
        self._fpir = fpir
        self._fixed = fixed

    def for_gallery(self, sizes: Sizes) -> Threshold:
        """More subjects or references never give a lower threshold. It is never below the table's first score; past the
        evidence nothing is guessed: it stays at the last score, and is unsafe."""
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

    def capacity(self, references: int) -> int:
        """How many subjects of so many references each the evidence carries."""
        if not self._reliable:
            return 0
        rate = self._rate(self._scores[self._reliable - 1], references)
        return 0 if rate is None or rate >= 1 else int(math.log1p(-self._fpir) / math.log1p(-rate) * (1 + 1e-9))

    def fpir(self, score: float, sizes: Sizes) -> float | None:
        """The share of strangers' searches that somebody of the gallery answers to, at most; None below the table."""
        survive = 0.0
        for references, subjects in sizes.items():
            rate = self._rate(score, references)
            if rate is None:
                return None
            survive += subjects * (math.log1p(-rate) if rate < 1 else -math.inf)
        return -math.expm1(survive)

    def beyond(self, sizes: Sizes) -> str:
        """Why a gallery of these sizes is more than the evidence carries, and what to do; empty where it is not.
        Whether a threshold is fixed does not matter."""
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
        """FMR_k at a score, at most; None below the first score. Between two scores linear in its logarithm, past the
        last reliable one it stays: fewer than so many strangers were never counted."""
        at = min(bisect_right(self._scores, score), max(self._reliable, 1))
        if at == 0:
            return None
        # It never rises with the score; a bound that begins where the measured growth ends would seem to.
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
