"""The door's state machine: when the lock may be released, and when it is secured again.

No clock and no I/O of its own: `now` is passed in (CLOCK_MONOTONIC, seconds), the hardware is the port `Lock`.
`kiosk-door` drives it; nothing else may hold a lock.
"""

from __future__ import annotations

import math
from enum import StrEnum

from kiosk.domain.ports import Lock
from kiosk.domain.types import DoorReply, DoorResult, DoorState, DoorStatus, Grant

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
    FAULT = "fault"


class DoorMachine:
    """One lock and its release.

    A release belongs to the client whose grant was accepted last: it ends at once when that client goes. A grant while
    the lock is released lengthens the release, to `max_release_seconds` after its beginning at most.

    A lock that raises puts the door in FAULT: it is told to secure again every RETRY_SECONDS, and nothing is released
    before that has worked.
    """

    def __init__(self, lock: Lock, started_at: float, release_seconds: float, max_release_seconds: float) -> None:
        self._lock = lock
        self._started_at = started_at
        self._release_seconds = release_seconds
        self._max_release_seconds = max_release_seconds
        self._state = DoorState.UNKNOWN
        self._holder: int | None = None
        self._released_at = 0.0
        self._released_until: float | None = None
        self._retry_at: float | None = None
        self._seen: dict[str, float] = {}
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
    def deadline(self) -> float | None:
        """When tick() must be called next; None when there is nothing to wait for."""
        return self._released_until if self._state is DoorState.RELEASED else self._retry_at

    def status(self) -> DoorStatus:
        """The state as clients see it."""
        return DoorStatus(self._state, self._lock.simulated, self._started_at, self._released_until)

    def start(self, now: float) -> None:
        """Secures the lock: from here on its state is known."""
        self._secure(now)

    def tick(self, now: float) -> None:
        """Does what is due: secures at the deadline, tries a failed lock again."""
        if self.deadline is not None and now >= self.deadline:
            self._secure(now)

    def secure(self, now: float) -> None:
        """Secures at once, whoever asks."""
        self._secure(now)

    def client_gone(self, client: int, now: float) -> None:
        """Secures at once when `client` holds the release, and in FAULT, where nobody knows any more who did."""
        if self._holder == client or self._state is DoorState.FAULT:
            self._secure(now)

    def grant(self, grant: Grant, client: int, now: float) -> DoorReply:
        """Releases the lock for `client`, or says why not (a Refusal)."""
        self.tick(now)
        refusal = self._unacceptable(grant, now) or self._used(grant, now)
        if refusal is None and not self._release(client, now):
            refusal = Refusal.FAULT
        if refusal is not None:
            return DoorReply(grant.id, DoorResult.REFUSED, refusal)
        return DoorReply(grant.id, DoorResult.RELEASED, released_until=self._released_until)

    def _unacceptable(self, grant: Grant, now: float) -> Refusal | None:
        """What is wrong with the grant itself. A comparison with NaN is false, so finite numbers come first."""
        if not (grant.id and math.isfinite(grant.captured_at) and math.isfinite(grant.deadline)):
            return Refusal.INVALID
        if grant.deadline < grant.captured_at:
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
        """Whether the id was seen before; remembers it. An id is spent even when the lock then fails."""
        if grant.id in self._seen:
            return Refusal.REPEATED
        if len(self._seen) >= REMEMBERED_GRANTS:
            oldest = next(iter(self._seen))
            if now <= self._seen[oldest]:
                return Refusal.TOO_MANY
            del self._seen[oldest]
        self._seen[grant.id] = grant.deadline
        return None

    def _release(self, client: int, now: float) -> bool:
        if self._state not in {DoorState.SECURED, DoorState.RELEASED}:
            return False
        begun = self._released_at if self._state is DoorState.RELEASED else now
        until = min(now + self._release_seconds, begun + self._max_release_seconds)
        try:
            self._lock.release(until - now)
        except Exception as error:  # noqa: BLE001 - a plug-in: whatever it raises, the lock is secured and nobody let in
            self._fault = str(error)
            self._secure(now)
            return False
        self._state, self._holder = DoorState.RELEASED, client
        self._released_at, self._released_until = begun, until
        return True

    def _secure(self, now: float) -> None:
        self._holder = self._released_until = None
        try:
            self._lock.secure()
        except Exception as error:  # noqa: BLE001 - a plug-in: whatever it raises, nothing is released until it works
            self._fault = str(error)
            self._state, self._retry_at = DoorState.FAULT, now + RETRY_SECONDS
        else:
            self._state, self._retry_at = DoorState.SECURED, None
