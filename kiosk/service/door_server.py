"""The door's socket and the loop of kiosk-door.

One thread: the state machine of domain.door, a listening socket and at most MAX_CLIENTS clients. It sleeps until a
packet comes or until the machine's next deadline, and never waits for a client: one that does not read its answers, or
says what it should not, is dropped.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from kiosk.domain.door import DoorMachine
from kiosk.domain.errors import DoorError
from kiosk.domain.types import DoorState
from kiosk.service.door_protocol import (
    MAX_PACKET,
    EventMessage,
    Message,
    ReleaseRequest,
    ReplyMessage,
    Request,
    SecureRequest,
    StatusMessage,
    StatusRequest,
    WatchRequest,
    decode_request,
    encode,
)
from kiosk.service.systemd import log, notify, watchdog_interval

MAX_CLIENTS = 16


class _Readable(Protocol):
    def fileno(self) -> int: ...


@dataclass(slots=True, eq=False)
class _Client:
    number: int
    socket: socket.socket
    uid: int
    watching: bool = False


class DoorServer:
    """Serves one machine on one listening socket until told to stop."""

    def __init__(self, machine: DoorMachine, listener: socket.socket, users: frozenset[int]) -> None:
        self._machine = machine
        self._listener = listener
        self._users = users
        self._clients: dict[int, _Client] = {}
        self._accepted = 0
        self._told: DoorState | None = None
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def stop_on(self, source: _Readable | int) -> None:
        """Ends run() once `source` is readable (or at its end)."""
        self._selector.register(source, selectors.EVENT_READ, self._stop)

    def run(self) -> None:
        """Returns after stop; the caller secures and closes the lock."""
        interval = watchdog_interval()
        self._step()
        notify("READY=1")
        while not self._stopping:
            for key, _ in self._selector.select(self._timeout(interval)):
                cast("Callable[[], None]", key.data)()
                self._step()
            self._step()
            if interval is not None:
                notify("WATCHDOG=1")
        notify("STOPPING=1")

    def close(self) -> None:
        """Ends all connections."""
        for client in list(self._clients.values()):
            self._forget(client)
        self._selector.close()

    def _stop(self) -> None:
        self._stopping = True

    def _timeout(self, interval: float | None) -> float | None:
        due = self._machine.deadline
        waits = [] if interval is None else [interval]
        if due is not None:
            waits.append(max(0.0, due - time.monotonic()))
        return min(waits, default=None)

    def _step(self) -> None:
        """What is due now, then the news."""
        self._machine.tick(time.monotonic())
        while (state := self._machine.state) is not self._told:
            self._told = state
            if state is DoorState.FAULT:
                log("error", "lock_fault", error=self._machine.fault)
            else:
                log("info", state.value)
            for client in [c for c in self._clients.values() if c.watching]:
                self._send(client, EventMessage(state=state))

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            log("warning", "accept_failed", error=str(error))
            return
        uid = peer_uid(connection)
        if uid not in self._users or len(self._clients) >= MAX_CLIENTS:
            why = "too many clients" if uid in self._users else "this user may not speak to the door"
            log("warning", "client_refused", uid=uid, reason=why)
            connection.close()
            return
        connection.setblocking(False)
        self._accepted += 1
        client = _Client(self._accepted, connection, uid)
        self._clients[client.number] = client
        self._selector.register(connection, selectors.EVENT_READ, partial(self._read, client))

    def _read(self, client: _Client) -> None:
        """One packet: clients take turns."""
        if client.number not in self._clients:
            return
        try:
            packet, _, flags, _ = client.socket.recvmsg(MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet, flags = b"", 0
        if not packet:
            self._forget(client)
            return
        try:
            if flags & socket.MSG_TRUNC:
                raise DoorError(f"a packet is longer than {MAX_PACKET} bytes")
            request = decode_request(packet)
        except DoorError as error:
            self._drop(client, str(error))
            return
        self._send(client, self._answer(client, request))

    def _answer(self, client: _Client, request: Request) -> Message:
        now = time.monotonic()
        match request:
            case ReleaseRequest():
                grant = request.grant.grant()
                reply = self._machine.grant(grant, client.number, now)
                log("info", "grant", grant=grant.id, uid=client.uid, result=reply.result, reason=reply.reason)
                return ReplyMessage.of(reply)
            case SecureRequest():
                log("info", "secure_command", uid=client.uid)
                self._machine.secure(now)
                return StatusMessage.of(self._machine.status())
            case StatusRequest():
                return StatusMessage.of(self._machine.status())
            case WatchRequest():
                client.watching = True
                return EventMessage(state=self._machine.state)

    def _send(self, client: _Client, message: Message) -> None:
        try:
            client.socket.send(encode(message))
        except BlockingIOError:
            self._drop(client, "it does not read what it is sent")
        except OSError:
            self._forget(client)

    def _drop(self, client: _Client, why: str) -> None:
        log("warning", "client_dropped", uid=client.uid, reason=why)
        self._forget(client)

    def _forget(self, client: _Client) -> None:
        """The client is gone: its release ends now."""
        if self._clients.pop(client.number, None) is None:
            return
        self._machine.client_gone(client.number, time.monotonic())
        self._selector.unregister(client.socket)
        client.socket.close()


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end, as the kernel knows it (SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return int(uid)


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path`, for its user and group only.

    A socket that a dead door left there is replaced. Raises DoorError when a door runs there already, when something
    else is in the way, or when the place cannot be used.
    """
    with ExitStack() as stack:
        try:
            listener = _listen(path, stack)
        except OSError as error:
            raise DoorError(f"{path}: the door's socket cannot be made here: {error}") from error
        yield listener


def _listen(path: Path, stack: ExitStack) -> socket.socket:
    claim = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, claim)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DoorError(f"{path}: another kiosk-door is running here; stop it first") from error
    _make_way(path)
    listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    stack.callback(path.unlink, missing_ok=True)
    listener.listen(socket.SOMAXCONN)  # refused after accept, not left waiting
    listener.setblocking(False)
    return listener


def _make_way(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise DoorError(f"{path}: something that is not a socket is here; move it away or configure another place")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
        else:
            raise DoorError(f"{path}: another program answers here; stop it first")
