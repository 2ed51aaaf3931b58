"""Checks that each release of the door was granted by the kiosk.

kiosk-notify gets the events of both processes and is independent of both. It can therefore see that the door was
released for the kiosk's user while the kiosk reported no grant.

It reports this only when it is sure: either the kiosk was connected since before the release and has reported all its
events, or the kiosk was not running, so nobody could grant. Around a start, an end or a gap of the kiosk's events it
reports nothing, because events that the kiosk had not yet sent are lost. The check of the audit log
(station.door_audit) has no such gaps, but the kiosk itself writes that log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.notices import KioskEvent, KioskEventKind
from kiosk.system.clock import boottime

WAIT_SECONDS = 10.0
"""Longest delay between the door's event and the kiosk's report of the grant. Also the time for which the kiosk must
have been away before a release counts as one that nobody can have granted."""
PATIENCE_SECONDS = 300.0
"""Longest wait for a kiosk that is still sending older events."""
REMEMBERED = 4000
"""Number of grants and of releases kept; more than either side keeps for a subscriber that comes back."""
RELEASES = frozenset({DoorEventKind.RELEASED, DoorEventKind.PRESENTED})


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: DoorEvent
    heard_at: float


class Pairs:
    """Used by two threads. `clients` are the users whose releases need a grant of the kiosk."""

    def __init__(self, clients: frozenset[int], clock: Callable[[], float] = boottime) -> None:
        self._clients = clients
        self._clock = clock
        self._guard = Lock()
        self._granted: dict[str, None] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._whole_since: float | None = None
        """Time since which the kiosk has reported all its grants without a gap; None while it is away."""
        self._away_since = clock()
        self._idle_at = 0.0
        self._run = ""
        self._sequence = 0

    def door(self, event: DoorEvent) -> None:
        """Takes an event of the door."""
        if event.kind is DoorEventKind.STARTED:
            self._forget_other_boots(event.at)
        if event.kind not in RELEASES or event.grant_id is None or event.uid not in self._clients:
            return
        with self._guard:
            self._waiting[event.grant_id] = _Waiting(event, self._clock())
            _bound(self._waiting)

    def kiosk(self, event: KioskEvent) -> None:
        """Takes an event of the kiosk."""
        with self._guard:
            if event.run != self._run or event.sequence > self._sequence + 1:
                self._whole_since = self._clock()  # the kiosk was restarted, or events are missing
            self._run, self._sequence = event.run, event.sequence
            if event.kind is KioskEventKind.GRANTED and event.grant_id is not None:
                self._granted[event.grant_id] = None
                _bound(self._granted)

    def look(self, there: bool, idle: bool) -> None:
        """Takes whether the kiosk is connected now, and whether it has no more events to send at the moment."""
        now = self._clock()
        with self._guard:
            if there and self._whole_since is None:
                self._whole_since = now
            elif not there and self._whole_since is not None:
                self._whole_since, self._away_since = None, now
            if there and idle:
                self._idle_at = now

    def unexplained(self) -> Iterator[DoorEvent]:
        """Releases that nobody granted. Yields each once."""
        now = self._clock()
        with self._guard:
            for grant_id, waiting in list(self._waiting.items()):
                verdict = self._verdict(waiting, now)
                if verdict is not None:
                    del self._waiting[grant_id]
                    if verdict:
                        yield waiting.event

    def _forget_other_boots(self, started_at: float) -> None:
        """Forgets releases of earlier boots. kiosk-door reports its start after the releases before it, so a release
        with a later time than the start is from another boot."""
        with self._guard:
            self._waiting = {g: w for g, w in self._waiting.items() if w.event.at <= started_at}

    def _verdict(self, waiting: _Waiting, now: float) -> bool | None:
        """True: nobody granted it. False: somebody did, or it cannot be known. None: not known yet."""
        grant_id, at = waiting.event.grant_id, waiting.event.at
        if at > waiting.heard_at:
            return False  # a time of an earlier boot: whether the kiosk was connected then is not known
        if grant_id in self._granted:
            return False
        due = waiting.heard_at + WAIT_SECONDS
        if now < due:
            return None
        if self._whole_since is None:
            return at >= self._away_since + WAIT_SECONDS
        if at < self._whole_since:
            return False
        if self._idle_at < due:
            return None if now < due + PATIENCE_SECONDS else False
        return True


def _bound(kept: dict[str, None] | dict[str, _Waiting]) -> None:
    while len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
