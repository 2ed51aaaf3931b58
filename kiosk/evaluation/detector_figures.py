"""Figures of a measurement of face detectors: recall, errors of the landmarks, and their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kiosk.evaluation.figures import Rate, clopper_pearson

COUNTED = 40.0
"""Smallest counted face, in pixels (root of the box's area). Smaller faces are in a separate band; smaller detections
do not count."""
RESAMPLES = 2000

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(slots=True)
class Seen:
    """The results of one detector. `scores` and `errors` hold one number for each face that is not ignored: the score
    of its detection (0 for none), and the mean error of its landmarks divided by the true distance of the eyes (NaN if
    unknown). `false` holds the scores of detections where there is no face; `crops` holds the highest score in each
    face-free crop (0 for none). Both count from COUNTED pixels. `seconds`: processor time for each picture."""

    scores: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    false: list[float] = field(default_factory=list)
    crops: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """The results of all detectors. `sizes` (NaN if unknown), `sources` and `pictures` describe the faces."""

    sizes: Numbers
    sources: tuple[str, ...]
    pictures: Counts
    seen: Mapping[str, Seen]

    def recall(self, name: str, threshold: float, chosen: NDArray[np.bool_]) -> Rate:
        """The share of the chosen faces that are found, with its interval."""
        found = np.array(self.seen[name].scores)[chosen] >= threshold
        return clopper_pearson(int(found.sum()), found.size)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which faces have at least COUNTED pixels, or an unknown size."""
        return ~(self.sizes < COUNTED)

    @property
    def located(self) -> bool:
        """Whether the places of the faces are known, so that a detection elsewhere is false."""
        return not np.isnan(self.sizes).all()

    def band(self, low: float, high: float) -> NDArray[np.bool_]:
        """Which faces have `low` to below `high` pixels."""
        return (self.sizes >= low) & (self.sizes < high)

    def errors(self, name: str, threshold: float) -> Numbers:
        """The landmark error of each counted face that is found; NaN for the others."""
        seen = self.seen[name]
        return np.where(self.counted & (np.array(seen.scores) >= threshold), seen.errors, math.nan)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% interval by bootstrap over pictures; NaN if unknown."""

    value: float
    low: float
    high: float


def recall_difference(result: Result, names: tuple[str, str], threshold: float) -> Interval:
    """Recall of the first detector minus that of the second, over the counted faces."""
    a, b = (np.array(result.seen[n].scores) >= threshold for n in names)
    weights = _resampled(result) * result.counted
    with np.errstate(invalid="ignore"):
        values = weights @ (a.astype(float) - b) / weights.sum(1)
    return _interval(values)


def landmark_ratio(result: Result, names: tuple[str, str], threshold: float) -> Interval:
    """Mean landmark error of the first detector divided by that of the second, over the faces that both find."""
    a, b = (result.errors(n, threshold) for n in names)
    both = ~np.isnan(a) & ~np.isnan(b)
    weights = _resampled(result)[:, both]
    with np.errstate(invalid="ignore"):
        return _interval((weights @ a[both]) / (weights @ b[both]))


def _resampled(result: Result) -> Numbers:
    """RESAMPLES + 1 rows with a weight for each face: how often its picture was drawn. The first row is all ones."""
    count = int(np.max(result.pictures, initial=0)) + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    rows: Numbers = np.vstack([np.ones(count), drawn])[:, result.pictures]
    return rows


def _interval(values: Numbers) -> Interval:
    if math.isnan(values[0]):
        return Interval(math.nan, math.nan, math.nan)
    low, high = np.nanpercentile(values[1:], (2.5, 97.5))
    return Interval(float(values[0]), float(low), float(high))
