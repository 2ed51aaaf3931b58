"""Writes the door's events into the audit log, and acknowledges each only once it is on disk.

It raises an alarm for a release on a grant that the log does not explain by a decision or a command by hand, because
both are on disk before the door is asked.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection

from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.errors import GalleryError
from kiosk.domain.notices import UNEXPLAINED
from kiosk.domain.ports.gallery import AuditTrail
from kiosk.domain.updates import DoorLeftOpen, Unexplained
from kiosk.ipc.door_event_messages import DoorEventStream
from kiosk.system.clock import boottime
from kiosk.system.systemd import log

SUBSCRIBER = "audit"
RELEASES = frozenset({DoorEventKind.RELEASED, DoorEventKind.PRESENTED})
OUTCOMES = frozenset({DoorEventKind.ACCESS_TAKEN, DoorEventKind.ACCESS_NOT_TAKEN})
LEFT_OPEN = {
    DoorEventKind.HELD_OPEN_SOON: True,
    DoorEventKind.HELD_OPEN: True,
    DoorEventKind.FORCED_OPEN: True,
    DoorEventKind.RELEASED: False,
    DoorEventKind.REX_PRESSED: False,
    DoorEventKind.CLOSED: False,
    DoorEventKind.ALARM_ENDED: False,
    DoorEventKind.STARTED: False,
}
"""Whether the leaf should be closed and is not, after each of these events."""
ORDER_SECONDS = 0.01
RETRY_SECONDS = 1.0
FORESEEN_SECONDS = 1.0
"""How long to look for the record that explains a release."""
KEPT_IDS = 4000
"""Number of ids kept of events that may come again: twice the number that the door keeps."""


def record_of(event: DoorEvent) -> AuditRecord:
    """An event as one line of the log, however often the door sends it. Whether the grant was used to open the door is
    the final part of its outcome."""
    return AuditRecord(
        kind=AuditKind.OUTCOME if event.kind in OUTCOMES else AuditKind.DOOR,
        wall_at=event.wall_at,
        grant_id=event.grant_id,
        outcome=event.kind,
        reason=event.reason or None,
        detail={
            "event": event.id,
            "sequence": event.sequence,
            "door": event.door,
            "at": round(event.at, 3),
            **({} if event.uid is None else {"uid": event.uid}),
        },
        record_id=event.id,
    )


def alarm_of(event: DoorEvent) -> AuditRecord:
    """The record of a release that the log does not explain."""
    return AuditRecord(
        kind=AuditKind.FAULT,
        wall_at=event.wall_at,
        grant_id=event.grant_id,
        reason=AuditReason.UNEXPLAINED,
        detail={"uid": event.uid, "sequence_of_release": event.sequence},
        record_id=f"{event.id}.{UNEXPLAINED}",
    )


class DoorAuditor:
    """Runs in its own thread. `known`: ids of events that are already in the log. `under_way`: returns the grant whose
    first outcome the kiosk is about to record; the door's events about it are recorded after that. `foreseen`: whether
    the log explains a grant (raises GalleryError). `publish`: takes releases that it does not explain, and whether the
    door was left open."""

    def __init__(
        self,
        stream: DoorEventStream,
        audit: AuditTrail,
        known: Collection[str],
        under_way: Callable[[], str | None],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = boottime,
        foreseen: Callable[[str], bool] = lambda _: True,
        publish: Callable[[Unexplained | DoorLeftOpen], None] = lambda _: None,
    ) -> None:
        self._stream = stream
        self._audit = audit
        self._known = deque(known, maxlen=KEPT_IDS)
        self._under_way = under_way
        self._sleep = sleep
        self._clock = clock
        self._foreseen = foreseen
        self._publish = publish
        self._left_open = False

    def turn(self, timeout: float) -> None:
        """Records the next event, if one comes within `timeout` seconds. Never raises: an event that could not be
        recorded is not acknowledged, and comes again."""
        event = self._stream.next(timeout)
        if event is None:
            return
        while event.grant_id is not None and event.grant_id == self._under_way():
            self._sleep(ORDER_SECONDS)
        if event.id not in self._known:
            try:
                unexplained = self._unexplained(event)
                self._audit.append([record_of(event), *([alarm_of(event)] if unexplained else [])])
            except GalleryError:
                self._stream.close()
                self._sleep(RETRY_SECONDS)
                return
            self._known.append(event.id)
            self._look_at_leaf(event.kind)
            if unexplained:
                log("error", UNEXPLAINED, grant=event.grant_id, uid=event.uid)
                self._publish(Unexplained(str(event.grant_id), event.uid))
        self._stream.acknowledge(event)

    def _look_at_leaf(self, kind: DoorEventKind) -> None:
        """Tells when the door is left open, and when that is over."""
        left_open = LEFT_OPEN.get(kind, self._left_open)
        if left_open is not self._left_open:
            self._left_open = left_open
            self._publish(DoorLeftOpen(left_open))

    def _unexplained(self, event: DoorEvent) -> bool:
        if event.kind not in RELEASES or event.grant_id is None:
            return False
        # The wait counts from the release, not from its event, so that many such events do not delay those behind them.
        until = min(event.at, self._clock()) + FORESEEN_SECONDS
        while not self._foreseen(event.grant_id):
            if self._clock() >= until:
                return True
            self._sleep(ORDER_SECONDS)
        return False

    def close(self) -> None:
        """Closes the connection to the door."""
        self._stream.close()
