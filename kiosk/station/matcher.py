"""The gallery for the pipeline's searches: one matrix in memory, made again whenever the database has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from kiosk.domain.decision import Comparison
from kiosk.domain.errors import OutdatedError, UnsafeError
from kiosk.domain.face import Vector
from kiosk.domain.matching import Cohort, enrol_again
from kiosk.domain.people import Subject
from kiosk.domain.renewal import Enrolled, TurnedMatrix
from kiosk.domain.thresholds import Threshold, Thresholds

log = structlog.get_logger("kiosk")


class Store(Protocol):
    """The methods of storage.gallery.Gallery that the matcher uses."""

    def enrolled(self, model_id: str) -> Enrolled:
        """All references of one model, decrypted, and what their templates were turned by. Raises GalleryError."""

    def unusable(self, model_id: str) -> int:
        """Number of references of other models. Raises GalleryError."""

    def subject(self, subject_id: str) -> Subject | None:
        """The subject as enrolled now. Raises GalleryError."""

    def data_version(self) -> int:
        """A number that is different after each change by any process. Raises GalleryError."""


class GalleryMatcher:
    """Implements the port Matcher. For one thread. A removed subject is not found from the next frame on, and the
    threshold always fits the references that are searched, as do the matrix and the cohort's centres that turn and
    measure the probe. So a changed gallery is read anew before the next search:
    the door stays shut for that time, 2.8 s with 50,000 references."""

    def __init__(
        self,
        store: Store,
        model_id: str,
        dimension: int,
        thresholds: Thresholds,
        cohort: Cohort,
        tell: Callable[[Threshold], None] = lambda _: None,
        real_lock: bool = False,
        claims_beyond: bool = False,
    ) -> None:
        """`tell` takes each new threshold. With a `real_lock` it does not search with an unsafe threshold, except with
        `claims_beyond`: then nobody is let in without a claim while it is unsafe, and the search only tells whom to ask
        for one. Raises GalleryError when the gallery cannot be read."""
        self._store = store
        self._model_id = model_id
        self._dimension = dimension
        self._thresholds = thresholds
        self._cohort = cohort
        self._tell = tell
        self._real_lock = real_lock
        self._claims_beyond = claims_beyond
        self._one: dict[int, Threshold] = {}
        """The threshold for one subject, by the number of references."""
        self._version = store.data_version()
        self._matrix, self.threshold = self._read()
        tell(self.threshold)

    def __len__(self) -> int:
        return len(self._matrix)

    def search(self, probe: Vector) -> Comparison:
        """Searches the gallery. Raises GalleryError or ValueError, which the pipeline turns into a refusal:
        OutdatedError when there are references but none of this model, so that nobody can be recognised; UnsafeError
        with a real lock when the gallery has become too large for a safe threshold."""
        self._refresh()
        if self.threshold.unsafe and self._real_lock and not self._claims_beyond:
            raise UnsafeError(self.threshold.caution)
        return self._matrix.search(probe, self.threshold.score)

    def verify(self, probe: Vector, subject_id: str | None) -> Comparison:
        """Compares with one subject, by the threshold for one subject with so many references. Raises as search
        does."""
        self._refresh()
        score, count = self._matrix.best(probe, subject_id or "")
        references = max(count, 1)
        if references not in self._one:
            self._one[references] = self._thresholds.for_gallery({references: 1})
        threshold = self._one[references]
        if threshold.unsafe and self._real_lock:
            raise UnsafeError(threshold.caution)
        return Comparison(subject_id if count else None, score, threshold.score, self._model_id)

    def _refresh(self) -> None:
        """Reads the gallery again if it has changed. Raises GalleryError, OutdatedError."""
        version = self._store.data_version()
        if version != self._version:
            before = self.threshold
            self._matrix, self.threshold = self._read()
            self._version = version
            if self.threshold != before:
                self._tell(self.threshold)
        if self._unusable and not len(self._matrix):
            raise OutdatedError(enrol_again(self._unusable))

    def subject(self, subject_id: str) -> Subject | None:
        """Reads the subject from the database, not from memory, so that an admin's change counts at once."""
        return self._store.subject(subject_id)

    def _read(self) -> tuple[TurnedMatrix, Threshold]:
        found = self._store.enrolled(self._model_id)
        matrix = TurnedMatrix(self._model_id, self._dimension, self._cohort, found.turning, found.references)
        self._unusable = self._store.unusable(self._model_id)
        return matrix, self._thresholds.for_gallery(matrix.sizes)


def log_threshold(threshold: Threshold) -> None:
    """Logs the threshold: at the start, and whenever the references change."""
    note = log.warning if threshold.caution else log.info
    note(
        "threshold",
        score=round(threshold.score, 4),
        subjects=threshold.subjects,
        references=threshold.references,
        fpir=threshold.fpir,
        caution=threshold.caution,
    )
