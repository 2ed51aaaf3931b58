"""Who keeps the lock released, and until when: grants and a lease, each bounded by itself.

No clock and no I/O: `now` is passed in (seconds, the clock of grants). Nothing here moves the lock.

Grants add up to `most_granted` seconds from the first of them, whoever sends them: nobody keeps the door released
longer by being many, or by sending more. A lease (an operator's will to hold the door open) belongs to the connection
that began it. There is one at a time; it runs out when it is not renewed, and `most_held` seconds after it began at the
latest. Grants during a lease count from its last renewal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Granted:
    client: int
    since: float
    """From when the grants count."""
    until: float


@dataclass(slots=True)
class _Held:
    id: str
    """Of the grant that began it."""
    client: int
    begun: float
    renewed: float
    until: float


class Release:
    """What keeps one lock released. `expire` is called before anything else is asked."""

    def __init__(self, most_granted: float, most_held: float) -> None:
        self._most_granted = most_granted
        self._most_held = most_held
        self._granted: _Granted | None = None
        self._held: _Held | None = None

    @property
    def until(self) -> float | None:
        """When the lock is to be secured; None when nothing keeps it released."""
        return max((part.until for part in (self._granted, self._held) if part is not None), default=None)

    @property
    def next(self) -> float | None:
        """When expire() has something to do."""
        return min((part.until for part in (self._granted, self._held) if part is not None), default=None)

    @property
    def leased(self) -> bool:
        """Whether a lease holds the door open."""
        return self._held is not None

    @property
    def held_out(self) -> bool:
        """Whether the lease cannot be renewed any more: it ends `most_held` after it began."""
        return self._held is not None and self._held.until >= self._held.begun + self._most_held

    def renewable(self, lease: str, client: int) -> bool:
        """Whether this lease is held, and by this client."""
        return self._held is not None and (self._held.id, self._held.client) == (lease, client)

    def expire(self, now: float) -> None:
        """Forgets what has run out."""
        if self._granted is not None and now >= self._granted.until:
            self._granted = None
        if self._held is not None and now >= self._held.until:
            self._held = None

    def grant(self, client: int, seconds: float, now: float) -> None:
        """Takes a grant: `client` holds the release from now on. Nothing shortens what was granted before."""
        before = self._granted
        since, until = now, now
        if before is not None:
            since, until = before.since, before.until
        elif self._held is not None:
            since = self._held.renewed
        self._granted = _Granted(client, since, max(until, min(now + seconds, since + self._most_granted)))

    def hold(self, lease: str, client: int, seconds: float, now: float) -> None:
        """Begins a lease, or renews the one that is held. What was granted before ends with it."""
        begun = now if self._held is None else self._held.begun
        self._held = _Held(lease, client, begun, now, min(now + seconds, begun + self._most_held))
        self._granted = None

    def leave(self, client: int) -> bool:
        """`client` is gone. Whether the lock is to be secured for it: its lease ends everything, its grant only what no
        lease holds."""
        if self._held is not None:
            if self._held.client == client:
                return True
            if self._granted is not None and self._granted.client == client:
                self._granted = None
            return False
        return self._granted is not None and self._granted.client == client

    def end(self) -> None:
        """The lock is secured, whatever kept it released."""
        self._granted = self._held = None
