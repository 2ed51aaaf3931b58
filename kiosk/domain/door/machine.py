"""The door's state machine: when the lock may be released, and when it is secured again.

It has no clock and no I/O: `now` is passed in (CLOCK_BOOTTIME, seconds), and the hardware is the port `Lock`.
`kiosk-door` drives it; nothing else may hold a lock. The readings of contact, exit button and tamper switch go to
domain.door.passage. Only the leaf's movement comes back, and it can only secure the lock.

Priority, highest first: a lock that fails, lockdown, the command to secure, a lease that holds open, a grant.
"""

from __future__ import annotations

from kiosk.domain.door.events import DoorEventKind, DoorNews, DoorReason, SecuredBy
from kiosk.domain.door.freshness import Freshness
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Refusal, Span
from kiosk.domain.door.passage import Passage
from kiosk.domain.door.release import Release
from kiosk.domain.door.rules import DoorRules, Relock
from kiosk.domain.door.state import DoorFault, DoorMode, DoorState, DoorStatus, Leaf, Readings
from kiosk.domain.ports.lock import Lock

RETRY_SECONDS = 0.2
"""Interval at which a failed lock is told to secure again."""


class DoorMachine:
    """One lock and its release.

    Grants and a lease keep the lock released; domain.door.release bounds them. A release belongs to the client whose
    grant was accepted last, and ends at once when that client leaves. A lease also ends when its client leaves; a grant
    of another client during the lease does not take it over.

    A lock that raises puts the door in FAULT: it is told to secure again every RETRY_SECONDS, and nothing is released
    before that has worked.
    """

    def __init__(self, lock: Lock, started_at: float, rules: DoorRules, *, lockdown: bool = False) -> None:
        self._lock = lock
        self._started_at = started_at
        self._rules = rules
        self._lockdown = lockdown
        self._news: list[DoorNews] = []
        self._passage = Passage(rules.passage)
        self._state = DoorState.UNKNOWN
        self._release = Release(rules.max_release_seconds, rules.max_hold_seconds)
        self._retry_at: float | None = None
        self._fresh = Freshness(started_at)
        self._fault = ""

    @property
    def state(self) -> DoorState:
        """The lock's state; UNKNOWN until start()."""
        return self._state

    @property
    def fault(self) -> str:
        """The lock's last error message; empty if it never failed."""
        return self._fault

    @property
    def mode(self) -> DoorMode:
        """LOCKDOWN, HOLD_OPEN during a lease, or NORMAL."""
        if self._lockdown:
            return DoorMode.LOCKDOWN
        return DoorMode.HOLD_OPEN if self._release.leased else DoorMode.NORMAL

    @property
    def deadline(self) -> float | None:
        """When tick() must be called next; None if nothing is due."""
        return min((due for due in (self._due, self._passage.deadline) if due is not None), default=None)

    @property
    def _due(self) -> float | None:
        """When a grant or a lease runs out, or when a failed lock must be told to secure again."""
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
        """What has happened since the last call, in order."""
        news = self._news.copy()
        self._news.clear()
        return news

    def take_replies(self) -> list[DoorReply]:
        """Replies that grant() did not give at once. With a lock there are none."""
        return []

    def sounds(self, now: float) -> bool:
        """Whether the local sounder must sound now."""
        return self._passage.sounds(now)

    def start(self, now: float) -> None:
        """Secures the lock. From now on its state is known."""
        self._tell(DoorEventKind.STARTED, now, reason=SecuredBy.LOCKDOWN if self._lockdown else "")
        self._secure(now, SecuredBy.COMMAND)

    def tick(self, now: float) -> None:
        """Does what is due: secures the lock at the deadline, tries a failed lock again."""
        if self._due is not None and now >= self._due:
            self._release.expire(now)
            if self._release.until is None:
                self._secure(now, SecuredBy.TIME)
        self._news += self._passage.tick(now)

    def observe(self, readings: Readings | None, now: float) -> None:
        """Takes the inputs' levels; None if they could not be read. A movement of the leaf may end a release, but not a
        lease. The exit button begins and ends nothing here, because it opens the door in hardware."""
        self.tick(now)
        moved, news = self._passage.observe(readings, now)
        self._news += news
        if self._state is not DoorState.RELEASED or self._release.leased:
            return
        if moved is Leaf.OPEN and self._rules.relock is Relock.OPENING:
            self._secure(now, SecuredBy.OPENING)
        elif moved is Leaf.CLOSED and self._rules.relock is not Relock.TIME:
            self._secure(now, SecuredBy.CLOSING)

    def lost(self, error: Exception, now: float) -> None:
        """Handles a lock that reports that it is gone or not as it was set, in the same way as an error."""
        if self._state is not DoorState.FAULT:
            self._failed(error, now)
            self._secure(now, SecuredBy.FAULT)

    def secure(self, now: float, uid: int | None = None) -> None:
        """Secures at once, on a command of the user `uid`. A lease ends and cannot be renewed."""
        self._secure(now, SecuredBy.COMMAND, uid)

    def stop(self, now: float) -> None:
        """Secures the lock at the end of the process."""
        self._secure(now, SecuredBy.COMMAND)
        self._tell(DoorEventKind.STOPPED, now)

    def lockdown(self, on: bool, now: float, uid: int | None = None) -> None:
        """Begins or ends a lockdown, in which the lock is secured and no grant releases it. The way out stays open,
        because it works in hardware."""
        if on != self._lockdown:
            self._lockdown = on
            self._tell(DoorEventKind.LOCKDOWN if on else DoorEventKind.LOCKDOWN_ENDED, now, uid=uid)
        if on:
            self._secure(now, SecuredBy.LOCKDOWN)

    def client_gone(self, client: int, now: float) -> None:
        """Secures at once if `client` holds the release. In FAULT it always secures, because it is not known who held
        it."""
        if self._release.leave(client) or self._state is DoorState.FAULT:
            self._secure(now, SecuredBy.CLIENT_GONE)

    def grant(self, grant: Grant, client: int, now: float, uid: int | None = None) -> DoorReply:
        """Releases the lock for `client`, a connection of the user `uid`, or refuses with a reason (a Refusal)."""
        self.tick(now)
        refusal = self._fresh.refusal(grant, now, uid) or self._overruled(grant, client)
        if refusal is None and not self._act(grant, client, now, uid):
            refusal = Refusal.FAULT
        if refusal is not None:
            return DoorReply(grant.id, DoorResult.REFUSED, refusal)
        return DoorReply(grant.id, DoorResult.RELEASED, released_until=self._release.until)

    def _overruled(self, grant: Grant, client: int) -> Refusal | None:
        """The reason to refuse a good grant, from the door's state; None if there is none."""
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
        """Releases the lock on a good grant. False if that failed."""
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
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; then the lock is secured
            self._failed(error, now)
            self._secure(now, SecuredBy.FAULT)
            return False
        self._state = DoorState.RELEASED
        if grant.renews is None:
            self._tell(DoorEventKind.RELEASED, now, grant.id, grant.span, uid)
        extra = rules.extended_seconds - rules.release_seconds if grant.span is Span.EXTENDED else 0.0
        passing = None if held else grant.id
        self._news += self._passage.released(passing, now, holding=release.leased, extra=max(0.0, extra))
        return True

    def _secure(self, now: float, why: SecuredBy, uid: int | None = None) -> None:
        was = self._state
        self._release.end()
        try:
            self._lock.secure()
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; nothing is released until it works
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
        self._news += self._passage.secured(now)

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
