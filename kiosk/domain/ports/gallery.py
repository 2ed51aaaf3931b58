"""The ports of what the kiosk knows and keeps: gallery and audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Comparison
from kiosk.domain.people import Subject, Template


class Matcher(Protocol):
    """The gallery as the pipeline sees it."""

    def search(self, probe: Template) -> Comparison:
        """1:N: the best candidate over all references of the embedder's model_id."""

    def subject(self, subject_id: str) -> Subject | None:
        """As enrolled now: the policy reads validity from it."""


class AuditTrail(Protocol):
    """The log that an acknowledged record survives kill -9 in."""

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Returns once all are on disk, in one transaction. Raises GalleryError when they are not."""
