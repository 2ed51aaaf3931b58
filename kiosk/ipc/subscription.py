"""A subscription to somebody's events, whoever's they are: it connects again by itself when the other end was away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from kiosk.domain.errors import DoorError
from kiosk.ipc.client import Connection
from kiosk.ipc.door_messages import Message, encode
from kiosk.system.clock import boottime

RETRY_SECONDS = 0.5
"""Pause between two tries to reach the other end."""

E = TypeVar("E")


class EventStream(Generic[E]):
    """For one thread. What was not acknowledged comes again after the connection was lost.

    while not stopping:
        event = stream.next(0.5)
        if event is not None:
            ...                         # to your own disk first
            stream.acknowledge(event)   # then never again
    """

    def __init__(
        self,
        path: Path,
        decode: Callable[[bytes], E],
        acknowledgement: Callable[[E], Message],
        greeting: Message | None = None,
    ) -> None:
        """`decode` raises DoorError for a packet that is no event; `greeting` is said first on each connection."""
        self._path = path
        self._decode = decode
        self._acknowledgement = acknowledgement
        self._greeting = greeting
        self._connection: Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether the other end was there when it was last asked."""
        return self._connection is not None

    def next(self, timeout: float) -> E | None:
        """The next event, waiting at most `timeout` seconds; None when there is none, or nobody. Never raises."""
        until = boottime() + timeout
        while True:
            try:
                return self._receive(until)
            except DoorError:
                self.close()
                time.sleep(max(0.0, min(RETRY_SECONDS, until - boottime())))
            if boottime() >= until:
                return None

    def acknowledge(self, event: E) -> None:
        """This event and all before it are kept. Never raises: one that does not arrive comes again."""
        if self._connection is None:
            return
        try:
            self._connection.send(encode(self._acknowledgement(event)))
        except DoorError:
            self.close()

    def close(self) -> None:
        """Hangs up; the next call connects again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _receive(self, until: float) -> E | None:
        if self._connection is None:
            self._connection = Connection(self._path)
            if self._greeting is not None:
                self._connection.send(encode(self._greeting))
        packet = self._connection.receive(until)
        return None if packet is None else self._decode(packet)
