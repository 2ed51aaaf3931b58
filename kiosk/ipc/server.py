"""A listening socket and its clients. It checks the peers, bounds packets, and never waits for a client."""

from __future__ import annotations

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

from kiosk.domain.errors import DoorError
from kiosk.ipc.door_messages import MAX_PACKET, Message, encode
from kiosk.ipc.limits import Limits
from kiosk.system.files import locked

ACCEPTS = 64
"""Most connections that are accepted or refused in one turn, so that a flood does not fill the socket's queue."""


@dataclass(slots=True, eq=False)
class Client:
    """One connection."""

    number: int
    socket: socket.socket
    uid: int


class Clients:
    """The connections of one socket. `handle` takes a client's packet; if it raises DoorError the client is dropped. A
    client that does not read its packets is also dropped. `gone` is called once for each client that has left.

    Each user has at most `each` connections and a share of the loop's time, so that no user can use up another's.
    """

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        users: frozenset[int],
        each: int,
        limits: Limits,
        handle: Callable[[Client, bytes], None],
        gone: Callable[[Client], None],
    ) -> None:
        self._listener = listener
        self._selector = selector
        self._users = users
        self._each = each
        self._limits = limits
        self._handle = handle
        self._gone = gone
        self._clients: dict[int, Client] = {}
        self._accepted = 0
        selector.register(listener, selectors.EVENT_READ, self._accept)

    def send(self, client: Client, message: Message) -> bool:
        """Sends a message. False if that failed; then the client was dropped because it does not read."""
        if client.number not in self._clients:
            return False
        try:
            client.socket.send(encode(message))
        except BlockingIOError:
            self.drop(client, "it does not read what it is sent")
            return False
        except OSError:
            self.forget(client)
            return False
        return True

    def drop(self, client: Client, why: str) -> None:
        """Ends the connection of a client that broke the protocol."""
        self._limits.seldom.log("warning", "client_dropped", client.uid, reason=why)
        self.forget(client)

    def forget(self, client: Client) -> None:
        """Ends a connection."""
        if self._clients.pop(client.number, None) is None:
            return
        self._gone(client)
        if not self._limits.throttle.forget(client.socket.fileno()):
            self._selector.unregister(client.socket)
        client.socket.close()

    def close(self) -> None:
        """Ends all connections, and accepts no more."""
        for client in list(self._clients.values()):
            self.forget(client)
        self._selector.unregister(self._listener)

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._limits.seldom.log("warning", "accept_failed", os.getuid(), error=str(error))
                return
            try:
                self._take(connection)
            except OSError as error:  # the client is gone, or the kernel has no room for one more: the door works on
                self._limits.seldom.log("warning", "client_not_taken", os.getuid(), error=str(error))
                connection.close()

    def _take(self, connection: socket.socket) -> None:
        """Registers a connection. Raises OSError when its user cannot be found out, or the selector cannot take it."""
        uid = peer_uid(connection)
        mine = sum(client.uid == uid for client in self._clients.values())
        if uid not in self._users or mine >= self._each:
            why = "too many clients" if uid in self._users else "this user may not use this socket"
            self._limits.seldom.log("warning", "client_refused", uid, reason=why)
            connection.close()
            return
        connection.setblocking(False)
        self._accepted += 1
        client = Client(self._accepted, connection, uid)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._read, client))
        self._clients[client.number] = client

    def _read(self, client: Client) -> None:
        """Reads only one packet, so that clients take turns."""
        if client.number not in self._clients:
            return
        try:
            packet, _, flags, _ = client.socket.recvmsg(MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet, flags = b"", 0
        if not packet:
            self.forget(client)
            return
        begun = time.thread_time()
        try:
            if flags & socket.MSG_TRUNC:
                raise DoorError(f"a packet is longer than {MAX_PACKET} bytes")
            self._handle(client, packet)
        except DoorError as error:
            self.drop(client, str(error))
        pause = self._limits.throttle.spend(client.uid, time.thread_time() - begun)
        if pause and client.number in self._clients:
            self._limits.throttle.pause(client.socket.fileno(), pause)


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end, from the kernel (SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return int(uid)


@contextmanager
def listening(path: Path, program: str, kind: int = socket.SOCK_SEQPACKET) -> Iterator[socket.socket]:
    """A listening socket at `path`, for its user and group only. `kind`: of packets, or SOCK_STREAM.

    Replaces a socket that a dead process left there. Raises DoorError when a process already listens there, when
    another kind of file is there, or when the folder cannot be used.
    """
    with ExitStack() as stack:
        try:
            listener = _listen(path, program, kind, stack)
        except OSError as error:
            raise DoorError(f"{path}: the socket of {program} cannot be made here: {error}") from error
        yield listener


def _listen(path: Path, program: str, kind: int, stack: ExitStack) -> socket.socket:
    try:
        stack.enter_context(locked(path.with_name(path.name + ".lock")))
    except BlockingIOError as error:
        raise DoorError(f"{path}: {program} is running here already; stop it first") from error
    _make_way(path, kind)
    listener = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    stack.callback(path.unlink, missing_ok=True)
    listener.listen(socket.SOMAXCONN)  # surplus clients are accepted and then refused, not left waiting
    listener.setblocking(False)
    return listener


def _make_way(path: Path, kind: int) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise DoorError(f"{path}: something that is not a socket is here; move it away or configure another place")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
        else:
            raise DoorError(f"{path}: another program answers here; stop it first")
