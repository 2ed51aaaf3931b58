"""The door's state machine: when the lock may be released, and when it is secured again.

No clock and no I/O of its own: `now` is passed in (CLOCK_BOOTTIME, seconds), the hardware is the port `Lock`.
`kiosk-door` drives it; nothing else may hold a lock. What the contact, the exit button and the tamper switch tell goes
to domain.door.passage; of all that only the leaf's movement comes back, and it can only secure.

What wins, from the top: a lock that fails, lockdown, the command to secure, a lease that holds open, a grant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.domain.door.events import DoorEventKind, DoorNews, DoorReason, SecuredBy
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.door.passage import Passage, PassageRules
from kiosk.domain.door.release import Release
from kiosk.domain.door.state import DoorFault, DoorMode, DoorState, DoorStatus, Leaf, Readings
from kiosk.domain.ports.lock import Lock

MAX_GRANT_SECONDS = 1.5
"""Longest time from the capture of a frame to the deadline of the grant that rests on it."""
FUTURE_TOLERANCE = 0.05
"""A frame may lie this far in the future: one clock for all, but drivers round their timestamps."""
RETRY_SECONDS = 0.2
"""How often a lock that failed is told to secure again."""
REMEMBERED_GRANTS = 1024
"""Ids that are kept of each user. One is forgotten only when there are more and its deadline has passed."""

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
    """The lease that it would renew has ended, or is another connection's."""
    HELD_OPEN = "held_open"
    """A lease is held already: there is one at a time."""
    HELD_OUT = "held_out"
    """The lease has lasted as long as one may."""
    NOT_ALLOWED = "not_allowed"
    """Whoever asks may not: kiosk-door knows it by the user (domain.door.roles)."""
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


@dataclass(frozen=True, slots=True)
class DoorRules:
    """Seconds. `max_release_seconds` bounds what several grants add up to, from the first of them; a lease lasts
    `lease_seconds` from its last renewal, and `max_hold_seconds` from its beginning at most."""

    release_seconds: float = 5.0
    extended_seconds: float = 15.0
    max_release_seconds: float = 60.0
    lease_seconds: float = 30.0
    relock: Relock = Relock.CLOSING
    passage: PassageRules = field(default_factory=PassageRules)
    max_hold_seconds: float = 3600.0


class Freshness:
    """Which grants are good in themselves: fresh, single and bounded (rule 2), whatever is then done on them."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._seen: dict[int | None, dict[str, float]] = {}

    def refusal(self, grant: Grant, now: float, uid: int | None = None) -> Refusal | None:
        """What is wrong with a grant of the user `uid`; None when nothing is, and its id is spent then."""
        return self._unacceptable(grant, now) or self._used(grant, now, uid)

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

    def _used(self, grant: Grant, now: float, uid: int | None) -> Refusal | None:
        """Whether the id was seen before, from whomever; remembers it. An id is spent even when the door then fails.
        Each user has room of its own: one that sends too many keeps no other out."""
        if any(grant.id in ids for ids in self._seen.values()):
            return Refusal.REPEATED
        ids = self._seen.setdefault(uid, {})
        if len(ids) >= REMEMBERED_GRANTS:
            oldest = next(iter(ids))
            if now <= ids[oldest]:
                return Refusal.TOO_MANY
            del ids[oldest]
        ids[grant.id] = grant.deadline
        return None


class DoorMachine:
    """One lock and its release.

    What keeps the lock released, and for how long at most, is domain.door.release's: grants, and a lease. A release
    belongs to the client whose grant was accepted last: it ends at once when that client goes. So does a lease; a
    grant meanwhile does not take it over.

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
        self._release = Release(rules.max_release_seconds, rules.max_hold_seconds)
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
        return DoorMode.HOLD_OPEN if self._release.leased else DoorMode.NORMAL

    @property
    def deadline(self) -> float | None:
        """When tick() must be called next; None when there is nothing to wait for."""
        return min((due for due in (self._due, self._passage.deadline) if due is not None), default=None)

    @property
    def _due(self) -> float | None:
        """When something that keeps the lock released runs out, or a failed lock must be told to secure again."""
        return self._release.next if self._state is DoorState.RELEASED else self._retry_at

    def status(self) -> DoorStatus:
        """The state as clients see it."""
        faults = (DoorFault.LOCK,) if self._state is DoorState.FAULT else ()
        return DoorStatus(
            self._state,
            self._lock.simulated,
            self._started_at,
            self._release.until,
            self.mode,
            self._passage.leaf,
            self._passage.alarm,
            self._passage.tamper,
            faults + self._passage.faults,
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
        self._tell(DoorEventKind.STARTED, now, reason=SecuredBy.LOCKDOWN if self._lockdown else "")
        self._secure(now, SecuredBy.COMMAND)

    def tick(self, now: float) -> None:
        """Does what is due: secures at the deadline, tries a failed lock again."""
        if self._due is not None and now >= self._due:
            self._release.expire(now)
            if self._release.until is None:
                self._secure(now, SecuredBy.TIME)
        self._passage.tick(now)

    def observe(self, readings: Readings | None, now: float) -> None:
        """Takes the inputs' levels; None when they could not be read. The leaf's movement may end a release, not a
        lease. The exit button ends nothing and begins nothing: it releases in hardware."""
        self.tick(now)
        moved = self._passage.observe(readings, now)
        if self._state is not DoorState.RELEASED or self._release.leased:
            return
        if moved is Leaf.OPEN and self._rules.relock is Relock.OPENING:
            self._secure(now, SecuredBy.OPENING)
        elif moved is Leaf.CLOSED and self._rules.relock is not Relock.TIME:
            self._secure(now, SecuredBy.CLOSING)

    def lost(self, error: Exception, now: float) -> None:
        """The lock has said by itself that it is gone or not as it was set: as when it raises."""
        if self._state is not DoorState.FAULT:
            self._failed(error, now)
            self._secure(now, SecuredBy.FAULT)

    def secure(self, now: float, uid: int | None = None) -> None:
        """Secures at once, for the user `uid`. A lease ends, and what would renew it is refused."""
        self._secure(now, SecuredBy.COMMAND, uid)

    def stop(self, now: float) -> None:
        """The last word: the lock is secured, and this process will no longer look after it."""
        self._secure(now, SecuredBy.COMMAND)
        self._tell(DoorEventKind.STOPPED, now)

    def lockdown(self, on: bool, now: float, uid: int | None = None) -> None:
        """In lockdown the lock is secured and no grant releases it. The way out stays open: it is hardware's."""
        if on != self._lockdown:
            self._lockdown = on
            self._tell(DoorEventKind.LOCKDOWN if on else DoorEventKind.LOCKDOWN_ENDED, now, uid=uid)
        if on:
            self._secure(now, SecuredBy.LOCKDOWN)

    def client_gone(self, client: int, now: float) -> None:
        """Secures at once when `client` holds the release, and in FAULT, where nobody knows any more who did."""
        if self._release.leave(client) or self._state is DoorState.FAULT:
            self._secure(now, SecuredBy.CLIENT_GONE)

    def grant(self, grant: Grant, client: int, now: float, uid: int | None = None) -> DoorReply:
        """Releases the lock for `client`, a connection of the user `uid`, or says why not (a Refusal)."""
        self.tick(now)
        refusal = self._fresh.refusal(grant, now, uid) or self._overruled(grant, client)
        if refusal is None and not self._act(grant, client, now, uid):
            refusal = Refusal.FAULT
        if refusal is not None:
            return DoorReply(grant.id, DoorResult.REFUSED, refusal)
        return DoorReply(grant.id, DoorResult.RELEASED, released_until=self._release.until)

    def _overruled(self, grant: Grant, client: int) -> Refusal | None:
        """What is stronger than a good grant."""
        if self._lockdown:
            return Refusal.LOCKDOWN
        if grant.renews is not None:
            if not self._release.renewable(grant.renews, client):
                return Refusal.LAPSED
            return Refusal.HELD_OUT if self._release.held_out else None
        if grant.span is Span.HOLD_OPEN and self._release.leased:
            return Refusal.HELD_OPEN
        return None

    def _act(self, grant: Grant, client: int, now: float, uid: int | None) -> bool:
        """Whether the lock was released on a good grant."""
        if self._state not in {DoorState.SECURED, DoorState.RELEASED}:
            return False
        rules, release = self._rules, self._release
        held = grant.span is Span.HOLD_OPEN
        if held:
            release.hold(grant.renews or grant.id, client, rules.lease_seconds, now)
        else:
            seconds = rules.extended_seconds if grant.span is Span.EXTENDED else rules.release_seconds
            release.grant(client, seconds, now)
        assert release.until is not None
        try:
            self._lock.release(release.until - now)
        except Exception as error:  # noqa: BLE001 - a plug-in: whatever it raises, the lock is secured and nobody let in
            self._failed(error, now)
            self._secure(now, SecuredBy.FAULT)
            return False
        self._state = DoorState.RELEASED
        if grant.renews is None:
            self._tell(DoorEventKind.RELEASED, now, grant.id, grant.span, uid)
        extra = rules.extended_seconds - rules.release_seconds if grant.span is Span.EXTENDED else 0.0
        passing = None if held else grant.id
        self._passage.released(passing, now, holding=release.leased, extra=max(0.0, extra))
        return True

    def _secure(self, now: float, why: SecuredBy, uid: int | None = None) -> None:
        was = self._state
        self._release.end()
        try:
            self._lock.secure()
        except Exception as error:  # noqa: BLE001 - a plug-in: whatever it raises, nothing is released until it works
            self._failed(error, now)
            self._retry_at = now + RETRY_SECONDS
        else:
            self._state, self._retry_at = DoorState.SECURED, None
            if was is DoorState.FAULT:
                self._tell(DoorEventKind.FAULT_ENDED, now, reason=DoorFault.LOCK)
            if was in {DoorState.RELEASED, DoorState.FAULT}:
                self._tell(
                    DoorEventKind.SECURED, now, reason=SecuredBy.FAULT if was is DoorState.FAULT else why, uid=uid
                )
        self._passage.secured(now)

    def _failed(self, error: Exception, now: float) -> None:
        self._fault = str(error)
        if self._state is not DoorState.FAULT:
            self._state = DoorState.FAULT
            self._tell(DoorEventKind.FAULT, now, reason=DoorFault.LOCK)

    def _tell(
        self,
        kind: DoorEventKind,
        now: float,
        grant_id: str | None = None,
        reason: DoorReason = "",
        uid: int | None = None,
    ) -> None:
        self._news.append(DoorNews(kind, now, grant_id, reason, uid))
