"""The loop of kiosk-door.

One thread serves the state machine (domain.door.machine), the lock's inputs, and a listening socket for commands with
its clients. Each request is checked against the user who sent it (domain.door.roles). The loop sleeps until a packet
arrives, an input changes, or the next deadline or reading of the inputs is due. It never waits for a client or a disk.
"""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast

from kiosk.domain.door.events import ALARMS, DoorEventKind, DoorNews
from kiosk.domain.door.grants import DoorReply, DoorResult, Refusal
from kiosk.domain.door.machine import DoorMachine
from kiosk.domain.door.roles import Users, Verb
from kiosk.domain.door.state import DoorFault, DoorMode, DoorState, DoorStatus, Hand, Readings
from kiosk.domain.errors import DoorError, LockLostError
from kiosk.domain.ports.lock import Lock
from kiosk.domain.ports.panel import Panel
from kiosk.door.lockdown import LockdownFile
from kiosk.door.witness import WitnessFile
from kiosk.ipc.door_messages import (
    DisbelievedMessage,
    ForgetGalleryRequest,
    LockdownRequest,
    Message,
    RefusedMessage,
    ReleaseRequest,
    ReplyMessage,
    Request,
    SecureRequest,
    SimulateRequest,
    StateMessage,
    StatusMessage,
    StatusRequest,
    WatchRequest,
    WitnessedMessage,
    WitnessRequest,
    decode_request,
    verb_of,
)
from kiosk.ipc.limits import Limits
from kiosk.ipc.server import Client, Clients
from kiosk.system.clock import boottime
from kiosk.system.systemd import log, notify, watchdog_interval

if TYPE_CHECKING:
    from kiosk.domain.door.panel import PanelMachine

MAX_CLIENTS = 16
"""Most connections of each user."""
READ_SECONDS = 0.1
"""Longest time between two readings of the inputs, also without edges."""


class _Readable(Protocol):
    def fileno(self) -> int: ...


class Movable(Protocol):
    """A simulated lock with inputs that can be moved."""

    def move(self, hand: Hand) -> None:
        """Moves an input. Raises LockError."""


class DoorServer:
    """Serves one state machine on one listening socket until it is stopped. `tell` takes each event of the machine."""

    def __init__(
        self,
        machine: DoorMachine | PanelMachine,
        lock: Lock | Panel,
        lockdown: LockdownFile,
        listener: socket.socket,
        users: Users,
        tell: Callable[[DoorNews], object],
        witness: WitnessFile,
    ) -> None:
        self._machine = machine
        self._lock = lock
        self._lockdown = lockdown
        self._users = users
        self._tell = tell
        self._witness = witness
        self._watching: dict[int, Client] = {}
        self._owed: dict[str, Client] = {}
        self._told: DoorState | None = None
        self._stopping = False
        self._kept = True
        self._sounding = False
        self._wired = True
        self._unreadable = ""
        self.selector = selectors.DefaultSelector()
        self.limits = Limits(self.selector)
        self._clients = Clients(
            listener, self.selector, users.commanding, MAX_CLIENTS, self.limits, self._handle, self._gone
        )
        self._edges = lock.fileno()
        if self._edges is not None:
            self.selector.register(self._edges, selectors.EVENT_READ, lambda: None)

    def stop_on(self, source: _Readable | int) -> None:
        """Ends run() when `source` becomes readable (or reaches its end)."""
        self.selector.register(source, selectors.EVENT_READ, self._stop)

    def run(self) -> None:
        """Runs the loop until it is stopped. The caller then secures and closes the lock."""
        interval = watchdog_interval()
        self._turn()
        notify("READY=1")
        while not self._stopping:
            for key, _ in self.selector.select(self._timeout(interval)):
                cast("Callable[[], None]", key.data)()
                self._machine.tick(boottime())
            self._turn()
            if interval is not None:  # at the end too: systemd's watchdog rests when it stops a unit, until it is fed
                notify("WATCHDOG=1")

    def close(self) -> None:
        """Ends all connections."""
        self._clients.close()
        self.report()

    def report(self) -> None:
        """Sends the state to the watching clients, sends replies that have become due, and passes on the machine's
        events since the last call."""
        while (state := self._machine.state) is not self._told:
            self._told = state
            for client in list(self._watching.values()):
                self._clients.send(client, StateMessage(state=state))
        for reply in self._machine.take_replies():
            self._reply(self._owed.pop(reply.grant_id), reply)
        for news in self._machine.take_news():
            self._tell(news)
            if news.kind not in {DoorEventKind.STARTED, DoorEventKind.STOPPED}:
                self._log(news)

    def _log(self, news: DoorNews) -> None:
        fields = {"grant": news.grant_id, "reason": news.reason}
        if news.kind is DoorEventKind.FAULT:
            fields["error"] = self._machine.fault
        level = "warning" if news.kind in ALARMS else "info"
        said = {key: value for key, value in fields.items() if value}
        if news.kind in {DoorEventKind.RELEASED, DoorEventKind.SECURED}:  # a client can cause any number of them
            self.limits.seldom.log(level, news.kind.value, os.getuid() if news.uid is None else news.uid, **said)
        else:
            log(level, news.kind.value, **said)

    def _stop(self) -> None:
        self._stopping = True

    def _timeout(self, interval: float | None) -> float | None:
        due = self._machine.deadline
        waits = [] if interval is None else [interval]
        if self._wired:
            waits.append(READ_SECONDS)
        if due is not None:
            waits.append(max(0.0, min(due - boottime(), READ_SECONDS)))  # select() does not count suspended time
        if (resume := self.limits.throttle.due_in) is not None:
            waits.append(resume)
        return min(waits, default=None)

    def _turn(self) -> None:
        """Reads the inputs, does what is due, and reports."""
        readings = self._read()
        self._wired = readings is None or readings != Readings()
        now = boottime()
        self._machine.observe(readings, now)
        self._sound(self._machine.sounds(now))
        self.report()
        self.limits.throttle.resume()
        self.limits.seldom.flush()

    def _read(self) -> Readings | None:
        try:
            readings = self._lock.read()
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; then the inputs are reported as unknown
            if isinstance(error, LockLostError) and isinstance(self._machine, DoorMachine):
                self._machine.lost(error, boottime())
                return Readings()
            if not self._unreadable:
                self._unreadable = f"{type(error).__name__}: {error}"
                log("error", "inputs_unreadable", error=self._unreadable)
            self._forget_edges()
            return None
        self._unreadable = ""
        return readings

    def _forget_edges(self) -> None:
        """Stops waiting for edges: the descriptor of a lost device is always readable. Periodic reading is enough."""
        if self._edges is not None:
            self.selector.unregister(self._edges)
            self._edges = None

    def _sound(self, on: bool) -> None:
        if on is self._sounding:
            return
        self._sounding = on
        try:
            self._lock.sound(on)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; a failed sounder stops nothing
            log("error", "sounder_failed", error=str(error))

    def _handle(self, client: Client, packet: bytes) -> None:
        request = decode_request(packet)
        answer = self._answer(client, request)
        if answer is not None:
            self._clients.send(client, answer)

    def _reply(self, client: Client, reply: DoorReply) -> None:
        self.limits.seldom.log(
            "info", "grant", client.uid, grant=reply.grant_id, result=reply.result, reason=reply.reason
        )
        self._clients.send(client, ReplyMessage.of(reply))

    def _answer(self, client: Client, request: Request) -> Message | None:
        """The answer to a request; None if it comes later or was already sent."""
        now = boottime()
        if not self._users.may(client.uid, verb := verb_of(request)):
            return self._refused(client, request, verb)
        match request:
            case ReleaseRequest():
                grant = request.grant.grant()
                reply = self._machine.grant(grant, client.number, now, client.uid)
                if reply is None:
                    self._owed[grant.id] = client
                else:
                    self._reply(client, reply)
                return None
            case SecureRequest():
                log("info", "secure_command", uid=client.uid)
                self._machine.secure(now, client.uid)
            case LockdownRequest():
                log("warning", "lockdown_command", uid=client.uid, on=request.on)
                self._lock_down(request.on, now, client.uid)
            case SimulateRequest():
                self._simulate(request.hand)
            case WatchRequest():
                self._watching[client.number] = client
                return StateMessage(state=self._machine.state)
            case WitnessRequest():
                doubt = self._witness.take(client.uid, request.epoch, request.generation, request.digest)
                if doubt is None or request.digest is None:
                    return WitnessedMessage(believed=doubt is None)
                return DisbelievedMessage(why=doubt)
            case ForgetGalleryRequest():
                log("warning", "forget_gallery_command", uid=client.uid)
                self._witness.forget()
            case StatusRequest():
                pass
        return StatusMessage.of(self._status())

    def _refused(self, client: Client, request: Request, verb: Verb) -> Message:
        """The answer to a user who may not make this request. Nothing is done, and the connection is still served."""
        self.limits.seldom.log("warning", "verb_refused", client.uid, verb=verb)
        if isinstance(request, ReleaseRequest):
            return ReplyMessage.of(DoorReply(request.grant.id, DoorResult.REFUSED, Refusal.NOT_ALLOWED))
        return RefusedMessage(verb=verb)

    def _status(self) -> DoorStatus:
        status = self._machine.status()
        return status if self._kept else replace(status, faults=(*status.faults, DoorFault.LOCKDOWN_NOT_KEPT))

    def _lock_down(self, on: bool, now: float, uid: int) -> None:
        """Begins a lockdown before it is stored, and ends it only after its file is deleted: if the disk fails, the
        lockdown stays. The loop waits for the disk here. That is safe, because the lockdown releases nothing
        meanwhile."""
        if on:
            self._machine.lockdown(True, now, uid)
        elif self._machine.mode is not DoorMode.LOCKDOWN:
            return
        try:
            self._lockdown.set(on)
        except OSError as error:
            log("error", DoorFault.LOCKDOWN_NOT_KEPT, error=str(error))
            self._kept = not on
            return
        self._kept = True
        if not on:
            self._machine.lockdown(False, now, uid)

    def _simulate(self, hand: Hand) -> None:
        """Moves an input of a simulated lock. Raises DoorError, which ends the connection, for any other lock."""
        if not self._lock.simulated or not hasattr(self._lock, "move"):
            raise DoorError("this lock is not simulated")
        cast("Movable", self._lock).move(hand)
        log("info", "simulate", hand=hand)
        self._turn()

    def _gone(self, client: Client) -> None:
        """Ends the release of a client that has left."""
        self._watching.pop(client.number, None)
        self._machine.client_gone(client.number, boottime())
