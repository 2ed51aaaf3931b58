"""The ports for the gallery and the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Comparison
from kiosk.domain.face import Vector
from kiosk.domain.people import Subject


class Directory(Protocol):
    """Whoever knows the people of a gallery."""

    def subject(self, subject_id: str) -> Subject | None:
        """The subject as enrolled now; the policy reads its validity."""


class Matcher(Directory, Protocol):
    """The gallery from the pipeline's side."""

    def search(self, probe: Vector) -> Comparison:
        """1:N: the best candidate over all references of the embedder's model_id. The gallery makes the probe's
        template itself."""

    def verify(self, probe: Vector, subject_id: str | None) -> Comparison:
        """1:1: the best candidate over this subject's references only. None is nobody, and never mated; it takes the
        same time."""


class EarlierMatcher(Protocol):
    """The references of the embedder of before, while it is being changed (domain.transition)."""

    @property
    def counts_earlier(self) -> bool:
        """Whether any of them still counts. If not, no vector of the earlier network is needed."""

    def search_earlier(self, probe: Vector) -> Comparison:
        """1:N: the best candidate over those that still count. `probe`: the earlier network's vector."""

    def verify_earlier(self, probe: Vector, subject_id: str | None) -> Comparison:
        """1:1: the best candidate over this subject's, if they still count. None is nobody."""


class AuditTrail(Protocol):
    """The audit log. A record that it has acknowledged survives kill -9."""

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Writes all records in one transaction; they are on disk when this returns. Raises GalleryError if they are
        not."""
