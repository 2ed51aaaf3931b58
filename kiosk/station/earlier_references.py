"""Compares the pictures of an enrolment with references of the embedder of before, while it is being changed
(domain.transition): somebody who has only such references must not be enrolled a second time either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Vector
from kiosk.domain.renewal import Measure, TurnedMatrix
from kiosk.domain.thresholds import Thresholds
from kiosk.domain.transition import beyond, counting
from kiosk.storage.gallery import Gallery
from kiosk.storage.switching import held


class EarlierReferences:
    """Those of one gallery. Methods raise GalleryError."""

    def __init__(self, gallery: Gallery, measure: Measure | None) -> None:
        """Without a `measure` no change of the embedder is under way, and there are none."""
        self._gallery = gallery
        self._measure = measure

    def of(self, subject_id: str) -> bool:
        """Whether this subject has any."""
        return self._matrix(lambda who: who == subject_id) is not None

    def twin(self, vectors: Sequence[Vector | None], whose: Callable[[str], bool]) -> str | None:
        """The subject whose reference one of the pictures matches, of those that `whose` takes; None if there is none.
        `vectors`: of the pictures by the earlier network. Raises SampleError when one is missing, because that picture
        cannot be compared."""
        matrix = self._matrix(whose)
        if matrix is None or self._measure is None:
            return None
        threshold = self._measure.thresholds.for_gallery(matrix.sizes).score
        for vector in vectors:
            if vector is None:
                raise SampleError(
                    "the embedder is being changed, and these pictures were not looked at by the earlier one: give "
                    "this command the kiosk's configuration, and restart the kiosk after a change of [models]"
                )
            found = matrix.search(vector, threshold)
            if found.mated:
                return found.subject_id
        return None

    def beyond(self, current: Thresholds, model_id: str, who: str | None, references: int) -> str:
        """Why both searches together could not keep the rate, if this subject (None: a new one) had so many references
        of the current network `model_id`; empty if they can, or if none of before are there. The door would let in
        nobody then."""
        before = {} if self._measure is None else held(self._gallery.store, self._measure.model_id)
        if self._measure is None or not before:
            return ""
        now = {**held(self._gallery.store, model_id), who or "": references}
        still = Counter(before[one] for one in counting(now, before))
        return beyond(current, Counter(now.values()), self._measure.thresholds, still)

    def _matrix(self, whose: Callable[[str], bool]) -> TurnedMatrix | None:
        if self._measure is None:
            return None
        known = self._gallery.enrolled(self._measure.model_id)
        theirs = [r for r in known.references if whose(r.subject_id)]
        return self._measure.matrix(known.turning, theirs) if theirs else None
