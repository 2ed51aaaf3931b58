"""What was measured of an embedder, or of two together, as models/manifest.toml states it: error rates by score, and
the files that belong to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kiosk.domain.thresholds import OperatingPoint, Thresholds

RELIABLE = 10
"""With fewer false matches the score of a false match rate counts as extrapolated."""

FileName = Annotated[str, Field(pattern=r"^[^./\x00][^/\x00]{0,199}$")]
"""Name of a file in the manifest's own folder: no path, not "." or "..", not hidden."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """Frozen, with no unknown keys and only finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ErrorRate(Strict):
    """A score with the share of non-mated pairs that reach it, measured on people who were kept out of training.

    `interval`: the score's 95% interval by bootstrap over people. `source`: the people it was measured on.
    `squared_l2`: the same threshold as a squared Euclidean distance of unit vectors: 2 - 2 score.
    """

    fmr: Annotated[float, Field(gt=0, lt=1)]
    score: Annotated[float, Field(gt=-1, lt=1)]
    pairs: Annotated[int, Field(gt=0)]
    false_matches: Annotated[int, Field(ge=0)]
    interval: tuple[float, float] | None = None
    source: str | None = None
    extrapolated: bool | None = None
    """Whether there are fewer than RELIABLE false matches; if it is not stated, `false_matches` decides."""
    squared_l2: float | None = None
    growth: tuple[float, ...] = ()
    """How many times as many strangers reach the score with the best of 1, 2, 3... references of one subject, if
    measured (domain.thresholds)."""

    @property
    def thin(self) -> bool:
        """Whether the score was measured with too few false matches to be reliable."""
        return self.extrapolated or self.false_matches < RELIABLE

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.interval and not self.interval[0] <= self.score <= self.interval[1]:
            raise ValueError("the score is outside its interval")
        if self.squared_l2 is not None and abs(self.squared_l2 - (2 - 2 * self.score)) > 1e-3:
            raise ValueError("squared_l2 is not 2 - 2 score")
        return self


class CohortFile(Strict):
    """The centres with which a template's similarity to strangers is measured (domain.matching.Cohort): a numpy file of
    signed bytes, one centre in each row. The thresholds are valid only with these centres."""

    file: FileName
    sha256: Sha256
    nearest: Annotated[int, Field(gt=0)]
    usual: Annotated[float, Field(gt=-1, lt=1)]


class RuinsFile(Strict):
    """The place of turned and distorted pictures in this embedder's space (vision.ruins.Ruins): a numpy file of
    `dimension` float32, the mean of their unit feature vectors. A face is no evidence if its feature vector is shorter
    than `min_length`, if the vector's cosine to this centre is above `max_cosine`, or if its cosine to the vector of
    the mirror image is above `max_mirrored`."""

    file: FileName
    sha256: Sha256
    min_length: Annotated[float, Field(ge=0)]
    max_cosine: Annotated[float, Field(gt=-1, lt=1)]
    max_mirrored: Annotated[float, Field(gt=0, le=1)] = 1.0


class PairEntry(Strict):
    """A map from the vectors of one embedder (`new`, a model_id) to where another one (`old`) has them: a numpy file of
    float32 (vision.earlier.VectorMap.of). `thresholds` and `cohort` are of mapped vectors
    compared with the old network's templates; without thresholds the two are never compared."""

    new: str
    old: str
    file: FileName
    sha256: Sha256
    licence: str
    cohort: CohortFile | None = None
    thresholds: tuple[ErrorRate, ...] = ()

    def operating_points(self) -> list[OperatingPoint]:
        """The table; empty if nothing was measured."""
        return points(self.thresholds)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.new == self.old:
            raise ValueError("a pair is of two networks")
        if self.thresholds:
            Thresholds(self.operating_points(), fpir=0.5)
        return self


def points(rates: Iterable[ErrorRate]) -> list[OperatingPoint]:
    """A table for domain.thresholds."""
    return [OperatingPoint(t.fmr, t.score, t.thin, t.growth, t.interval) for t in rates]
