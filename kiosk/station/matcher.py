"""The gallery for the pipeline's searches: one matrix in memory, made again whenever the database has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import structlog

from kiosk.domain.decision import Comparison
from kiosk.domain.errors import OutdatedError, UnsafeError
from kiosk.domain.face import Vector
from kiosk.domain.matching import Cohort, enrol_again
from kiosk.domain.people import Reference, Subject
from kiosk.domain.renewal import Enrolled, Measure, TurnedMatrix
from kiosk.domain.thresholds import Threshold, Thresholds
from kiosk.domain.transition import counting, shares

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
    """Implements the ports Matcher and EarlierMatcher. For one thread. A removed subject is not found from the next
    frame on, and the threshold always fits the references that are searched, as do the matrix and the cohort's centres
    that turn and measure the probe. So a changed gallery is read anew before the next search: the door stays shut for
    that time, 2.8 s with 50,000 references.

    While the embedder is being changed (`earlier`), both searches together keep the configured rate: each has the share
    of it that its subjects are of all. Earlier references are never compared by an unsafe threshold, whatever the
    lock."""

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
        earlier: Measure | None = None,
    ) -> None:
        """`tell` takes each new threshold. `earlier`: of the embedder of before, while it is being changed.

        With a `real_lock` it does not search with an unsafe threshold, except with
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
        self._earlier = earlier
        self._before: TurnedMatrix | None = None
        self._counting: frozenset[str] = frozenset()
        self._unusable = 0
        self._one: dict[tuple[bool, bool, int], Threshold] = {}
        """The threshold for one subject: of the current network, of somebody who has references of both, by their
        number."""
        self._version = store.data_version()
        self.threshold_before: Threshold | None = None
        """The one for earlier references, while any of them counts."""
        self._matrix, self.threshold = self._read()
        self._tell_all()

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
        threshold = self._for_one(self._thresholds, count, subject_id)
        if threshold.unsafe and self._real_lock:
            raise UnsafeError(threshold.caution)
        return Comparison(subject_id if count else None, score, threshold.score, self._model_id)

    @property
    def counts_earlier(self) -> bool:
        """See EarlierMatcher."""
        return self._before is not None and len(self._before) > 0

    def search_earlier(self, probe: Vector) -> Comparison:
        """See EarlierMatcher. Raises GalleryError, OutdatedError, ValueError. An unsafe threshold finds nobody."""
        self._refresh()
        threshold = self.threshold_before
        if self._before is None or threshold is None or threshold.unsafe:
            return self._nobody(threshold)
        return self._before.search(probe, threshold.score)

    def verify_earlier(self, probe: Vector, subject_id: str | None) -> Comparison:
        """See EarlierMatcher. Raises as search_earlier does."""
        self._refresh()
        if self._earlier is None or self._before is None:
            return self._nobody(None)
        score, count = self._before.best(probe, subject_id or "")
        threshold = self._for_one(self._earlier.thresholds, count, subject_id)
        nobody = self._nobody(threshold)
        return nobody if not count or threshold.unsafe else replace(nobody, subject_id=subject_id, score=score)

    def _nobody(self, threshold: Threshold | None) -> Comparison:
        """The comparison with earlier references that can match nobody."""
        by = "" if self._earlier is None else self._earlier.by or self._earlier.model_id
        return Comparison(None, -1.0, 1.0 if threshold is None else threshold.score, by)

    def _for_one(self, thresholds: Thresholds, references: int, subject_id: str | None) -> Threshold:
        """The threshold for one subject with so many references. Who may be compared by both networks has half of the
        rate for each."""
        key = thresholds is self._thresholds, subject_id in self._counting, max(references, 1)
        if key not in self._one:
            wanted = thresholds.sharing(0.5) if key[1] else thresholds
            self._one[key] = wanted.for_gallery({key[2]: 1})
        return self._one[key]

    def _refresh(self) -> None:
        """Reads the gallery again if it has changed. Raises GalleryError, OutdatedError."""
        version = self._store.data_version()
        if version != self._version:
            before = self.threshold, self.threshold_before
            self._matrix, self.threshold = self._read()
            self._version = version
            if (self.threshold, self.threshold_before) != before:
                self._tell_all()
        if self._unusable and not len(self._matrix) and not self.counts_earlier:
            raise OutdatedError(enrol_again(self._unusable))

    def _tell_all(self) -> None:
        self._tell(self.threshold)
        if self.threshold_before is not None:
            self._tell(self.threshold_before)

    def subject(self, subject_id: str) -> Subject | None:
        """Reads the subject from the database, not from memory, so that an admin's change counts at once."""
        return self._store.subject(subject_id)

    def _read(self) -> tuple[TurnedMatrix, Threshold]:
        found = self._store.enrolled(self._model_id)
        matrix = TurnedMatrix(self._model_id, self._dimension, self._cohort, found.turning, found.references)
        self._unusable = self._store.unusable(self._model_id)
        if self._earlier is None:
            return matrix, self._thresholds.for_gallery(matrix.sizes)
        before = self._store.enrolled(self._earlier.model_id)
        self._unusable -= len(before.references)
        self._counting = counting(_counts(found.references), _counts(before.references))
        still = [reference for reference in before.references if reference.subject_id in self._counting]
        self._before = self._earlier.matrix(before.turning, still)
        share, rest = shares(matrix.sizes, self._before.sizes)
        earlier = self._earlier.thresholds.sharing(rest)
        self.threshold_before = earlier.for_gallery(self._before.sizes) if still else None
        return matrix, self._thresholds.sharing(share).for_gallery(matrix.sizes)


def _counts(references: Iterable[Reference]) -> Counter[str]:
    return Counter(reference.subject_id for reference in references)


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
