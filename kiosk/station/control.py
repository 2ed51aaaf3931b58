"""The kiosk's end of the control socket: commands ask it, so that nothing but the running kiosk needs the key.

The kernel says who asks, and `domain.rights` what that user may do. Each change is recorded with the user's number.
"""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from kiosk.domain.errors import DoorError, GalleryError, KioskError, NotAllowedError, SampleError, UnsafeError
from kiosk.domain.rights import Role, Users
from kiosk.ipc.control_answers import (
    FailedMessage,
    WelcomeMessage,
)
from kiosk.ipc.control_messages import (
    HelloRequest,
)
from kiosk.ipc.control_rights import ControlAnswer, ControlRequest, decode_control_request, right_of
from kiosk.ipc.limits import Limits
from kiosk.ipc.server import Client, Clients, listening
from kiosk.sections import ControlConfig
from kiosk.station.turns import turning
from kiosk.storage.home import Home
from kiosk.system.systemd import log
from kiosk.system.users import numbers_of

MAX_CLIENTS = 4
"""Most connections of each user."""
TURN_SECONDS = 0.5
LONGEST_FAILURE = 800
"""Characters of an error's text that are sent; the longest UTF-8 of them fits into a packet."""


class Desk(Protocol):
    """What answers the requests that a user may make."""

    locked: bool
    """Whether the kiosk waits for its passphrase."""

    def of_somebody_with_a_role(self, request: ControlRequest) -> bool:
        """Whether it would change somebody who has a role, which only an admin may. Raises KioskError."""

    def answer(self, client: int, uid: int, request: ControlRequest) -> ControlAnswer:
        """The answer to a request that this user may make. Raises KioskError when nothing was done."""

    def forget(self, client: int) -> None:
        """Forgets what a client has sent: it has left."""


class ControlServer:
    """Serves one listening socket. `turn` runs in one thread."""

    def __init__(self, listener: socket.socket, users: Users, home: Home, desk: Desk) -> None:
        self._users = users
        self._home = str(home.folder.absolute())
        self._desk = desk
        self._selector = selectors.DefaultSelector()
        self._limits = Limits(self._selector)
        self._clients = Clients(
            listener,
            self._selector,
            users.all,
            MAX_CLIENTS,
            self._limits,
            self._handle,
            lambda gone: desk.forget(gone.number),
        )

    def turn(self) -> None:
        """Serves what has arrived; waits at most TURN_SECONDS for it."""
        due = self._limits.throttle.due_in
        for key, _ in self._selector.select(TURN_SECONDS if due is None else min(due, TURN_SECONDS)):
            key.data()
        self._limits.throttle.resume()
        self._limits.seldom.flush()

    def close(self) -> None:
        """Ends all connections."""
        self._clients.close()
        self._selector.close()

    def _handle(self, client: Client, packet: bytes) -> None:
        """Raises DoorError for a packet that is no request."""
        request = decode_control_request(packet)
        self._clients.send(client, self._answer(client, request))

    def _answer(self, client: Client, request: ControlRequest) -> ControlAnswer:
        right, role = right_of(request), self._users.role(client.uid)
        if role is None:  # Clients has refused strangers already
            raise DoorError("this user may not use this socket")
        if isinstance(request, HelloRequest):
            return WelcomeMessage(home=self._home, role=role, locked=self._desk.locked)
        if right is None or not self._users.may(client.uid, right):
            self._limits.seldom.log("warning", "control_refused", client.uid, request=request.type)
            return _failed(NotAllowedError(f"{_WHAT[role]} may not do this: ask an admin"))
        try:
            if role is not Role.ADMIN and self._desk.of_somebody_with_a_role(request):
                return _failed(NotAllowedError("only an admin changes somebody who has a role: ask one"))
            return self._desk.answer(client.number, client.uid, request)
        except KioskError as error:
            return _failed(error)
        except Exception as error:  # noqa: BLE001 - told and logged; the kiosk must work on for the door
            what = type(error).__name__  # without its text, which may hold a name
            log("error", "control_failed", request=request.type, error=what)
            return _failed(GalleryError(f"the kiosk has a fault ({what}): look whether this was done"))


def users_of(section: ControlConfig) -> Users:
    """The users and their roles. Root and the kiosk's own user are admins. Raises ConfigError."""
    return Users(
        admins=numbers_of("control.admins", section.admins) | {os.getuid(), 0},
        staff=numbers_of("control.staff", section.staff),
        auditors=numbers_of("control.auditors", section.auditors),
    )


@contextmanager
def serving(section: ControlConfig, home: Home, desk: Desk) -> Iterator[None]:
    """Serves the configured socket in a thread, if there is one. If it cannot be made, that is logged and the kiosk
    works without it. The watchdog does not watch the thread: an erasure may take long, and nobody at the door waits
    for it. Raises ConfigError."""
    if section.socket is None:
        yield
        return
    users = users_of(section)
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(listening(section.socket, "the kiosk"))
        except DoorError as error:
            log("error", "control_unavailable", error=str(error))
        else:
            server = ControlServer(listener, users, home, desk)
            stack.enter_context(turning("control", server.turn, server.close))
        yield


_WHAT = {Role.ADMIN: "an admin", Role.STAFF: "staff", Role.AUDITOR: "an auditor"}


def _failed(error: KioskError) -> FailedMessage:
    text = str(error)[:LONGEST_FAILURE]
    match error:
        case NotAllowedError():
            return FailedMessage(error="not_allowed", text=text)
        case SampleError():
            return FailedMessage(error="sample", text=text)
        case UnsafeError():
            return FailedMessage(error="unsafe", text=text)
        case _:
            return FailedMessage(error="gallery", text=text)
