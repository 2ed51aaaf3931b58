"""The client's end of a socket: a connection, and a subscription to the events of another process."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from kiosk.domain.errors import DoorError
from kiosk.ipc.door_messages import MAX_PACKET, Message, encode
from kiosk.ipc.server import peer_uid
from kiosk.system.clock import boottime

CONNECT_SECONDS = 0.1
RETRY_SECONDS = 0.5
"""Pause between two tries to connect."""

E = TypeVar("E")


class Connection:
    """Sends and receives packets. Methods raise DoorError once the connection is broken."""

    def __init__(self, path: Path, program: str = "kiosk-door") -> None:
        """Connects to the socket of `program`. Waits at most CONNECT_SECONDS, and only if the socket's queue is full;
        then the kernel lets clients in one after another. Fails at once if it is not running."""
        self._program = program
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise DoorError(f"{program} cannot be reached at {path}: {error}") from error
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(CONNECT_SECONDS))
            self._socket.connect(str(path))
            self._socket.setblocking(False)
        except OSError as error:
            self._socket.close()
            raise DoorError(f"{program} cannot be reached at {path}: {error}") from error

    @property
    def served_by(self) -> int:
        """The user who serves the socket, from the kernel: whom a secret would be told."""
        return peer_uid(self._socket)

    def alive(self) -> bool:
        """Whether the other end is still there. When a process dies the kernel closes its end at once."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def send(self, packet: bytes) -> None:
        """Sends a packet. Never waits."""
        try:
            self._socket.send(packet)
        except OSError as error:
            raise DoorError(f"{self._program} does not listen: {error}") from error

    def receive(self, until: float) -> bytes | None:
        """The next packet; None if none arrives by `until` (CLOCK_BOOTTIME)."""
        self._socket.settimeout(max(0.0, until - boottime()))
        try:
            packet, _, flags, _ = self._socket.recvmsg(MAX_PACKET)
        except (TimeoutError, BlockingIOError):
            return None
        except OSError as error:
            raise DoorError(f"{self._program} has hung up: {error}") from error
        finally:
            self._socket.setblocking(False)
        if not packet:
            raise DoorError(f"{self._program} has hung up")
        if flags & socket.MSG_TRUNC:
            raise DoorError(f"{self._program} sent a packet that is too long")
        return packet

    def close(self) -> None:
        """Never raises."""
        self._socket.close()


def _timeval(seconds: float) -> bytes:
    """The seconds as a struct timeval for setsockopt(2)."""
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))


class EventStream(Generic[E]):
    """A subscription for one thread. It reconnects by itself. Events that were not acknowledged come again after the
    connection was lost.

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
