"""Compares the pictures of an enrolment at the kiosk, before anything is written: with everybody who is enrolled, with
the person themselves, and at the end the person with the pictures alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kiosk.domain.decision import Comparison
from kiosk.domain.errors import GalleryError
from kiosk.domain.face import Vector
from kiosk.domain.matching import rounded
from kiosk.domain.people import Reference
from kiosk.domain.renewal import UNTURNED, Enrolled, Measure, TurnedMatrix
from kiosk.domain.second_light import MOST
from kiosk.domain.thresholds import Sizes
from kiosk.station.earlier_references import EarlierReferences
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


class Candidates:
    """Compares with one gallery, for one thread. Methods raise GalleryError."""

    def __init__(self, gallery: Gallery, measure: Measure, earlier: Measure | None = None) -> None:
        """`earlier`: of the embedder of before, while it is being changed (domain.transition)."""
        self._gallery = gallery
        self._measure = measure
        self._earlier = earlier

    def look(
        self,
        vectors: Sequence[Vector],
        but: str | None = None,
        beside: int = 0,
        earlier: Sequence[Vector] = (),
    ) -> Found:
        """Compares with everybody who is enrolled, but for one, who keeps so many references `beside` these. `earlier`:
        the same pictures by the earlier network, which are compared with its references. Raises GalleryError too when
        these are missing and there are such references."""
        found = self._look(self._measure, vectors, but, beside)
        if self._earlier is None or not self._gallery.counts().get(self._earlier.model_id):
            return found
        if not earlier:
            raise GalleryError("these pictures cannot be compared with references of the earlier network: take others")
        before = self._look(self._earlier, earlier, but, beside)
        together = EarlierReferences(self._gallery, self._earlier)
        measure, number = self._measure, _count(vectors, beside)
        beyond = found.beyond or together.beyond(measure.thresholds, measure.model_id, but, number)
        return Found(found.twin or before.twin, found.alike or before.alike, beyond)

    def _look(self, measure: Measure, vectors: Sequence[Vector], but: str | None, beside: int) -> Found:
        known = self._gallery.enrolled(measure.model_id)
        matrix = measure.matrix(known.turning, [r for r in known.references if r.subject_id != but])
        sizes = with_another(matrix.sizes, _count(vectors, beside))
        threshold = measure.thresholds.for_gallery(sizes).score
        best = max((matrix.search(v, threshold) for v in vectors), key=lambda found: found.score)
        return Found(
            best.subject_id if best.mated else None,
            best.subject_id is not None and best.score >= threshold - MARGIN,
            measure.thresholds.beyond(sizes),
        )

    def is_of(self, vectors: Sequence[Vector], subject_id: str, earlier: Sequence[Vector] = ()) -> bool:
        """Whether one of the pictures matches this subject as enrolled; `earlier`: see `look`. True for who has no
        reference that they can be compared with."""
        compare = self.with_subject(subject_id)
        if compare is None and self._earlier is not None:
            compare, vectors = _with_subject(self._gallery, self._earlier, subject_id), earlier
        return compare is None or any(compare(v).mated for v in vectors)

    def with_subject(self, subject_id: str) -> Callable[[Vector], Comparison] | None:
        """Compares with one subject alone, by the threshold of the whole gallery; None for who has no reference."""
        return _with_subject(self._gallery, self._measure, subject_id)

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
        return self._measure.matrix(known.turning, references)


def _with_subject(gallery: Gallery, measure: Measure, subject_id: str) -> Callable[[Vector], Comparison] | None:
    known = gallery.enrolled(measure.model_id)
    own = [r for r in known.references if r.subject_id == subject_id]
    if not own:
        return None
    sizes = measure.matrix(known.turning, known.references).sizes
    return _searching(measure.matrix(known.turning, own), measure.thresholds.for_gallery(sizes).score)


def _count(vectors: Sequence[Vector], beside: int) -> int:
    """How many references somebody has with these."""
    return min(MOST, beside + len(vectors)) if beside else len(vectors)


def _searching(matrix: TurnedMatrix, threshold: float) -> Callable[[Vector], Comparison]:
    """A search that any thread may make: the matrix never changes."""
    return lambda vector: matrix.search(vector, threshold)
