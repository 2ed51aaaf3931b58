"""The threshold that a gallery of a given size needs.

A search takes the highest score of all references, so the chance that a stranger is taken for somebody grows with
their number N. With the false match rate FMR of one comparison, and comparisons taken for independent, that chance is
the false positive identification rate of ISO/IEC 19795-1:

    FPIR = 1 - (1 - FMR)^N

References of one subject are alike, so N counts too much rather than too little.

What is counted is one search: one frame of somebody who is not enrolled. An attempt takes several frames of one face,
whose scores are much alike, and needs `needed` of at most `window` of them to agree. Its FPIR is therefore near that of
one search, and by Markov's inequality at most window / needed times as high (5/3 by default), however the frames hang
together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A score (-1..1) that the share `fmr` (0..1) of non-mated comparisons reaches. `extrapolated`: measured on too few
    false matches to rely on."""

    fmr: float
    score: float
    extrapolated: bool = False


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a search is held against.

    `fpir` is the rate expected of the gallery's `references` at this score, at most; None where the table says nothing
    about so low a score. `caution` is one line for whoever answers for the door, empty when there is nothing to say;
    `unsafe` marks the worst of them.
    """

    score: float
    references: int
    fpir: float | None
    caution: str = ""
    unsafe: bool = False


class Thresholds:
    """The threshold as a function of the gallery's size, from the scores measured on people kept out of training."""

    def __init__(self, table: Iterable[OperatingPoint], fpir: float, fixed: float | None = None) -> None:
        """`fpir` is the rate to keep to (0..1). A `fixed` threshold is used as it is, whatever the size.

        Raises ValueError for an empty table, or for one whose scores fall while the FMR falls.
        """
        self._table = sorted(table, key=lambda p: -p.fmr)
        if not self._table:
            raise ValueError("a threshold needs at least one score with its FMR")
        if any(not 0 < p.fmr < 1 for p in self._table):
            raise ValueError("an FMR is not between 0 and 1")
        if any(a.fmr == b.fmr or a.score > b.score for a, b in pairwise(self._table)):
            raise ValueError("the score must not fall while the FMR falls")
        self._fpir = fpir
        self._fixed = fixed

    def for_gallery(self, references: int) -> Threshold:
        """More references never give a lower threshold. It is never below the table's first score; past the last one
        nothing is guessed: it stays there, with a caution."""
        if self._fixed is not None:
            return self._judge_fixed(self._fixed, references)
        first, last = self._table[0], self._table[-1]
        wanted = fmr_of(self._fpir, max(references, 1))
        fpir = fpir_of(min(max(wanted, last.fmr), first.fmr), references)
        caution = ""
        if wanted < last.fmr * (1 - 1e-9):
            caution = (
                f"the evidence ends at FMR {last.fmr:g}, too soon for {references} references: the FPIR may be "
                f"{fpir:.2g} instead of {self._fpir:g}"
            )
        elif self._thin(wanted):
            caution = "the evidence for so high a threshold is fewer than 10 false matches"
        return Threshold(self._score(wanted), references, fpir, caution)

    def _judge_fixed(self, score: float, references: int) -> Threshold:
        first = self._table[0]
        fmr = self.fmr(score)
        if fmr is None:
            caution = (
                f"[policy] threshold {score:g} is below {first.score:g}, the score of FMR {first.fmr:g}: "
                "strangers may be let in; remove it from the configuration"
            )
            return Threshold(score, references, None, caution, unsafe=True)
        fpir = fpir_of(fmr, references)
        caution = ""
        if fpir > self._fpir * (1 + 1e-9):
            caution = (
                f"[policy] threshold {score:g} is too low for {references} references: FPIR {fpir:.2g}, not "
                f"{self._fpir:g}; remove it from the configuration"
            )
        return Threshold(score, references, fpir, caution)

    def fmr(self, score: float) -> float | None:
        """The FMR at a score, at most: the last one from the table's last score on; None below the first one."""
        below = [p for p in self._table if p.score <= score]
        if not below:
            return None
        if len(below) == len(self._table):
            return below[-1].fmr
        a, b = below[-1], self._table[len(below)]
        return math.exp(math.log(a.fmr) + math.log(b.fmr / a.fmr) * (score - a.score) / (b.score - a.score))

    def _score(self, fmr: float) -> float:
        """Linear in the logarithm of the FMR between two points, that of the nearest one outside the table."""
        for a, b in pairwise(self._table):
            if b.fmr <= fmr < a.fmr:
                share = math.log(fmr / a.fmr) / math.log(b.fmr / a.fmr)
                return min(b.score, a.score + (b.score - a.score) * share)
        return self._table[0].score if fmr >= self._table[0].fmr else self._table[-1].score

    def _thin(self, fmr: float) -> bool:
        """Whether the point at this FMR or the next below it is extrapolated."""
        return next((p.extrapolated for p in self._table if p.fmr <= fmr * (1 + 1e-9)), True)


def fpir_of(fmr: float, references: int) -> float:
    """1 - (1 - fmr)^references, exact for small rates."""
    return -math.expm1(references * math.log1p(-fmr))


def fmr_of(fpir: float, references: int) -> float:
    """The inverse of `fpir_of`: what each of so many comparisons may have."""
    return -math.expm1(math.log1p(-fpir) / references)
