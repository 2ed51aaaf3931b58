"""Turns face alone off for an hour after too many refusals, also across restarts ([policy] refusals_an_hour).

It is stored only in the audit log. Each decision is on disk before anything follows from it, with its time on
CLOCK_BOOTTIME and the name of that start of the machine. The wall clock is not used, so setting it changes nothing.
After a restart of the machine CLOCK_BOOTTIME begins at 0, and it is not known how long the machine was off. So the last
decision before the restart counts as made at the start: the hour begins again there, and this is reported.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from threading import Lock

import structlog

from kiosk.config import Config
from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.decision import Outcome, Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.ports.gallery import AuditTrail
from kiosk.domain.refusals import HOUR, FaceAlone, counts
from kiosk.domain.updates import Faulted, Recovered, Update
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.system.clock import boot_name, boottime

log = structlog.get_logger("kiosk")

TURN_SECONDS = 0.5
KINDS = (AuditKind.DECISION, AuditKind.ATTEMPTS)
"""The kinds of records that it reads."""


def remembered(records: Iterable[AuditRecord], most: int, boot: str, now: float) -> list[float]:
    """The times of the last refusals of people, at most `most`, in ascending order, on CLOCK_BOOTTIME of this start of
    the machine. `records` are of KINDS, newest first. `boot` is the name of this start, `now` the present time.

    The last decision of an earlier start gets the time 0, and those before it earlier times. Refusals before a reset do
    not count. Records that are too old to matter are not read.
    """
    times: list[float] = []
    zero = 0.0
    for record in records:
        if record.kind is AuditKind.ATTEMPTS and record.reason == AuditReason.RESET:
            break
        at, of = record.detail.get("captured_at"), record.detail.get("boot")
        if record.kind is not AuditKind.DECISION or not isinstance(at, int | float):
            continue
        if not isinstance(of, str):
            break  # of a version before this limit: neither it nor what is older can be placed in time
        if of != boot:
            zero, boot = zero - at, of
        if zero + at < now - 2 * HOUR:
            break
        if record.outcome == Outcome.REFUSED and _counts(record):
            times.append(min(zero + at, now))
        if len(times) == most:
            break
    return sorted(times)


def _counts(record: AuditRecord) -> bool:
    reason = next((known for known in Reason if known == record.reason), None)
    return reason is not None and counts(reason, record.detail.get("score") is not None)


def read_limit(limit: int, audit: Audit, boot: str | None = None, now: float | None = None) -> FaceAlone:
    """The limit's present state, from the log. Raises GalleryError."""
    at = boottime() if now is None else now
    return FaceAlone(limit, remembered(audit.newest_first(KINDS), limit, boot or boot_name(), at))


def message(limit: int, seconds: float) -> str:
    """The message for staff."""
    return (
        f"face alone is off: {limit} people were refused within an hour ([policy] refusals_an_hour). It is on again "
        f"in {math.ceil(seconds / 60)} minutes (a restart of the machine begins the hour anew), or with "
        "`kiosk attempts reset`"
    )


class RefusalLimit:
    """Implements FaceLimit for the pipeline's thread. Another thread calls `turn`."""

    def __init__(
        self, limit: int, audit: Audit, boot: str | None = None, clock: Callable[[], float] = boottime
    ) -> None:
        """`audit` needs its own connection, for the thread that calls `turn`. Raises GalleryError when the log cannot
        be read; then nothing runs."""
        self._limit = limit
        self._audit = audit
        self._clock = clock
        self._guard = Lock()
        self._told = False
        self._seen = audit.last_id()
        self._alone = read_limit(limit, audit, boot, clock())

    def refused(self, reason: Reason, at: float, compared: bool = False) -> None:
        """Takes a refusal."""
        with self._guard:
            self._alone.refused(reason, at, compared)

    def off(self, at: float) -> bool:
        """Whether no face is compared, and none is let in."""
        with self._guard:
            return self._alone.off(at)

    def turn(self) -> list[Update]:
        """Checks for a reset, and returns what has changed since the last turn. Never raises."""
        reset = self._was_reset()
        with self._guard:
            if reset:
                self._alone.reset()
            seconds = self._alone.seconds_off(self._clock())
        off = seconds > 0
        if off is self._told:
            return []
        self._told = off
        return [Faulted(Reason.FACE_OFF, message(self._limit, seconds)) if off else Recovered(Reason.FACE_OFF)]

    def _was_reset(self) -> bool:
        try:
            self._seen, reset = self._audit.reset_since(self._seen)
        except GalleryError:
            return False  # the refusals still count
        return reset


def keep_limit(
    limit: RefusalLimit,
    audit: AuditTrail,
    publish: Callable[[Update], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """One turn, and a pause. Records and reports when face alone is turned off, and when it is on again."""
    for event in limit.turn():
        reason = AuditReason.FACE_OFF if isinstance(event, Faulted) else AuditReason.FACE_ON
        with suppress(GalleryError):  # it is reported anyway, and the refusals behind it are on disk
            audit.append([AuditRecord(AuditKind.ATTEMPTS, datetime.now(UTC), reason=reason)])
        publish(event)
        if isinstance(event, Faulted):
            log.warning("fault", reason=event.reason.value, message=event.message)
        else:
            log.info("recovered", reason=Reason.FACE_OFF.value)
    sleep(TURN_SECONDS)


@contextmanager
def refusal_limit(config: Config, home: Home) -> Iterator[RefusalLimit | None]:
    """The limit that turns face alone off; None if none is configured. Raises GalleryError."""
    number = config.policy.refusals_an_hour
    if number is None:
        yield None
        return
    with closing(Audit(open_database(home.database, check=False))) as audit:
        yield RefusalLimit(number, audit)
