"""Tracks who keeps the lock released, and until when: grants and a lease, each with its own bound.

It has no clock and no I/O: `now` is passed in (seconds, the clock of grants). Nothing here moves the lock.

All grants together last at most `most_granted` seconds from the first of them, whoever sends them. So neither many
clients nor many grants keep the door released longer. A lease (an operator holds the door open) belongs to the
connection that began it. There is one at a time. It ends when it is not renewed, and at the latest `most_held` seconds
after it began. Grants during a lease count from its last renewal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Granted:
    client: int
    since: float
    """The time from which `most_granted` counts."""
    until: float


@dataclass(slots=True)
class _Held:
    id: str
    """Id of the grant that began the lease."""
    client: int
    begun: float
    renewed: float
    until: float


class Release:
    """What keeps one lock released. Call `expire` before you ask anything else."""

    def __init__(self, most_granted: float, most_held: float) -> None:
        self._most_granted = most_granted
        self._most_held = most_held
        self._granted: _Granted | None = None
        self._held: _Held | None = None

    @property
    def until(self) -> float | None:
        """When the lock must be secured; None if nothing keeps it released."""
        return max((part.until for part in (self._granted, self._held) if part is not None), default=None)

    @property
    def next(self) -> float | None:
        """When expire() must be called next."""
        return min((part.until for part in (self._granted, self._held) if part is not None), default=None)

    @property
    def leased(self) -> bool:
        """Whether a lease holds the door open."""
        return self._held is not None

    @property
    def held_out(self) -> bool:
        """Whether the lease can no longer be renewed, because it already ends `most_held` seconds after it began."""
        return self._held is not None and self._held.until >= self._held.begun + self._most_held

    def renewable(self, lease: str, client: int) -> bool:
        """Whether this client holds this lease."""
        return self._held is not None and (self._held.id, self._held.client) == (lease, client)

    def expire(self, now: float) -> None:
        """Drops a grant or lease that has run out."""
        if self._granted is not None and now >= self._granted.until:
            self._granted = None
        if self._held is not None and now >= self._held.until:
            self._held = None

    def grant(self, client: int, seconds: float, now: float) -> None:
        """Takes a grant. `client` holds the release from now on. An earlier grant is never shortened."""
        before = self._granted
        since, until = now, now
        if before is not None:
            since, until = before.since, before.until
        elif self._held is not None:
            since = self._held.renewed
        self._granted = _Granted(client, since, max(until, min(now + seconds, since + self._most_granted)))

    def hold(self, lease: str, client: int, seconds: float, now: float) -> None:
        """Begins a lease, or renews the present one. Replaces earlier grants."""
        begun = now if self._held is None else self._held.begun
        self._held = _Held(lease, client, begun, now, min(now + seconds, begun + self._most_held))
        self._granted = None

    def leave(self, client: int) -> bool:
        """Notes that `client` has left. True if the lock must be secured: if the client held the lease, or held a grant
        and there is no lease."""
        if self._held is not None:
            if self._held.client == client:
                return True
            if self._granted is not None and self._granted.client == client:
                self._granted = None
            return False
        return self._granted is not None and self._granted.client == client

    def end(self) -> None:
        """Drops all grants and leases, because the lock is secured."""
        self._granted = self._held = None
