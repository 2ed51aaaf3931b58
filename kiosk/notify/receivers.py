"""From the events of kiosk-door and of the kiosk to notices: a thread for each source."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event as Flag
from threading import Thread
from typing import Protocol, TypeVar

from kiosk.domain.door.events import DoorEvent
from kiosk.domain.ids import new_id
from kiosk.domain.notices import LOST, REACHED, KioskEvent, Notice, of_door, of_kiosk
from kiosk.notify.file import OutboxError
from kiosk.system.health import Health
from kiosk.system.systemd import log

TURN_SECONDS = 0.5
DISK_SECONDS = 1.0
"""Pause before an event is tried again that could not be put into the outbox."""
LOST_SECONDS = 30.0
"""So long may a process be away, to start or to be restarted, until that is told."""

E = TypeVar("E")


class Stream(Protocol[E]):
    """DoorEventStream, KioskEventStream."""

    @property
    def connected(self) -> bool:
        """Whether the other end is there."""

    def next(self, timeout: float) -> E | None:
        """The next event, or None."""

    def acknowledge(self, event: E) -> None:
        """It is kept."""

    def close(self) -> None:
        """Hangs up."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A notice, and where it stands among those of its source ("" for none: what kiosk-notify tells itself)."""

    notice: Notice
    source: str = ""
    run: str = ""
    sequence: int = 0


def from_door(event: DoorEvent) -> Arrival:
    """The door counts its events across restarts."""
    return Arrival(of_door(event), "door", "", event.sequence)


def from_kiosk(event: KioskEvent, names: bool) -> Arrival:
    """The kiosk counts anew with each start. A name goes no further than here unless `names` are wanted."""
    return Arrival(of_kiosk(event if names else replace(event, name=None)), "kiosk", event.run, event.sequence)


class Receiver:
    """Takes the events of one source to `put`, acknowledges what has been kept, and tells when the source is lost."""

    def __init__(
        self,
        source: str,
        door: str,
        stream: Stream[E],
        arrival: Callable[[E], Arrival],
        put: Callable[[Arrival], None],
        health: Health,
        stop: Flag,
        looked: Callable[[bool, bool], Sequence[Notice]] = lambda _there, _idle: (),
    ) -> None:
        """`put` raises OutboxError when it could not keep what it was given. `looked` is told each turn whether the
        source is there and has nothing more to tell; it gives what is to be told of that."""
        self._source = source
        self._door = door
        self._put = put
        self._health = health
        self._stop = stop
        self._looked = looked
        self._reached: bool | None = None
        self._away_since = time.monotonic()
        self._thread = Thread(target=self._run, args=(stream, arrival), name=source, daemon=True)

    def start(self) -> None:
        """Once."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """After the flag was set."""
        self._thread.join(timeout)

    def _run(self, stream: Stream[E], arrival: Callable[[E], Arrival]) -> None:
        while not self._stop.is_set():
            self._health.beat(self._source)
            event = stream.next(TURN_SECONDS)
            self._watch(stream.connected)
            if event is not None and self._kept(arrival(event)):
                stream.acknowledge(event)
            for notice in self._looked(stream.connected, event is None):
                self._kept(Arrival(notice))
        stream.close()

    def _watch(self, connected: bool) -> None:
        """Tells that the source is reached, or that it was away for too long; each once."""
        now = time.monotonic()
        if connected:
            self._away_since = now
        if connected is not self._reached and (connected or now - self._away_since >= LOST_SECONDS):
            self._reached = connected
            kind = f"notify.{self._source}_{REACHED if connected else LOST}"
            self._kept(Arrival(Notice(new_id(), kind, self._door, datetime.now(UTC), urgent=True)))

    def _kept(self, arrival: Arrival) -> bool:
        """Tried until it is: to take the next event would acknowledge this one with it. False once told to stop."""
        told = False
        while True:
            try:
                self._put(arrival)
            except OutboxError as error:
                if not told:
                    log("error", "outbox_failed", error=str(error))
                told = True
                self._health.beat(self._source)
                if self._stop.wait(DISK_SECONDS):
                    return False
            else:
                return True
