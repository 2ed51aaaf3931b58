"""Decides whether the wall clock can be trusted, for rights that begin and end.

A clock that was set back would revive a right that has ended, and a board without a battery clock starts in the past.
The floor is the newest time that is known to have passed: the newest time in the audit log, plus the seconds of
CLOCK_BOOTTIME since then, which nobody can set. A clock below the floor is behind. Subjects without a validity are
still let in.

The floor is stored in the log itself. A clock that was once far ahead has left records with future times. `kiosk clock
accept` adds a record; times before that record no longer count (storage.audit.Audit.floor).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.decision import Evidence, Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.ports.gallery import AuditTrail
from kiosk.domain.updates import Faulted, Recovered, Update
from kiosk.storage.audit import Floor
from kiosk.system.clock import boottime
from kiosk.system.time_sync import synchronised

log = structlog.get_logger("kiosk")

TOLERANCE = 120.0
"""Seconds that a clock may be behind, for leap seconds and corrections by NTP. Validities last days."""
TURN_SECONDS = 0.5
ASK_SECONDS = 5.0
"""Pause between two checks whether the clock is synchronised."""

MESSAGES = {
    Reason.CLOCK_BEHIND: "the clock is behind the newest record of this gallery, or was set back while the kiosk ran: "
    "set it; if it is right, `kiosk clock accept` as root. Until then nobody with a validity is let in",
    Reason.CLOCK_UNSYNCHRONISED: "[clock] trust is ntp, and nobody has told this machine the time since it started: "
    "see to its network and time service. Until then nobody with a validity is let in",
}


def is_behind(now: datetime, floor: Floor) -> bool:
    """Whether a clock that shows `now` is behind, by the log."""
    return floor.at is not None and now < floor.at - timedelta(seconds=TOLERANCE)


class Timekeeper:
    """Watches the clock. Any thread may call `trouble`; only one thread may call `turn`."""

    def __init__(
        self,
        trust: str,
        read_floor: Callable[[], Floor],
        told: Callable[[], bool] = synchronised,
        boot: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`trust`: the setting of [clock]. `told`: whether the clock is synchronised. Raises GalleryError when the
        floor cannot be read; then nothing runs."""
        self._read_floor = read_floor
        self._told = told
        self._boot = boot
        self._wall = wall
        self._set = trust == "rtc"
        self._ask_at = -math.inf
        self._reported: Reason | None = None
        floor = read_floor()
        self._accepted: int | None = floor.accepted
        """Id of the last acceptance known when the clock fell behind; None while it is not behind. Only a later
        acceptance counts, because an earlier one would let the clock go back to any time since."""
        self._least = self._distance_of(floor)
        self.turn()
        self._reported = None  # the first turn() must report it, because nobody has seen it yet

    def trouble(self, evidence: Evidence) -> Reason | None:
        """Why the time of this evidence is not known; None if it is known."""
        return self._judge(_distance(evidence.wall_at, evidence.captured_at))

    def turn(self) -> list[Update]:
        """Compares both clocks. Returns what has gone wrong or come right since the last turn. Never raises."""
        distance = _distance(self._wall(), self._boot())
        if not self._set and self._boot() >= self._ask_at:
            self._ask_at = self._boot() + ASK_SECONDS
            self._set = self._told()
        if self._judge(distance) is Reason.CLOCK_BEHIND:
            self._hear_of_acceptance()
        else:
            self._accepted = None
            if self._set:
                self._least = max(self._least, distance)
        trouble, before = self._judge(distance), self._reported
        self._reported = trouble
        if trouble is before:
            return []
        gone: list[Update] = [] if before is None else [Recovered(before)]
        return gone if trouble is None else [*gone, Faulted(trouble, MESSAGES[trouble])]

    def _judge(self, distance: float) -> Reason | None:
        if distance < self._least - TOLERANCE:
            return Reason.CLOCK_BEHIND
        return None if self._set else Reason.CLOCK_UNSYNCHRONISED

    def _hear_of_acceptance(self) -> None:
        try:
            floor = self._read_floor()
        except GalleryError:
            return  # keeps the last known floor
        if self._accepted is not None and floor.accepted > self._accepted:
            self._least = self._distance_of(floor)
        self._accepted = floor.accepted

    def _distance_of(self, floor: Floor) -> float:
        return -math.inf if floor.at is None else _distance(floor.at, self._boot())


def keep_time(
    keeper: Timekeeper,
    audit: AuditTrail,
    publish: Callable[[Update], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """One turn, and a pause. Reports and records when the time is no longer known, and when it is known again."""
    for event in keeper.turn():
        publish(event)
        if isinstance(event, Faulted):
            log.error("fault", reason=event.reason.value, message=event.message)
            with suppress(GalleryError):  # it is reported, and each decision that it refuses is recorded
                audit.append([AuditRecord(AuditKind.FAULT, datetime.now(UTC), reason=event.reason)])
        elif isinstance(event, Recovered):
            log.info("recovered", reason=event.reason.value)
    sleep(TURN_SECONDS)


def _distance(wall_at: datetime, at: float) -> float:
    """Seconds of the wall clock minus those of CLOCK_BOOTTIME. It changes only when the wall clock is set."""
    return wall_at.timestamp() - at
