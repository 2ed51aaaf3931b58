"""A subscription to the events of another process. It reconnects by itself."""

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
"""Pause between two tries to connect."""

E = TypeVar("E")


class EventStream(Generic[E]):
    """A subscription for one thread. Events that were not acknowledged come again after the connection was lost.

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
        """`decode` raises DoorError for a packet that is no event. `greeting` is sent first on each connection."""
        self._path = path
        self._decode = decode
        self._acknowledgement = acknowledgement
        self._greeting = greeting
        self._connection: Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether the stream was connected at the last call."""
        return self._connection is not None

    def next(self, timeout: float) -> E | None:
        """The next event; None if none arrives within `timeout` seconds, or there is no connection. Never raises."""
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
        """Acknowledges this event and all before it. Never raises: if the acknowledgement is lost, the event comes
        again."""
        if self._connection is None:
            return
        try:
            self._connection.send(encode(self._acknowledgement(event)))
        except DoorError:
            self.close()

    def close(self) -> None:
        """Closes the connection. The next call connects again."""
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
