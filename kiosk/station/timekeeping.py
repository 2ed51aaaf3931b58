"""Whether the wall clock may be believed, for rights that begin and end.

A clock that was set back would revive a right that has ended, and a board without a clock of its own starts in the
past. What is known to have been is the floor: the newest time in the audit log, and from there on the seconds of
CLOCK_BOOTTIME, which nobody can set. A clock below it is behind; who has no validity is let in all the same.

The floor is kept in the log itself. A clock that once stood far ahead left records of a time that has not come;
`kiosk clock accept` adds a record after which the ones before it no longer count (storage.audit.Audit.floor).
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
"""Seconds that a clock may be behind: a leap second, what NTP takes back of a drift. Validities are of days."""
TURN_SECONDS = 0.5
ASK_SECONDS = 5.0
"""Pause between two questions whether the clock has been set."""

MESSAGES = {
    Reason.CLOCK_BEHIND: "the clock is behind the newest record of this gallery, or was set back while the kiosk ran: "
    "set it; if it is right, `kiosk clock accept` as root. Until then nobody with a validity is let in",
    Reason.CLOCK_UNSYNCHRONISED: "[clock] trust is ntp, and nobody has told this machine the time since it started: "
    "see to its network and time service. Until then nobody with a validity is let in",
}


def is_behind(now: datetime, floor: Floor) -> bool:
    """Whether a clock that reads `now` is behind, as far as the log tells."""
    return floor.at is not None and now < floor.at - timedelta(seconds=TOLERANCE)


class Timekeeper:
    """`trouble` may be asked from any thread; `turn` is for one."""

    def __init__(
        self,
        trust: str,
        read_floor: Callable[[], Floor],
        told: Callable[[], bool] = synchronised,
        boot: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`trust` is that of [clock]; `told` whether the clock has been set. Raises GalleryError when the floor cannot
        be read: nothing runs then."""
        self._read_floor = read_floor
        self._told = told
        self._boot = boot
        self._wall = wall
        self._set = trust == "rtc"
        self._ask_at = -math.inf
        self._reported: Reason | None = None
        floor = read_floor()
        self._accepted: int | None = floor.accepted
        """The last acceptance that was known when the clock came to be behind; None while it is not: one of before
        would let the clock go back to any time since."""
        self._least = self._distance_of(floor)
        self.turn()
        self._reported = None  # whoever starts it has not heard of it yet

    def trouble(self, evidence: Evidence) -> Reason | None:
        """Why the time of this evidence is not known; None where it is."""
        return self._judge(_distance(evidence.wall_at, evidence.captured_at))

    def turn(self) -> list[Update]:
        """Looks at both clocks; what has gone wrong or come right since the last turn. Never raises."""
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
            return  # what was known stays known
        if self._accepted is not None and floor.accepted != self._accepted:
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
    """One turn, and a pause: tells and records when the time is no longer known, and when it is again."""
    for event in keeper.turn():
        publish(event)
        if isinstance(event, Faulted):
            log.error("fault", reason=event.reason.value, message=event.message)
            with suppress(GalleryError):  # it has been told, and each decision that it refuses is recorded
                audit.append([AuditRecord(AuditKind.FAULT, datetime.now(UTC), reason=event.reason.value)])
        elif isinstance(event, Recovered):
            log.info("recovered", reason=event.reason.value)
    sleep(TURN_SECONDS)


def _distance(wall_at: datetime, at: float) -> float:
    """Seconds of the wall clock less those of CLOCK_BOOTTIME: it changes only when somebody sets the clock."""
    return wall_at.timestamp() - at
