"""Error rates from comparison scores and from counts: pure statistics, with the terms of ISO/IEC 19795-1 and 30107-3.

A higher score means a likelier match. A score of NaN means that the comparison was not possible because a picture gave
no face (a failure to enrol, FTE). It is an error at every threshold, for mated and non-mated pairs alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fold:
    """Scores of one fold's mated and non-mated pairs."""

    mated: Scores
    non_mated: Scores

    def correct(self, threshold: float) -> int:
        """Number of pairs that the threshold decides correctly. Comparisons with NaN are false, so an FTE never
        counts."""
        return int((self.mated >= threshold).sum() + (self.non_mated < threshold).sum())

    def __len__(self) -> int:
        return self.mated.size + self.non_mated.size


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Accuracy (0..1) and threshold of each fold."""

    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.accuracies))

    @property
    def standard_error(self) -> float:
        """Standard error of the mean: the folds' sample standard deviation divided by the root of their number, as
        LFW's authors define it (UMass Amherst technical report 07-49)."""
        return float(np.std(self.accuracies, ddof=1)) / math.sqrt(len(self.accuracies))


@dataclass(frozen=True, slots=True)
class Tar:
    """True accept rate at the lowest threshold whose false accept rate is at most `far`."""

    far: float
    tar: float
    threshold: float
    false_matches: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95% confidence interval. `rate` is NaN without trials."""

    errors: int
    trials: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share of errors, 0..1."""
        return self.errors / self.trials if self.trials else math.nan


def best_threshold(mated: Scores, non_mated: Scores) -> float:
    """The threshold with the fewest errors; of several, the middle one. Raises ValueError without scores."""
    a, b = _finite(mated), _finite(non_mated)
    scores = np.unique(np.concatenate([a, b]))
    if not scores.size:
        raise ValueError("there are no scores to choose a threshold from")
    middles = (scores[:-1] + scores[1:]) / 2
    candidates = np.concatenate([scores[:1], middles, [np.nextafter(scores[-1], np.inf)]])
    errors = np.searchsorted(a, candidates, "left") + b.size - np.searchsorted(b, candidates, "left")
    best = np.flatnonzero(errors == np.min(errors))
    return float(candidates[best[best.size // 2]])


def cross_validate(folds: Sequence[Fold]) -> CrossValidation:
    """Measures each fold at the best threshold of all other folds. Raises ValueError for fewer than two folds."""
    if len(folds) < 2:
        raise ValueError("a threshold from the other folds needs at least two")
    accuracies, thresholds = [], []
    for k, fold in enumerate(folds):
        others = [f for i, f in enumerate(folds) if i != k]
        threshold = best_threshold(
            np.concatenate([f.mated for f in others]), np.concatenate([f.non_mated for f in others])
        )
        thresholds.append(threshold)
        accuracies.append(fold.correct(threshold) / len(fold))
    return CrossValidation(tuple(accuracies), tuple(thresholds))


def tar_at_far(mated: Scores, non_mated: Scores, far: float) -> Tar:
    """The TAR at a FAR. FAR is over the non-mated comparisons that were made, TAR over all mated pairs. With fewer than
    1 / `far` non-mated pairs no false match is allowed. Raises ValueError if either kind has no pair."""
    b = _finite(non_mated)
    if not b.size or not mated.size:
        raise ValueError("TAR at a FAR needs mated and non-mated pairs")
    # `far` is meant as a decimal: 1e-3 of 1,000 pairs is one pair, despite the rounding of binary numbers.
    allowed = min(math.floor(far * b.size * (1 + 1e-9)), b.size)
    threshold = float(np.nextafter(b[-1 - allowed], np.inf)) if allowed < b.size else float(b[0])
    return Tar(
        far,
        tar=float((mated >= threshold).mean()),
        threshold=threshold,
        false_matches=int((b >= threshold).sum()),
    )


def equal_error(mated: Scores, non_mated: Scores) -> tuple[float, float]:
    """(rate, threshold) at the threshold where the two error rates are closest; the rate is their mean there. Raises
    ValueError if either kind has no score."""
    a, b = _finite(mated), _finite(non_mated)
    if not a.size or not b.size:
        raise ValueError("an equal error rate needs scores of both kinds")
    thresholds, false_accepts, false_rejects = error_curve(a, b)
    best = int(np.argmin(np.abs(false_accepts - false_rejects)))
    return float(false_accepts[best] + false_rejects[best]) / 2, float(thresholds[best])


def error_curve(mated: Scores, non_mated: Scores) -> tuple[Curve, Curve, Curve]:
    """(thresholds, false accept rates, false reject rates) at every score and above the highest one."""
    a, b = _finite(mated), _finite(non_mated)
    scores = np.unique(np.concatenate([a, b]))
    thresholds = np.append(scores, np.nextafter(scores[-1], np.inf)).astype(np.float64)
    false_accepts = 1 - np.searchsorted(b, thresholds, "left") / b.size
    false_rejects = np.searchsorted(a, thresholds, "left") / a.size
    return thresholds, false_accepts, false_rejects


def thinned(thresholds: Curve, false_accepts: Curve, false_rejects: Curve, points: int) -> list[tuple[float, ...]]:
    """At most `points` points of an error curve, spread evenly over the logarithm of the false accept rate."""
    kept = np.flatnonzero(false_accepts > 0)
    if not kept.size:
        return []
    steps = np.geomspace(false_accepts[kept[0]], false_accepts[kept[-1]], points)
    at = np.unique(np.searchsorted(-false_accepts[kept], -steps).clip(0, kept.size - 1))
    chosen = kept[at]
    return list(zip(*(c[chosen].tolist() for c in (thresholds, false_accepts, false_rejects)), strict=True))


def clopper_pearson(errors: int, trials: int, confidence: float = 0.95) -> Rate:
    """The exact binomial interval (Biometrika 26, 1934). At its lower end, so many errors or more have the probability
    (1 - confidence) / 2; at its upper end, so many or fewer have it. 0..1 without trials. Raises ValueError for
    impossible counts."""
    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors of {trials} trials")
    tail = (1 - confidence) / 2
    low = 0.0 if errors == 0 else _bisect(lambda p: 1 - _binomial_cdf(errors - 1, trials, p) >= tail)
    high = 1.0 if errors == trials else _bisect(lambda p: _binomial_cdf(errors, trials, p) <= tail)
    return Rate(errors, trials, low, high)


def _bisect(holds: Callable[[float], bool]) -> float:
    """The smallest p in 0..1 for which `holds(p)`; `holds` is false below it and true above it."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _binomial_cdf(most: int, trials: int, p: float) -> float:
    """Probability of at most `most` errors in `trials` trials; 0 < p < 1."""
    log_choose = math.lgamma(trials + 1)
    terms = (
        log_choose - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * math.log(p) + (trials - k) * math.log1p(-p)
        for k in range(most + 1)
    )
    return math.fsum(map(math.exp, terms))


def _finite(scores: Scores) -> Scores:
    """The scores, sorted, without the pairs that were not compared."""
    return np.sort(scores[~np.isnan(scores)])
