"""Every message on every socket, in both directions: malformed ones end in a refusal of one line, and release nothing.

In one process: the decoders, then the real door's server and the real clients over real sockets. How many inputs:
attack.py.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.domain.door.events import DoorEvent, DoorEventKind, DoorNews
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.door.roles import AUDIT, Users
from kiosk.domain.door.state import DoorState
from kiosk.domain.errors import DoorError
from kiosk.domain.ids import new_id
from kiosk.door import daemon
from kiosk.door.feed import Feed
from kiosk.door.lockdown import LockdownFile
from kiosk.door.server import DoorServer
from kiosk.door.spool import Spool
from kiosk.door.witness import WitnessFile
from kiosk.ipc import limits
from kiosk.ipc.door_event_messages import DoorEventStream, decode_event, decode_subscriber
from kiosk.ipc.door_messages import decode_answer, decode_request, encode
from kiosk.ipc.kiosk_event_messages import KioskEventStream, acknowledged
from kiosk.ipc.server import listening
from kiosk.notify.outbox import Outbox
from kiosk.notify.receivers import from_door, from_kiosk
from kiosk.sections import DoorConfig, LockConfig
from kiosk.station.door_audit import DoorAuditor
from kiosk.station.door_client import DoorClient, DoorWatcher
from kiosk.storage.audit import Audit
from kiosk.storage.database import in_memory
from kiosk.system.clock import boottime
from tests.hostile.attack import attack, extent, packets, several
from tests.ids import id_of

MOMENT = "2026-03-01T12:00:00Z"
OLD = {"id": id_of("grant"), "captured_at": 1.0, "deadline": 2.5, "span": "normal", "renews": None, "badge": None}
"""A grant of long ago."""
REQUESTS: list[Any] = [
    {"type": "release", "grant": OLD},
    {"type": "release", "grant": {**OLD, "span": "hold_open", "renews": id_of("other"), "badge": 7}},
    {"type": "release", "grant": {**OLD, "captured_at": 1e15, "deadline": 1e15}},
    {"type": "status"},
    {"type": "secure"},
    {"type": "lockdown", "on": True},
    {"type": "lockdown", "on": False},
    {"type": "simulate", "hand": "open"},
    {"type": "watch"},
    {"type": "witness", "epoch": "0123456789abcdef", "generation": 7},
    {"type": "witness", "epoch": "x" * 64, "generation": 2**62},
    {"type": "forget_gallery"},
]
STATUS = {
    "type": "status", "state": "secured", "simulated": True, "started_at": 1.0, "released_until": None,
    "mode": "normal", "leaf": "closed", "alarm": "none", "tamper": False, "faults": [],
}  # fmt: skip
ANSWERS: list[Any] = [
    {"type": "reply", "grant_id": OLD["id"], "result": "released", "reason": "", "released_until": 3.0},
    {"type": "reply", "grant_id": OLD["id"], "result": "refused", "reason": "late", "released_until": None},
    STATUS,
    {"type": "event", "state": "released"},
    {"type": "refused", "verb": "lockdown"},
    {"type": "witnessed", "believed": True},
]
SUBSCRIBER: list[Any] = [
    {"type": "subscribe", "subscriber": "notify"},
    {"type": "subscribe", "subscriber": None},
    {"type": "acknowledge", "sequence": 1},
    {"type": "acknowledge", "sequence": 2**62},
]
DOOR_EVENTS: list[Any] = [
    {
        "type": "event", "sequence": n, "id": id_of(f"event {kind}"), "kind": kind.value, "door": "main",
        "wall_at": MOMENT, "at": 5.0, "grant_id": grant, "reason": "", "uid": uid,
    }
    for n, (kind, grant, uid) in enumerate(
        [
            (DoorEventKind.FORCED_OPEN, None, None),
            (DoorEventKind.RELEASED, id_of("grant"), 1000),
            (DoorEventKind.STARTED, None, None),
            (DoorEventKind.FAULT, None, 0),
        ],
        1,
    )
]  # fmt: skip
KIOSK_EVENTS: list[Any] = [
    {
        "type": "event", "run": id_of("run"), "sequence": n, "id": id_of(f"k{kind}"), "kind": kind, "door": "main",
        "wall_at": MOMENT, "grant_id": id_of("grant"), "subject_id": "0" * 16, "name": "Ada", "reason": "",
    }
    for n, kind in enumerate(["granted", "refused", "fault", "recovered", "started"], 1)
]  # fmt: skip
ACKNOWLEDGEMENTS: list[Any] = [{"type": "acknowledge", "id": id_of("event")}]


def decoded_again(decode: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """What is accepted is whole: written out and read again it is the same."""

    def body(packet: bytes) -> None:
        message = decode(packet)
        if hasattr(message, "model_dump_json"):
            assert decode(encode(message)) == message

    return body


@extent
@pytest.mark.parametrize(
    ("decode", "samples"),
    [
        pytest.param(decode_request, REQUESTS, id="requests"),
        pytest.param(decode_answer, ANSWERS, id="answers"),
        pytest.param(decode_subscriber, SUBSCRIBER, id="subscribers"),
        pytest.param(acknowledged, ACKNOWLEDGEMENTS, id="acknowledgements"),
    ],
)
def test_decoders(decode: Callable[[bytes], Any], samples: list[Any], extent: float, tmp_path: Path) -> None:
    attack(15_000, extent, packets(samples), decoded_again(decode), tmp_path)


class Rig:
    """The real server of kiosk-door on real sockets, in this process and driven turn by turn."""

    def __init__(self, folder: Path, stack: ExitStack, users: Users) -> None:
        door = DoorConfig(socket=folder / "door.sock", state=folder)
        lock, self.machine = daemon.build_lock(LockConfig(kind="simulated"), daemon.rules_of(door), False)
        stack.callback(lock.close)
        self.machine.start(boottime())
        spool = Spool(folder, "main")
        stack.callback(spool.close)
        commands = stack.enter_context(listening(door.socket, "test"))
        events = stack.enter_context(listening(door.events, "test"))
        witness = WitnessFile(folder)
        stack.callback(witness.close)
        self.server = DoorServer(self.machine, lock, LockdownFile(folder), commands, users, spool.append, witness)
        self.feed = Feed(spool, events, self.server.selector, users, self.server.limits)
        stack.callback(self.feed.close)
        stack.callback(self.server.close)
        self.paths = {"commands": door.socket, "events": door.events}
        self.server.report()

    def pump(self) -> None:
        """Serves what is there, as the loop of kiosk-door does."""
        while ready := self.server.selector.select(0):
            for key, _ in ready:
                key.data()
                self.machine.tick(boottime())
            self.server._turn()

    def answer(self, client: socket.socket) -> bytes:
        """What a client is sent; an event has to be on disk first."""
        for _ in range(300):
            self.pump()
            with suppress(BlockingIOError):
                return client.recv(70_000)
            self.server.selector.select(0.1)
        raise AssertionError("nothing comes")

    def connect(self, which: str) -> socket.socket:
        """A client."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(str(self.paths[which]))
        connection.setblocking(False)
        return connection


@pytest.fixture
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may use all of a core here; that it may not is tested elsewhere."""
    monkeypatch.setattr(limits, "SAVED_SECONDS", 1e9)


SENT = several(packets([*REQUESTS, *SUBSCRIBER]), 5)
ROLES = {
    "operator": Users(operators=frozenset({os.getuid()}), clients=frozenset(), subscribers=frozenset()),
    "client": Users(operators=frozenset(), clients=frozenset({os.getuid()}), subscribers=frozenset()),
    "subscriber": Users(operators=frozenset(), clients=frozenset(), subscribers=frozenset({os.getuid()})),
    "nobody": Users(operators=frozenset(), clients=frozenset(), subscribers=frozenset()),
}


@extent
@pytest.mark.usefixtures("unthrottled")
@pytest.mark.parametrize("which", ["commands", "events"])
@pytest.mark.parametrize("role", sorted(ROLES))
def test_the_door_serves_on_and_releases_nothing(role: str, which: str, extent: float, tmp_path: Path) -> None:
    """Several packets on a connection, some longer than a packet may be; the clients leave when they like."""
    with ExitStack() as stack:
        rig = Rig(tmp_path, stack, ROLES[role])

        def body(sent: list[bytes]) -> None:
            with rig.connect(which) as client:
                for packet in sent:
                    with suppress(OSError):
                        client.send(packet)
                    rig.pump()
                    assert rig.machine.state is DoorState.SECURED
                with suppress(BlockingIOError, ConnectionResetError):
                    while answer := client.recv(70_000):
                        assert len(answer) <= 4096
                        json.loads(answer)
            rig.pump()

        attack(2_500, extent, SENT, body, tmp_path)
        if role != "nobody":
            with rig.connect("commands" if role != "subscriber" else "events") as client:
                client.send(encode_dict({"type": "status"} if role != "subscriber" else SUBSCRIBER[1]))
                rig.pump()
                if role == "subscriber":
                    rig.server._tell(DoorNews(DoorEventKind.FORCED_OPEN, boottime()))
                assert rig.answer(client), "a well-behaved client is not served any more"


def encode_dict(message: dict[str, object]) -> bytes:
    return json.dumps(message).encode()


class HostileServer:
    """Answers each connection with the packets that it is told to, and whatever it is asked."""

    def __init__(self, path: Path) -> None:
        self.packets: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                for packet in self.packets:
                    connection.send(packet)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5.0)


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[HostileServer]:
    made = HostileServer(tmp_path / "door.sock")
    yield made
    made.close()


@extent
def test_a_hostile_door_deceives_no_client(hostile: HostileServer, extent: float, tmp_path: Path) -> None:
    """Released counts only what names the very grant; a client that is told nonsense says so and tries again."""
    grant = Grant(id_of("asked"), 0.0, 0.001)

    def body(sent: list[bytes]) -> None:
        hostile.packets = sent
        with DoorClient(tmp_path / "door.sock") as client:
            reply = client.release(grant)
            assert isinstance(reply, DoorReply)
            if reply.result is not DoorResult.UNAVAILABLE:
                assert any(id_of("asked").encode() in packet for packet in sent)
            with suppress(DoorError):
                client.status(0.01)
        watcher = DoorWatcher(tmp_path / "door.sock")
        assert watcher.wait(0.0) in {None, *DoorState}
        watcher.close()

    answers = [*ANSWERS, {**ANSWERS[0], "grant_id": id_of("asked")}]
    attack(6_000, extent, several(packets(answers), 3), body, tmp_path)


class Once:
    """A stream that gives one event, as a subscription would."""

    connected = True

    def __init__(self, event: Any) -> None:
        self.event = event

    def next(self, timeout: float) -> Any:
        return self.event

    def acknowledge(self, event: Any) -> None:
        pass

    def close(self) -> None:
        pass


@extent
def test_what_a_hostile_door_tells_the_kiosk_is_recorded_or_refused(extent: float, tmp_path: Path) -> None:
    store = in_memory()
    log = Audit(store)

    def body(packet: bytes) -> None:
        event = decode_event(packet)
        assert isinstance(event, DoorEvent)
        auditor = DoorAuditor(Once(event), log, (), lambda: None, sleep=lambda _: None)  # type: ignore[arg-type]
        auditor.turn(0.0)
        assert store.rows("SELECT 1 FROM audit WHERE record_id = ?", [event.id])

    attack(20_000, extent, packets(DOOR_EVENTS), body, tmp_path)


@extent
@pytest.mark.parametrize("source", ["door", "kiosk"])
def test_what_a_hostile_source_tells_is_put_into_the_outbox_or_refused(
    source: str, extent: float, tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path / "outbox.db", "main", 10, {"a": False, "b": True})
    streams: dict[str, tuple[Any, list[Any], Any]] = {
        "door": (DoorEventStream(tmp_path / "door.sock", "notify"), DOOR_EVENTS, from_door),
        "kiosk": (KioskEventStream(tmp_path / "door.sock"), KIOSK_EVENTS, lambda event: from_kiosk(event, True)),
    }
    stream, samples, notice_of = streams[source]

    def body(packet: bytes) -> None:
        event = stream._decode(packet)
        notice, place = notice_of(event)  # type: ignore[operator]
        outbox.put(replace(notice, id=new_id()), place)  # no repetition, which would not be looked at
        outbox.present()

    with closing(outbox):
        attack(12_000, extent, packets(samples), body, tmp_path)


@extent
def test_a_hostile_source_stops_no_subscriber(hostile: HostileServer, extent: float, tmp_path: Path) -> None:
    """Over real sockets: it connects again, as often as it is told nonsense."""

    def body(sent: list[bytes]) -> None:
        hostile.packets = sent
        for stream in (DoorEventStream(tmp_path / "door.sock", AUDIT), KioskEventStream(tmp_path / "door.sock")):
            for _ in range(3):
                if (event := stream.next(0.0)) is not None:
                    stream.acknowledge(event)  # type: ignore[arg-type]
            stream.close()

    attack(4_000, extent, several(packets([*DOOR_EVENTS, *KIOSK_EVENTS]), 4), body, tmp_path)


def test_times_that_have_no_place_in_utc_are_refused() -> None:
    for moment in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        with pytest.raises(DoorError, match="wall_at"):
            decode_event(json.dumps({**DOOR_EVENTS[0], "wall_at": moment}).encode())


def test_numbers_that_no_database_holds_are_refused() -> None:
    with pytest.raises(DoorError, match="sequence"):
        decode_event(json.dumps({**DOOR_EVENTS[0], "sequence": 2**63}).encode())
    with pytest.raises(DoorError, match="sequence"):
        KioskEventStream(Path("/nowhere"))._decode(json.dumps({**KIOSK_EVENTS[0], "sequence": 10**30}).encode())
