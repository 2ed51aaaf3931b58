"""Turns the events of kiosk-door and of the kiosk into notices, with one thread for each source."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event as Flag
from threading import Thread
from typing import Protocol, TypeVar

from kiosk.domain.door.events import DoorEvent
from kiosk.domain.errors import OutboxError
from kiosk.domain.ids import new_id
from kiosk.domain.notices import LOST, REACHED, KioskEvent, Notice, of_door, of_kiosk
from kiosk.notify.outbox import Place
from kiosk.system.health import Health
from kiosk.system.systemd import log

TURN_SECONDS = 0.5
DISK_SECONDS = 1.0
"""Pause before the next try, when an event could not be put into the outbox."""
LOST_SECONDS = 30.0
"""How long a process may be away before it is reported as lost. It leaves time for a start or a restart."""

E = TypeVar("E")


class Stream(Protocol[E]):
    """The interface of DoorEventStream and KioskEventStream."""

    @property
    def connected(self) -> bool:
        """Whether the other end is connected."""

    def next(self, timeout: float) -> E | None:
        """The next event, or None if there is none within `timeout` seconds."""

    def acknowledge(self, event: E) -> None:
        """Tells the source that the event is on disk here."""

    def close(self) -> None:
        """Closes the connection."""


def from_door(event: DoorEvent) -> tuple[Notice, Place]:
    """Makes a notice. The door's count of events continues across its restarts, so `run` is empty."""
    return of_door(event), Place("door", "", event.sequence)


def from_kiosk(event: KioskEvent, names: bool) -> tuple[Notice, Place]:
    """Makes a notice. The kiosk counts from the beginning at each start (`run`). Drops the name unless `names`."""
    return of_kiosk(event if names else replace(event, name=None)), Place("kiosk", event.run, event.sequence)


class Receiver:
    """Passes the events of one source to `put`, acknowledges those that were stored, and reports a lost source."""

    def __init__(
        self,
        source: str,
        door: str,
        stream: Stream[E],
        notice_of: Callable[[E], tuple[Notice, Place]],
        put: Callable[[Notice, Place | None], object],
        health: Health,
        stop: Flag,
        each_turn: Callable[[bool, bool], Sequence[Notice]] = lambda _there, _idle: (),
    ) -> None:
        """`put` raises OutboxError when it could not store the notice. `each_turn` is called in each turn of the loop
        with two flags: the source is connected; it has no more events now. It returns further notices to store."""
        self._source = source
        self._door = door
        self._put = put
        self._health = health
        self._stop = stop
        self._each_turn = each_turn
        self._reached: bool | None = None
        self._away_since = time.monotonic()
        self._thread = Thread(target=self._run, args=(stream, notice_of), name=source, daemon=True)

    def start(self) -> None:
        """Starts the thread; call it once."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Waits for the thread, at most `timeout` seconds. Set the flag `stop` before."""
        self._thread.join(timeout)

    def _run(self, stream: Stream[E], notice_of: Callable[[E], tuple[Notice, Place]]) -> None:
        while not self._stop.is_set():
            self._health.beat(self._source)
            event = stream.next(TURN_SECONDS)
            self._watch(stream.connected)
            if event is not None and self._kept(*notice_of(event)):
                stream.acknowledge(event)
            for notice in self._each_turn(stream.connected, event is None):
                self._kept(notice)
        stream.close()

    def _watch(self, connected: bool) -> None:
        """Reports once that the source was reached, or that it was away for too long."""
        now = time.monotonic()
        if connected:
            self._away_since = now
        if connected is not self._reached and (connected or now - self._away_since >= LOST_SECONDS):
            self._reached = connected
            kind = f"notify.{self._source}_{REACHED if connected else LOST}"
            self._kept(Notice(new_id(), kind, self._door, datetime.now(UTC), urgent=True))

    def _kept(self, notice: Notice, place: Place | None = None) -> bool:
        """Stores the notice, and tries until that succeeds: acknowledging the next event would acknowledge this one
        too. False if it must stop before."""
        told = False
        while True:
            try:
                self._put(notice, place)
            except OutboxError as error:
                if not told:
                    log("error", "outbox_failed", error=str(error))
                told = True
                self._health.beat(self._source)
                if self._stop.wait(DISK_SECONDS):
                    return False
            else:
                return True
