"""Compares the pictures of an enrolment at the kiosk, before anything is written: with everybody who is enrolled, with
the person themselves, and at the end the person with the pictures alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kiosk.domain.decision import Comparison
from kiosk.domain.face import Vector
from kiosk.domain.matching import Cohort, rounded
from kiosk.domain.people import Reference
from kiosk.domain.renewal import UNTURNED, Enrolled, TurnedMatrix
from kiosk.domain.second_light import MOST
from kiosk.domain.thresholds import Sizes, Thresholds
from kiosk.station.enrolment import with_another
from kiosk.storage.gallery import Gallery

MARGIN = 0.1
"""A score that is less than this below the threshold is that of a look-alike: the two may be taken for each other in
another light. By the manifest's table at most 3 of 100 searches with a newcomer's picture meet one among 50 people with
five references each, and at most 1 of 1,000 reaches the threshold."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the pictures look like. `twin`: the enrolled subject that one of them matches. `alike`: whether somebody
    enrolled is nearly matched. `beyond`: why the gallery cannot take one more; empty if it can."""

    twin: str | None = None
    alike: bool = False
    beyond: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """What comparisons need to know of the networks."""

    model_id: str
    dimension: int
    thresholds: Thresholds
    cohort: Cohort


class Candidates:
    """Compares with one gallery, for one thread. Methods raise GalleryError."""

    def __init__(self, gallery: Gallery, measure: Measure) -> None:
        self._gallery = gallery
        self._measure = measure

    def look(self, vectors: Sequence[Vector], but: str | None = None, beside: int = 0) -> Found:
        """Compares with everybody who is enrolled, but for one, who keeps so many references `beside` these."""
        known = self._enrolled()
        rest = [r for r in known.references if r.subject_id != but]
        matrix = self._matrix(known, rest)
        sizes = with_another(matrix.sizes, _count(vectors, beside))
        threshold = self._measure.thresholds.for_gallery(sizes).score
        best = max((matrix.search(v, threshold) for v in vectors), key=lambda found: found.score)
        return Found(
            best.subject_id if best.mated else None,
            best.subject_id is not None and best.score >= threshold - MARGIN,
            self._measure.thresholds.beyond(sizes),
        )

    def is_of(self, vectors: Sequence[Vector], subject_id: str) -> bool:
        """Whether one of the pictures matches this subject as enrolled; True for who has no reference of this
        network."""
        compare = self.with_subject(subject_id)
        return compare is None or any(compare(v).mated for v in vectors)

    def with_subject(self, subject_id: str) -> Callable[[Vector], Comparison] | None:
        """Compares with one subject alone, by the threshold of the whole gallery; None for who has no reference."""
        known = self._enrolled()
        own = [r for r in known.references if r.subject_id == subject_id]
        if not own:
            return None
        matrix = self._matrix(known, own)
        return _searching(matrix, self._threshold(self._matrix(known, known.references).sizes))

    def with_these(
        self, vectors: Sequence[Vector], but: str | None = None, beside: int = 0
    ) -> Callable[[Vector], Comparison]:
        """Compares with these pictures alone, by the threshold of the gallery as it will be with them. `but`: whose
        references they replace, or stand `beside` so many of."""
        known = self._enrolled()
        sizes = self._matrix(known, [r for r in known.references if r.subject_id != but]).sizes
        now, m = datetime.now(UTC), self._measure
        new = [Reference(str(i), "candidate", m.model_id, rounded(v), 1.0, now) for i, v in enumerate(vectors)]
        matrix = TurnedMatrix(m.model_id, m.dimension, m.cohort, UNTURNED, new)
        return _searching(matrix, self._threshold(with_another(sizes, _count(vectors, beside))))

    def _threshold(self, sizes: Sizes) -> float:
        return self._measure.thresholds.for_gallery(sizes).score

    def _enrolled(self) -> Enrolled:
        return self._gallery.enrolled(self._measure.model_id)

    def _matrix(self, known: Enrolled, references: Sequence[Reference]) -> TurnedMatrix:
        m = self._measure
        return TurnedMatrix(m.model_id, m.dimension, m.cohort, known.turning, references)


def _count(vectors: Sequence[Vector], beside: int) -> int:
    """How many references somebody has with these."""
    return min(MOST, beside + len(vectors)) if beside else len(vectors)


def _searching(matrix: TurnedMatrix, threshold: float) -> Callable[[Vector], Comparison]:
    """A search that any thread may make: the matrix never changes."""
    return lambda vector: matrix.search(vector, threshold)
