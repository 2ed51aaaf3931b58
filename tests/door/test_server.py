"""A real kiosk-door and users with different rights, which the kernel tells apart."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.door.grants import DoorResult, Grant, Refusal, Span
from kiosk.domain.door.roles import Role, Users, Verb
from kiosk.domain.door.state import DoorMode, DoorState, Hand
from kiosk.domain.errors import DoorError, NotAllowedError
from kiosk.door.server import MAX_CLIENTS
from kiosk.ipc.door_event_messages import DoorEventStream, SubscribeRequest
from kiosk.ipc.door_messages import MAX_PACKET, StatusRequest, encode
from kiosk.station.door_client import DoorClient
from kiosk.station.witness import doubted
from kiosk.system.clock import boottime
from tests.doors import as_user
from tests.ids import id_of

if TYPE_CHECKING:
    from tests.doors import Doors, RunningDoor

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")

KIOSK, ADMIN, NOTIFY = 65001, 65002, 65003
PATIENCE = 60.0
RELEASE = 0.5
FLOOD = """
import os, socket, sys
path, what, uid = sys.argv[1:]
os.setuid(int(uid))
print("begun", flush=True)
held = []
while True:
    try:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.setblocking(False)
        s.connect(path)
        held.append(s)
    except OSError:
        pass
    for s in held:
        try:
            s.send(what.encode())
            s.recv(4096)
        except BlockingIOError:
            pass
        except OSError:
            s.close()
    held = [s for s in held if s.fileno() >= 0]
"""
"""Connects as often as it can, sends as fast as it can, and reads only some of it."""


@pytest.fixture
def door(doors: Doors, open_to_all: Callable[[RunningDoor], None]) -> RunningDoor:
    doors.lock = {"inputs": True}
    started = doors.start(
        clients=[f"{KIOSK}"],
        operators=[f"{ADMIN}"],
        subscribers=[f"{NOTIFY}"],
        release_seconds=RELEASE,
        debounce_seconds=0,
    )
    open_to_all(started)
    return started


@pytest.fixture
def client_as(door: RunningDoor) -> Iterator[Callable[[int], DoorClient]]:
    """A connected client of a user."""
    clients: list[DoorClient] = []

    def connect(uid: int) -> DoorClient:
        clients.append(DoorClient(door.socket))
        with as_user(uid):
            clients[-1].status(PATIENCE)
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def good(name: str, span: Span = Span.NORMAL, renews: str | None = None) -> Grant:
    now = boottime()
    return Grant(id_of(name), now, now + 1.5, span, renews and id_of(renews))


def shown(client: DoorClient, uid: int) -> None:
    """Shows the door a gallery as this user."""
    with as_user(uid):
        assert doubted(client._path, f"epoch of {uid}", 1) is None


def tried(client: DoorClient, verb: Verb, uid: int) -> bool:
    """Whether the door did what was asked for."""
    spans = {Verb.RELEASE: Span.NORMAL, Verb.EXTEND: Span.EXTENDED, Verb.HOLD_OPEN: Span.HOLD_OPEN}
    asks: dict[Verb, Callable[[], object]] = {
        Verb.SECURE: lambda: client.secure(PATIENCE),
        Verb.LOCKDOWN: lambda: client.lockdown(True, PATIENCE),
        Verb.LOCKDOWN_END: lambda: client.lockdown(False, PATIENCE),
        Verb.SIMULATE: lambda: client.simulate(Hand.CLOSE, PATIENCE),
        Verb.STATUS: lambda: client.status(PATIENCE),
        Verb.FORGET_GALLERY: lambda: client.forget_gallery(PATIENCE),
        Verb.WITNESS: lambda: shown(client, uid),
    }
    if verb in spans:
        reply = client.release(good(f"{verb} {time.monotonic()}", spans[verb]))
        assert reply.result is DoorResult.RELEASED or reply.reason == Refusal.NOT_ALLOWED
        return reply.result is DoorResult.RELEASED
    try:
        asks[verb]()
    except NotAllowedError:
        return False
    return True


@pytest.mark.parametrize("uid", [0, ADMIN, KIOSK])
def test_each_verb_for_who_may_and_the_connection_is_as_good_as_before(
    client_as: Callable[[int], DoorClient], door: RunningDoor, uid: int
) -> None:
    users = Users(frozenset({0, ADMIN}), frozenset({KIOSK}), frozenset({NOTIFY}))
    client = client_as(uid)
    root = client_as(0)
    for verb in set(Verb) - {Verb.WATCH, Verb.SUBSCRIBE}:
        root.lockdown(False, PATIENCE)
        root.secure(PATIENCE)
        assert tried(client, verb, uid) is users.may(uid, verb), verb
    assert client.status(PATIENCE).simulated
    refused = [event for event in door.events() if event["event"] == "verb_refused"]
    assert {event["verb"] for event in refused} == {v for v in Verb if not users.may(uid, v)}
    assert {event["uid"] for event in refused} <= {uid}
    assert (users.role(uid) is Role.OPERATOR) == (refused == [])


def test_the_kiosk_cannot_undo_what_an_operator_did(client_as: Callable[[int], DoorClient]) -> None:
    admin, kiosk = client_as(ADMIN), client_as(KIOSK)
    assert admin.lockdown(True, PATIENCE).mode is DoorMode.LOCKDOWN
    with pytest.raises(NotAllowedError):
        kiosk.lockdown(False, PATIENCE)
    assert kiosk.release(good("in lockdown")).reason == Refusal.LOCKDOWN
    assert kiosk.status(PATIENCE).mode is DoorMode.LOCKDOWN
    admin.lockdown(False, PATIENCE)
    assert admin.release(good("hold", Span.HOLD_OPEN)).result is DoorResult.RELEASED
    assert kiosk.release(good("mine", Span.HOLD_OPEN, "hold")).reason == Refusal.NOT_ALLOWED
    with pytest.raises(NotAllowedError):
        kiosk.secure(PATIENCE)
    assert admin.status(PATIENCE).mode is DoorMode.HOLD_OPEN


def test_events_carry_the_user_whom_the_kernel_names(client_as: Callable[[int], DoorClient], door: RunningDoor) -> None:
    with as_user(NOTIFY):
        stream = DoorEventStream(door.settings.events, "notify")
        events = [stream.next(PATIENCE)]
    kiosk, admin = client_as(KIOSK), client_as(ADMIN)
    kiosk.release(good("kiosk"))
    admin.secure(PATIENCE)
    admin.lockdown(True, PATIENCE)
    admin.lockdown(False, PATIENCE)
    seen: list[DoorEvent] = []
    with contextlib.closing(stream):
        while not seen or seen[-1].kind is not DoorEventKind.LOCKDOWN_ENDED:
            event = stream.next(PATIENCE)
            assert event is not None
            seen.append(event)
    assert events[0] is not None
    assert events[0].uid is None
    told = [(event.kind.value, event.uid) for event in seen]
    assert told == [("released", KIOSK), ("secured", ADMIN), ("lockdown", ADMIN), ("lockdown_ended", ADMIN)]
    assert seen[0].grant_id == id_of("kiosk")


def test_each_user_has_connections_of_its_own(client_as: Callable[[int], DoorClient], door: RunningDoor) -> None:
    with contextlib.ExitStack() as held:
        served = 0
        with as_user(KIOSK):
            for _ in range(3 * MAX_CLIENTS):
                crowd = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
                crowd.settimeout(PATIENCE)
                crowd.connect(str(door.socket))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    crowd.send(encode(StatusRequest()))
                    served += crowd.recv(MAX_PACKET) != b""
        assert served == MAX_CLIENTS
        for uid in (0, ADMIN):
            client = client_as(uid)
            assert client.secure(PATIENCE).state is DoorState.SECURED
            assert client.lockdown(True, PATIENCE).mode is DoorMode.LOCKDOWN


@pytest.mark.parametrize("packet", [encode(StatusRequest()), b"garbage", b'{"type":"secure"}'], ids=["ask", "-", "may"])
def test_a_flood_by_one_user_keeps_nobody_else_out(
    door: RunningDoor, client_as: Callable[[int], DoorClient], packet: bytes
) -> None:
    """The flooder is two processes of the kiosk's user; root and an operator come while it goes on."""
    command = [sys.executable, "-c", FLOOD, str(door.socket), packet.decode(), str(KIOSK)]
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            flood = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(flood.kill)
            assert flood.stdout is not None
            assert flood.stdout.readline() == b"begun\n"
        for n in range(3):
            admin = connected(door, ADMIN)
            stack.callback(admin.close)
            reply = admin.release(good(f"admin {n}"))
            assert reply.result is DoorResult.RELEASED
            door.wait_for(DoorState.SECURED)
            root = connected(door, 0)
            stack.callback(root.close)
            assert root.lockdown(True, PATIENCE).mode is DoorMode.LOCKDOWN
            assert root.lockdown(False, PATIENCE).mode is DoorMode.NORMAL
    lines = [event for event in door.events() if event.get("uid") == KIOSK]
    assert len(lines) < 200, "a flood of packets is no flood of lines"
    released = [at for at, level in door.levels() if level == "released"]
    secured = [at for at, level in door.levels() if level == "secured"][1:]
    late = [b - a - RELEASE for a, b in zip(released, secured, strict=False)]
    assert max(late) < 1.0, "the door's own times hold"


def connected(door: RunningDoor, uid: int) -> DoorClient:
    """As somebody does who tries again: the queue of the socket is full now and then."""
    client = DoorClient(door.socket)
    until = time.monotonic() + PATIENCE
    with as_user(uid):
        while True:
            try:
                client.status(PATIENCE)
            except DoorError:
                assert time.monotonic() < until
            else:
                return client


def test_a_users_flood_of_events_keeps_no_other_subscriber_out(door: RunningDoor) -> None:
    with contextlib.ExitStack() as held:
        with as_user(NOTIFY):
            for _ in range(40):
                crowd = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
                crowd.connect(str(door.settings.events))
        with as_user(KIOSK):
            stream = held.enter_context(contextlib.closing(DoorEventStream(door.settings.events, "audit")))
            event = stream.next(PATIENCE)
    assert event is not None
    assert event.kind is DoorEventKind.STARTED


@pytest.mark.parametrize(("uid", "name"), [(NOTIFY, "audit"), (KIOSK, "notify")])
def test_nobody_acknowledges_under_anothers_name(door: RunningDoor, uid: int, name: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as thief:
        thief.settimeout(PATIENCE)
        with as_user(uid):
            thief.connect(str(door.settings.events))
        thief.send(encode(SubscribeRequest(subscriber=name)))
        assert thief.recv(MAX_PACKET) == b""
    owner = {"audit": KIOSK, "notify": NOTIFY}[name]
    with as_user(owner), contextlib.closing(DoorEventStream(door.settings.events, name)) as stream:
        assert stream.next(PATIENCE) is not None


def test_a_name_stays_its_users_and_a_user_has_a_few(door: RunningDoor, doors: Doors) -> None:
    def subscribed(uid: int, name: str) -> bool:
        with as_user(uid), contextlib.closing(DoorEventStream(door.settings.events, name)) as stream:
            return stream.next(2.0) is not None

    assert subscribed(KIOSK, "display")
    assert not subscribed(NOTIFY, "display")
    assert subscribed(NOTIFY, "first")
    assert subscribed(NOTIFY, "second")
    assert not subscribed(NOTIFY, "third")
    assert subscribed(KIOSK, "audit")
    door.kill()
    started = doors.start(clients=[f"{KIOSK}"], subscribers=[f"{NOTIFY}"])
    for path in (started.socket, started.settings.events):
        path.chmod(0o666)
    assert not subscribed(NOTIFY, "display")
    assert subscribed(KIOSK, "display")
