"""Was each release granted? kiosk-notify hears the door and the kiosk, and is neither: it can tell that the door was
released for the kiosk's user while the kiosk told of no grant.

It says so only where it can know: the kiosk was there, and told everything, since before the release; or nobody was
there to grant anything. Around a start, an end or a gap of the kiosk's it says nothing, for what the kiosk had not told
yet is lost with it. The audit log's own look (station.door_audit) has no such gaps; but the kiosk writes that log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.notices import KioskEvent, KioskEventKind
from kiosk.system.clock import boottime

WAIT_SECONDS = 10.0
"""So long after the door's event the kiosk may take to tell of its grant; and so long it must have been away before a
release that nobody can have granted."""
PATIENCE_SECONDS = 300.0
"""So long is waited for a kiosk that is still telling what came before."""
REMEMBERED = 4000
"""Grants and releases: more than either side keeps for whoever comes back."""
RELEASES = frozenset({DoorEventKind.RELEASED, DoorEventKind.PRESENTED})


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: DoorEvent
    heard_at: float


class Pairs:
    """For two threads. `clients` are the users whose releases the kiosk has to have granted."""

    def __init__(self, clients: frozenset[int], clock: Callable[[], float] = boottime) -> None:
        self._clients = clients
        self._clock = clock
        self._guard = Lock()
        self._granted: dict[str, None] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._whole_since: float | None = None
        """From when on the kiosk, which is there, has told all its grants; None while it is away."""
        self._away_since = clock()
        self._idle_at = 0.0
        self._run = ""
        self._sequence = 0

    def door(self, event: DoorEvent) -> None:
        """The door tells this."""
        if event.kind is DoorEventKind.STARTED:
            self._forget_other_boots(event.at)
        if event.kind not in RELEASES or event.grant_id is None or event.uid not in self._clients:
            return
        with self._guard:
            self._waiting[event.grant_id] = _Waiting(event, self._clock())
            _bound(self._waiting)

    def kiosk(self, event: KioskEvent) -> None:
        """The kiosk tells this."""
        with self._guard:
            if event.run != self._run or event.sequence > self._sequence + 1:
                self._whole_since = self._clock()  # another kiosk, or events are missing
            self._run, self._sequence = event.run, event.sequence
            if event.kind is KioskEventKind.GRANTED and event.grant_id is not None:
                self._granted[event.grant_id] = None
                _bound(self._granted)

    def look(self, there: bool, idle: bool) -> None:
        """Whether the kiosk is there now, and has nothing more to tell for the moment."""
        now = self._clock()
        with self._guard:
            if there and self._whole_since is None:
                self._whole_since = now
            elif not there and self._whole_since is not None:
                self._whole_since, self._away_since = None, now
            if there and idle:
                self._idle_at = now

    def unexplained(self) -> Iterator[DoorEvent]:
        """Releases that nobody granted; each once."""
        now = self._clock()
        with self._guard:
            for grant_id, waiting in list(self._waiting.items()):
                verdict = self._verdict(waiting, now)
                if verdict is not None:
                    del self._waiting[grant_id]
                    if verdict:
                        yield waiting.event

    def _forget_other_boots(self, started_at: float) -> None:
        """kiosk-door tells its start after what was before it: what is later by its own time is of another boot."""
        with self._guard:
            self._waiting = {g: w for g, w in self._waiting.items() if w.event.at <= started_at}

    def _verdict(self, waiting: _Waiting, now: float) -> bool | None:
        """True: nobody granted it. False: somebody did, or that cannot be known. None: not yet."""
        grant_id, at = waiting.event.grant_id, waiting.event.at
        if at > waiting.heard_at:
            return False  # the clock of an earlier boot: which kiosk was there then is not known
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
