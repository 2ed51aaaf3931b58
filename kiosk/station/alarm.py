"""Tells in silence that somebody is forced: they have typed their duress PIN."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.updates import Duress
from kiosk.station.access import Access


class SilentAlarm:
    """A record of its own kind, which no list for staff shows, and an event for remote notifiers. For any thread. Call
    it last: until then nothing may differ from the other PIN."""

    def __init__(self, access: Access, publish: Callable[[Duress], None], wall: Callable[[], datetime]) -> None:
        """`publish`: of station.announcer, past window and console."""
        self._access = access
        self._publish = publish
        self._wall = wall

    def forced(self, subject_id: str | None, grant_id: str | None = None) -> None:
        """`grant_id`: of the decision that was made on the PIN; None for whoever signs in, and where
        no decision could be made."""
        told = Duress(self._wall(), subject_id, grant_id)
        self._access.note(AuditRecord(AuditKind.DURESS, told.wall_at, grant_id, subject_id))
        self._publish(told)
