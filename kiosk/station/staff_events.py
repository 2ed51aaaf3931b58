"""Staff mode's page of what happened: decisions with their true reasons, what the door did, and what staff should look
at."""

from __future__ import annotations

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.decision import Outcome
from kiosk.domain.errors import GalleryError
from kiosk.domain.staff_views import MOST_SHOWN, EventRow, Events
from kiosk.station.staff_session import Office
from kiosk.storage.audit import Audit

OTHERS = (AuditKind.FAULT, AuditKind.STAFF)


class EventPages:
    """The newest events. A silent alarm (a duress PIN) is of none of these kinds: whoever makes somebody type it may
    stand before this page."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._audit = Audit(office.gallery.store)

    def newest(self, noted: int | None = None) -> Events:
        """The newest ones, newest first. Raises GalleryError."""
        stories = self._audit.stories(MOST_SHOWN)
        rows = [self._row(s.decision, s.outcome) for s in stories]
        rows += [self._row(r, None) for r in self._audit.records(MOST_SHOWN, kinds=OTHERS)]
        rows.sort(key=lambda row: -row.id)
        return Events(tuple(rows[:MOST_SHOWN]), noted)

    def not_me(self, event: int) -> Events:
        """Records that the person of this event was mistaken. Raises GalleryError."""
        row = next((row for row in self.newest().rows if row.id == event and row.subject_id is not None), None)
        if row is None:
            raise GalleryError("there is no such event any more")
        self._office.note(AuditKind.SUBJECT, AuditOutcome.NOT_ME, None, row.subject_id, event=event)
        return self.newest(event)

    def _row(self, record: AuditRecord, outcome: AuditRecord | None) -> EventRow:
        decided = record.kind is AuditKind.DECISION
        granted = record.outcome == Outcome.GRANTED if decided else None
        reason = record.reason if decided or record.kind is AuditKind.FAULT else record.outcome
        result: str | None = None if outcome is None else outcome.outcome
        if record.outcome == AuditOutcome.SIGN_IN_FAILED:
            result = record.reason
        subject = None if record.subject_id is None else self._office.gallery.subject(record.subject_id)
        return EventRow(
            record.id or 0,
            record.wall_at,
            granted,
            str(reason or ""),
            None if result is None else str(result),
            None if subject is None else subject.name,
            record.subject_id,
        )
