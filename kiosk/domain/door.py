"""The door's state machine: when the lock may be released, and when it is secured again.

No clock and no I/O of its own: `now` is passed in (CLOCK_BOOTTIME, seconds), the hardware is the port `Lock`.
`kiosk-door` drives it; nothing else may hold a lock. What the contact, the exit button and the tamper switch tell goes
to domain.passage; of all that only the leaf's movement comes back, and it can only secure.

What wins, from the top: a lock that fails, lockdown, the command to secure, a lease that holds open, a grant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.domain.door_events import LOCK, DoorEventKind, DoorNews
from kiosk.domain.passage import Passage, PassageRules
from kiosk.domain.ports import Lock
from kiosk.domain.types import DoorMode, DoorReply, DoorResult, DoorState, DoorStatus, Grant, Leaf, Readings, Span

MAX_GRANT_SECONDS = 1.5
"""Longest time from the capture of a frame to the deadline of the grant that rests on it."""
FUTURE_TOLERANCE = 0.05
"""A frame may lie this far in the future: one clock for all, but drivers round their timestamps."""
RETRY_SECONDS = 0.2
"""How often a lock that failed is told to secure again."""
REMEMBERED_GRANTS = 1024
"""Ids that are kept. One is forgotten only when there are more and its deadline has passed."""

_ROUNDING = 1e-6


class Refusal(StrEnum):
    """Why the door did not act on a grant."""

    INVALID = "invalid"
    FROM_FUTURE = "from_future"
    DEADLINE_TOO_FAR = "deadline_too_far"
    BEFORE_START = "before_start"
    LATE = "late"
    REPEATED = "repeated"
    TOO_MANY = "too_many"
    LOCKDOWN = "lockdown"
    LAPSED = "lapsed"
    """The lease that it would renew has ended."""
    FAULT = "fault"
    PANEL_OWNS_LOCK = "panel_owns_lock"
    """Only a badge can be presented: nothing is extended, held open or released by hand from here."""
    PANEL_OFFLINE = "panel_offline"
    """There is no secure channel, or the panel has not asked before the deadline."""
    BUSY = "busy"
    """Another grant's badge waits for the panel to ask."""
    WITHDRAWN = "withdrawn"
    """The door was told to secure before the panel asked."""


class Relock(StrEnum):
    """What ends a release before its time."""

    TIME = "time"
    """Nothing: it always lasts its time."""
    OPENING = "opening"
    CLOSING = "closing"


class Why(StrEnum):
    """Why the lock was secured."""

    TIME = "time"
    OPENING = "opening"
    CLOSING = "closing"
    COMMAND = "command"
    CLIENT_GONE = "client_gone"
    LOCKDOWN = "lockdown"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class DoorRules:
    """Seconds. `max_release_seconds` bounds what several grants add up to, from the beginning of their release."""

    release_seconds: float = 5.0
    extended_seconds: float = 15.0
    max_release_seconds: float = 60.0
    lease_seconds: float = 30.0
    relock: Relock = Relock.CLOSING
    passage: PassageRules = field(default_factory=PassageRules)


class Freshness:
    """Which grants are good in themselves: fresh, single and bounded (rule 2), whatever is then done on them."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._seen: dict[str, float] = {}

    def refusal(self, grant: Grant, now: float) -> Refusal | None:
        """What is wrong with a grant; None when nothing is, and its id is spent then."""
        return self._unacceptable(grant, now) or self._used(grant, now)

    def _unacceptable(self, grant: Grant, now: float) -> Refusal | None:
        """What is wrong with the grant itself. A comparison with NaN is false, so finite numbers come first."""
        if not (grant.id and math.isfinite(grant.captured_at) and math.isfinite(grant.deadline)):
            return Refusal.INVALID
        if grant.deadline < grant.captured_at or (grant.renews is not None and grant.span is not Span.HOLD_OPEN):
            return Refusal.INVALID
        if grant.captured_at > now + FUTURE_TOLERANCE:
            return Refusal.FROM_FUTURE
        if grant.deadline - grant.captured_at > MAX_GRANT_SECONDS + _ROUNDING:
            return Refusal.DEADLINE_TOO_FAR
        if grant.captured_at < self._started_at:
            return Refusal.BEFORE_START
        if now > grant.deadline:
            return Refusal.LATE
        return None

    def _used(self, grant: Grant, now: float) -> Refusal | None:
        """Whether the id was seen before; remembers it. An id is spent even when the door then fails."""
        if grant.id in self._seen:
            return Refusal.REPEATED
        if len(self._seen) >= REMEMBERED_GRANTS:
            oldest = next(iter(self._seen))
            if now <= self._seen[oldest]:
                return Refusal.TOO_MANY
            del self._seen[oldest]
        self._seen[grant.id] = grant.deadline
        return None


class DoorMachine:
    """One lock and its release.

    A release belongs to the client whose grant was accepted last: it ends at once when that client goes. A grant while
    the lock is released lengthens the release, to `max_release_seconds` after its beginning at most. A lease holds the
    lock released until `lease_seconds` after it was last renewed; a grant meanwhile does not take it over.

    A lock that raises puts the door in FAULT: it is told to secure again every RETRY_SECONDS, and nothing is released
    before that has worked.
    """

    def __init__(self, lock: Lock, started_at: float, rules: DoorRules, *, lockdown: bool = False) -> None:
        self._lock = lock
        self._started_at = started_at
        self._rules = rules
        self._lockdown = lockdown
        self._news: list[DoorNews] = []
        self._passage = Passage(rules.passage, self._news)
        self._state = DoorState.UNKNOWN
        self._holder: int | None = None
        self._lease: str | None = None
        self._released_at = 0.0
        self._released_until: float | None = None
        self._retry_at: float | None = None
        self._fresh = Freshness(started_at)
        self._fault = ""

    @property
    def state(self) -> DoorState:
        """UNKNOWN until start()."""
        return self._state

    @property
    def fault(self) -> str:
        """What the lock said when it last failed; empty when it never did."""
        return self._fault

    @property
    def mode(self) -> DoorMode:
        """Lockdown, or a lease, or neither."""
        if self._lockdown:
            return DoorMode.LOCKDOWN
        return DoorMode.NORMAL if self._lease is None else DoorMode.HOLD_OPEN

    @property
    def deadline(self) -> float | None:
        """When tick() must be called next; None when there is nothing to wait for."""
        return min((due for due in (self._due, self._passage.deadline) if due is not None), default=None)

    @property
    def _due(self) -> float | None:
        """When the lock must be told to secure."""
        return self._released_until if self._state is DoorState.RELEASED else self._retry_at

    def status(self) -> DoorStatus:
        """The state as clients see it."""
        faults = (LOCK,) if self._state is DoorState.FAULT else ()
        return DoorStatus(
            self._state,
            self._lock.simulated,
            self._started_at,
            self._released_until,
            self.mode,
            self._passage.leaf,
            self._passage.alarm,
            self._passage.tamper,
            faults + tuple(fault.value for fault in self._passage.faults),
        )

    def take_news(self) -> list[DoorNews]:
        """What has happened since this was last called, in order."""
        news = self._news.copy()
        self._news.clear()
        return news

    def take_replies(self) -> list[DoorReply]:
        """Answers to grants that grant() did not give at once: a lock owes none."""
        return []

    def sounds(self, now: float) -> bool:
        """Whether the local sounder is to be heard now."""
        return self._passage.sounds(now)

    def start(self, now: float) -> None:
        """Secures the lock: from here on its state is known."""
        self._tell(DoorEventKind.STARTED, now, reason=self.mode if self._lockdown else "")
        self._secure(now, Why.COMMAND)

    def tick(self, now: float) -> None:
        """Does what is due: secures at the deadline, tries a failed lock again."""
        if self._due is not None and now >= self._due:
            self._secure(now, Why.TIME)
        self._passage.tick(now)

    def observe(self, readings: Readings | None, now: float) -> None:
        """Takes the inputs' levels; None when they could not be read. The leaf's movement may end a release, not a
        lease. The exit button ends nothing and begins nothing: it releases in hardware."""
        self.tick(now)
        moved = self._passage.observe(readings, now)
        if self._state is not DoorState.RELEASED or self._lease is not None:
            return
        if moved is Leaf.OPEN and self._rules.relock is Relock.OPENING:
            self._secure(now, Why.OPENING)
        elif moved is Leaf.CLOSED and self._rules.relock is not Relock.TIME:
            self._secure(now, Why.CLOSING)

    def lost(self, error: Exception, now: float) -> None:
        """The lock has said by itself that it is gone or not as it was set: as when it raises."""
        if self._state is not DoorState.FAULT:
            self._failed(error, now)
            self._secure(now, Why.FAULT)

    def secure(self, now: float) -> None:
        """Secures at once, whoever asks. A lease ends, and what would renew it is refused."""
        self._secure(now, Why.COMMAND)

    def stop(self, now: float) -> None:
        """The last word: the lock is secured, and this process will no longer look after it."""
        self._secure(now, Why.COMMAND)
        self._tell(DoorEventKind.STOPPED, now)

    def lockdown(self, on: bool, now: float) -> None:
        """In lockdown the lock is secured and no grant releases it. The way out stays open: it is hardware's."""
        if on != self._lockdown:
            self._lockdown = on
            self._tell(DoorEventKind.LOCKDOWN if on else DoorEventKind.LOCKDOWN_ENDED, now)
        if on:
            self._secure(now, Why.LOCKDOWN)

    def client_gone(self, client: int, now: float) -> None:
        """Secures at once when `client` holds the release, and in FAULT, where nobody knows any more who did."""
        if self._holder == client or self._state is DoorState.FAULT:
            self._secure(now, Why.CLIENT_GONE)

    def grant(self, grant: Grant, client: int, now: float) -> DoorReply:
        """Releases the lock for `client`, or says why not (a Refusal)."""
        self.tick(now)
        refusal = self._fresh.refusal(grant, now) or self._overruled(grant)
        if refusal is None and not self._release(grant, client, now):
            refusal = Refusal.FAULT
        if refusal is not None:
            return DoorReply(grant.id, DoorResult.REFUSED, refusal)
        return DoorReply(grant.id, DoorResult.RELEASED, released_until=self._released_until)

    def _overruled(self, grant: Grant) -> Refusal | None:
        """What is stronger than a good grant."""
        if self._lockdown:
            return Refusal.LOCKDOWN
        if grant.renews is not None and grant.renews != self._lease:
            return Refusal.LAPSED
        return None

    def _release(self, grant: Grant, client: int, now: float) -> bool:
        if self._state not in {DoorState.SECURED, DoorState.RELEASED}:
            return False
        begun, until = self._bounds(grant, now)
        try:
            self._lock.release(until - now)
        except Exception as error:  # noqa: BLE001 - a plug-in: whatever it raises, the lock is secured and nobody let in
            self._failed(error, now)
            self._secure(now, Why.FAULT)
            return False
        if grant.span is Span.HOLD_OPEN:
            self._lease = grant.renews or grant.id
        if grant.span is Span.HOLD_OPEN or self._lease is None:
            self._holder = client
        self._state, self._released_at, self._released_until = DoorState.RELEASED, begun, until
        if grant.renews is None:
            self._tell(DoorEventKind.RELEASED, now, grant.id, grant.span)
        passing = grant.id if grant.span is not Span.HOLD_OPEN else None
        extra = self._rules.extended_seconds - self._rules.release_seconds if grant.span is Span.EXTENDED else 0.0
        self._passage.released(passing, now, holding=self._lease is not None, extra=max(0.0, extra))
        return True

    def _bounds(self, grant: Grant, now: float) -> tuple[float, float]:
        """When the release counts as begun and when it ends. A lease begins anew with each renewal; nothing shortens
        what was granted before."""
        rules = self._rules
        if grant.span is Span.HOLD_OPEN:
            return now, now + rules.lease_seconds
        seconds = rules.extended_seconds if grant.span is Span.EXTENDED else rules.release_seconds
        begun = self._released_at if self._state is DoorState.RELEASED else now
        until = min(now + seconds, begun + rules.max_release_seconds)
        return begun, max(until, self._released_until or until)

    def _secure(self, now: float, why: Why) -> None:
        was = self._state
        self._holder = self._lease = self._released_until = None
        try:
            self._lock.secure()
        except Exception as error:  # noqa: BLE001 - a plug-in: whatever it raises, nothing is released until it works
            self._failed(error, now)
            self._retry_at = now + RETRY_SECONDS
        else:
            self._state, self._retry_at = DoorState.SECURED, None
            if was is DoorState.FAULT:
                self._tell(DoorEventKind.FAULT_ENDED, now, reason=LOCK)
            if was in {DoorState.RELEASED, DoorState.FAULT}:
                self._tell(DoorEventKind.SECURED, now, reason=Why.FAULT if was is DoorState.FAULT else why)
        self._passage.secured(now)

    def _failed(self, error: Exception, now: float) -> None:
        self._fault = str(error)
        if self._state is not DoorState.FAULT:
            self._state = DoorState.FAULT
            self._tell(DoorEventKind.FAULT, now, reason=LOCK)

    def _tell(self, kind: DoorEventKind, now: float, grant_id: str | None = None, reason: str = "") -> None:
        self._news.append(DoorNews(kind, now, grant_id, str(reason)))
