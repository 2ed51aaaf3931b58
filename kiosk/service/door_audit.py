"""What the door tells goes into the audit log: acknowledged to the door once it is on disk there, and not before."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection

from kiosk.domain.door_events import DoorEvent, DoorEventKind
from kiosk.domain.errors import GalleryError
from kiosk.domain.ports import AuditTrail
from kiosk.domain.types import AuditRecord
from kiosk.service.door_events import DoorEventStream

SUBSCRIBER = "audit"
OUTCOMES = frozenset({DoorEventKind.ACCESS_TAKEN, DoorEventKind.ACCESS_NOT_TAKEN})
ORDER_SECONDS = 0.01
RETRY_SECONDS = 1.0
KEPT_IDS = 4000
"""Of events that may come again: twice what the door keeps."""


def record_of(event: DoorEvent) -> AuditRecord:
    """An event as a line of the log: one line, however often the door sends it. Whether a grant was taken is the last
    word on its outcome."""
    return AuditRecord(
        kind="outcome" if event.kind in OUTCOMES else "door",
        wall_at=event.wall_at,
        grant_id=event.grant_id,
        outcome=event.kind.value,
        reason=event.reason or None,
        detail={"event": event.id, "sequence": event.sequence, "door": event.door, "at": round(event.at, 3)},
        record_id=event.id,
    )


class DoorAuditor:
    """For a thread of its own. `known` are ids of events that the log holds already; `under_way` tells the grant whose
    first outcome the kiosk itself is about to record: what follows from it is recorded after that."""

    def __init__(
        self,
        stream: DoorEventStream,
        audit: AuditTrail,
        known: Collection[str],
        under_way: Callable[[], str | None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream = stream
        self._audit = audit
        self._known = deque(known, maxlen=KEPT_IDS)
        self._under_way = under_way
        self._sleep = sleep

    def turn(self, timeout: float) -> None:
        """Records the next event, if one comes within `timeout` seconds. Never raises: what could not be recorded is
        not acknowledged, and comes again."""
        event = self._stream.next(timeout)
        if event is None:
            return
        while event.grant_id is not None and event.grant_id == self._under_way():
            self._sleep(ORDER_SECONDS)
        if event.id not in self._known:
            try:
                self._audit.append([record_of(event)])
            except GalleryError:
                self._stream.close()
                self._sleep(RETRY_SECONDS)
                return
            self._known.append(event.id)
        self._stream.acknowledge(event)

    def close(self) -> None:
        """Hangs up."""
        self._stream.close()
