"""A client's connection to a socket of kiosk-door."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from kiosk.domain.errors import DoorError
from kiosk.ipc.door_messages import MAX_PACKET
from kiosk.system.clock import boottime

CONNECT_SECONDS = 0.1


class Connection:
    """Sends and receives packets. Methods raise DoorError once the connection is broken."""

    def __init__(self, path: Path) -> None:
        """Connects. Waits at most CONNECT_SECONDS, and only if the socket's queue is full; then the kernel lets clients
        in one after another. Fails at once if the door is not running."""
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise DoorError(f"kiosk-door cannot be reached at {path}: {error}") from error
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(CONNECT_SECONDS))
            self._socket.connect(str(path))
            self._socket.setblocking(False)
        except OSError as error:
            self._socket.close()
            raise DoorError(f"kiosk-door cannot be reached at {path}: {error}") from error

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
            raise DoorError(f"kiosk-door does not listen: {error}") from error

    def receive(self, until: float) -> bytes | None:
        """The next packet; None if none arrives by `until` (CLOCK_BOOTTIME)."""
        self._socket.settimeout(max(0.0, until - boottime()))
        try:
            packet, _, flags, _ = self._socket.recvmsg(MAX_PACKET)
        except (TimeoutError, BlockingIOError):
            return None
        except OSError as error:
            raise DoorError(f"kiosk-door has hung up: {error}") from error
        finally:
            self._socket.setblocking(False)
        if not packet:
            raise DoorError("kiosk-door has hung up")
        if flags & socket.MSG_TRUNC:
            raise DoorError("kiosk-door sent a packet that is too long")
        return packet

    def close(self) -> None:
        """Never raises."""
        self._socket.close()


def _timeval(seconds: float) -> bytes:
    """The seconds as a struct timeval for setsockopt(2)."""
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
