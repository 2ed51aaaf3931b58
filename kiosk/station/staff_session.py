"""What all pages of staff mode share: who is signed in, the gallery of that thread, the booth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason, AuditRecord
from kiosk.domain.decision import Evidence, Reason
from kiosk.domain.people import Subject
from kiosk.domain.renewal import Measure
from kiosk.domain.rights import Role
from kiosk.domain.second_light import Lights
from kiosk.domain.security_level import Settings
from kiosk.domain.staff_views import Failure
from kiosk.keeping import ConsentConfig
from kiosk.station.booth import Booth
from kiosk.station.candidates import Candidates
from kiosk.station.register import GalleryRegister
from kiosk.storage import enrolling
from kiosk.storage.gallery import Gallery

REASONS = {
    Failure.CAMERA: AuditReason.BROKEN_OFF,
    Failure.FAULT: AuditReason.BROKEN_OFF,
    Failure.TOO_LONG: AuditReason.BROKEN_OFF,
    Failure.ATTACK: AuditReason.ATTACK,
    Failure.SOMEBODY_ELSE: AuditReason.LOOKS_LIKE_ANOTHER,
    Failure.NOT_RECOGNISED: AuditReason.NOT_RECOGNISED,
}
"""How the record names why something ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Office:
    """What staff mode works with. The gallery is that of its thread alone."""

    gallery: Gallery
    register: GalleryRegister
    booth: Booth
    measure: Measure
    consent: ConsentConfig
    settings: Callable[[], Settings]
    """What an admin sees of the configuration, for the gallery as it is now."""
    clock: Callable[[Evidence], Reason | None]
    """Why the time of an evidence is not known (Timekeeper.trouble)."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    earlier: Measure | None = None
    """Of the embedder of before, while it is being changed."""

    @property
    def candidates(self) -> Candidates:
        """Comparisons with the gallery as it is now."""
        return Candidates(self.gallery, self.measure, self.earlier)

    def lights(self, who: Iterable[str]) -> Mapping[str, Lights]:
        """In which light the references of these subjects were taken. Raises GalleryError."""
        return enrolling.lights(self.gallery, who)

    def note(
        self,
        kind: AuditKind,
        outcome: AuditOutcome,
        reason: AuditReason | Reason | None = None,
        subject_id: str | None = None,
        **detail: str | float | bool | None,
    ) -> None:
        """Writes a record, with who is signed in. Raises GalleryError."""
        enrolling.note(self.gallery, AuditRecord(kind, self.now(), None, subject_id, outcome, reason, detail))


@dataclass(frozen=True, slots=True)
class Person:
    """The member of staff who is signed in."""

    subject_id: str
    name: str
    role: Role

    def may_change(self, other: Subject) -> bool:
        """Whether this one may change that subject: nobody themselves, and only an admin somebody with a role."""
        return other.id != self.subject_id and (other.role is None or self.role is Role.ADMIN)
