"""The kiosk's end of the door's command socket."""

from __future__ import annotations

import time
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.door.state import DoorMode, DoorState, DoorStatus, Hand
from kiosk.domain.errors import DoorError, NotAllowedError
from kiosk.ipc.client import Connection
from kiosk.ipc.door_messages import (
    ForgetGalleryRequest,
    GrantBody,
    LockdownRequest,
    Message,
    RefusedMessage,
    ReleaseRequest,
    ReplyMessage,
    SecureRequest,
    SimulateRequest,
    StateMessage,
    StatusMessage,
    StatusRequest,
    WatchRequest,
    decode_answer,
    encode,
)
from kiosk.system.clock import boottime

WELL = frozenset({DoorState.SECURED, DoorState.RELEASED, DoorState.PANEL})
"""States in which the door can act on a grant."""
STATUS_SECONDS = 0.1
"""Longest wait for the door's status."""
GRACE_SECONDS = 0.1
"""How long to wait for an answer after the grant's deadline."""
RETRY_SECONDS = 0.5
"""Pause of a watcher between two tries to connect to the door."""


class DoorClient:
    """Implements the port `Door`, and sends commands. For any thread; they wait for each other.

    Keeps one connection and reconnects when it is broken. A release belongs to that connection: close(), or the end of
    this process, secures the lock at once.

    With `only_simulated` no grant is sent to a door with a real lock, also if it replaced a simulated one while the
    kiosk runs. Such a door is not ready, and a grant is UNAVAILABLE.
    """

    def __init__(self, path: Path, *, only_simulated: bool = False) -> None:
        self._path = path
        self._only_simulated = only_simulated
        self._connection: Connection | None = None
        self._simulated = False
        self._owed = 0
        self._lock = RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self) -> bool:
        """Whether the door answers within STATUS_SECONDS and would act on a grant (in a lockdown it would not). Never
        raises."""
        try:
            status = self.status()
        except DoorError:
            return False
        fits = status.simulated or not self._only_simulated
        well = status.state in WELL and status.mode is not DoorMode.LOCKDOWN
        return fits and well

    def release(self, grant: Grant) -> DoorReply:
        """Sends a grant and waits for its answer, at most until GRACE_SECONDS after its deadline. Never raises.

        If no answer comes it closes the connection, so that the lock does not stay released on a grant that the kiosk
        reports as UNAVAILABLE.
        """
        with self._lock:
            try:
                return self._release(grant)
            except ValidationError:
                why = "the grant cannot be sent: its id or its times are not usable"
            except DoorError as error:
                why = str(error)
            self.close()
        return DoorReply(grant.id, DoorResult.UNAVAILABLE, why)

    def status(self, timeout: float = STATUS_SECONDS) -> DoorStatus:
        """The door's status. Raises DoorError when the door cannot be reached or does not answer within `timeout`
        seconds."""
        return self._ask(StatusRequest(), timeout)

    def secure(self, timeout: float = STATUS_SECONDS) -> DoorStatus:
        """Secures the lock now, and returns the status afterwards. Raises DoorError as status() does."""
        return self._ask(SecureRequest(), timeout)

    def lockdown(self, on: bool, timeout: float = STATUS_SECONDS) -> DoorStatus:
        """Begins or ends a lockdown. The returned status tells whether it worked. Raises DoorError as status() does."""
        return self._ask(LockdownRequest(on=on), timeout)

    def forget_gallery(self, timeout: float = STATUS_SECONDS) -> DoorStatus:
        """Lets the door forget which generations of the gallery it was told. Raises DoorError as status() does."""
        return self._ask(ForgetGalleryRequest(), timeout)

    def simulate(self, hand: Hand, timeout: float = STATUS_SECONDS) -> DoorStatus:
        """Moves an input of a simulated door. Raises DoorError as status() does, and when the lock is not simulated."""
        return self._ask(SimulateRequest(hand=hand), timeout)

    def close(self) -> None:
        """Closes the connection, which ends a release of this client. The next call connects again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection, self._owed, self._simulated = None, 0, False

    def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.alive():
            self.close()
        if self._connection is None:
            self._connection = Connection(self._path)
        return self._connection

    def _fitting(self) -> Connection:
        """A connection to a door that may get grants. The door is checked again for each new connection."""
        connection = self._connected()
        if self._only_simulated and not self._simulated:
            self.status(timeout=0.5)
            connection = self._connected()
            if not self._simulated:
                raise DoorError("kiosk-door drives a real lock, and this kiosk may not")
        return connection

    def _release(self, grant: Grant) -> DoorReply:
        request = ReleaseRequest(grant=GrantBody.of(grant))
        now = boottime()
        until = min(max(now, grant.deadline), now + MAX_GRANT_SECONDS) + GRACE_SECONDS
        connection = self._fitting()
        connection.send(encode(request))
        while (packet := connection.receive(until)) is not None:
            answer = decode_answer(packet)
            if isinstance(answer, ReplyMessage) and answer.grant_id == grant.id:
                return answer.reply()
            if isinstance(answer, StatusMessage | RefusedMessage):
                self._owed -= 1
        raise DoorError("kiosk-door has not answered the grant in time")

    def _ask(self, request: Message, timeout: float) -> DoorStatus:
        """Sends a request and waits for its status. Answers come in order, so it skips the answers to earlier requests
        that were given up; they are counted."""
        with self._lock:
            return self._asked(request, timeout)

    def _asked(self, request: Message, timeout: float) -> DoorStatus:
        until = boottime() + timeout
        try:
            connection = self._connected()
            connection.send(encode(request))
            self._owed += 1
            while (packet := connection.receive(until)) is not None:
                answer = decode_answer(packet)
                if isinstance(answer, StatusMessage | RefusedMessage):
                    self._owed -= 1
                    if self._owed == 0:
                        return self._answered(answer)
        except DoorError as error:
            if not isinstance(error, NotAllowedError):
                self.close()
            raise
        raise DoorError(f"kiosk-door has not answered within {timeout:g} s")

    def _answered(self, answer: StatusMessage | RefusedMessage) -> DoorStatus:
        if isinstance(answer, RefusedMessage):
            what = answer.verb.replace("_", " ")
            raise NotAllowedError(f"this user may not ask the door for that ({what}): try with sudo")
        self._simulated = answer.simulated
        return answer.status()


class DoorWatcher:
    """Waits for changes of the door's state. It has its own connection and holds no release. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Connection | None = None
        self._told: DoorState | None = None

    def wait(self, timeout: float) -> DoorState | None:
        """Waits at most `timeout` seconds for a state that differs from the last returned one, and returns it; None if
        nothing has changed. The first call returns the present state. UNKNOWN while the door cannot be reached. Never
        raises."""
        until = boottime() + timeout
        while True:
            try:
                state = self._next(until)
            except DoorError:
                self.close()
                state = DoorState.UNKNOWN
                if self._told is state:
                    time.sleep(max(0.0, min(RETRY_SECONDS, until - boottime())))
            if state is not None and state is not self._told:
                self._told = state
                return state
            if boottime() >= until:
                return None

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _next(self, until: float) -> DoorState | None:
        if self._connection is None:
            self._connection = Connection(self._path)
            self._connection.send(encode(WatchRequest()))
        packet = self._connection.receive(until)
        answer = None if packet is None else decode_answer(packet)
        return answer.state if isinstance(answer, StateMessage) else None
