"""The real kiosk-door with a contact, an exit button and a tamper switch, seen by a subscriber to its events."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.door.grants import DoorResult, Grant, Refusal, Span
from kiosk.domain.door.passage import GRACE_SECONDS
from kiosk.domain.door.state import Alarm, DoorMode, DoorState, Hand, Leaf
from kiosk.domain.errors import DoorError
from kiosk.ipc.door_event_messages import WINDOW, DoorEventStream, SubscribeRequest
from kiosk.ipc.door_messages import MAX_PACKET, encode
from kiosk.station.access import Access
from kiosk.station.door_audit import SUBSCRIBER, DoorAuditor
from kiosk.station.door_client import DoorClient
from kiosk.station.writer import Writer
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.clock import boottime
from tests.ids import id_of

if TYPE_CHECKING:
    from tests.doors import Doors, RunningDoor

    Connect = Callable[[RunningDoor], DoorClient]
    MakeGrant = Callable[..., Grant]
    Wire = Callable[[], list[dict[str, object]]]

Kind = DoorEventKind
QUICK = {"held_seconds": 0.4, "pre_alarm_seconds": 0.2, "rex_seconds": 60.0}


class Subscriber:
    """Reads events as they come, without acknowledging them."""

    def __init__(self, door: RunningDoor, patience: float, name: str = "notify") -> None:
        self.stream = DoorEventStream(door.settings.events, name)
        self.seen: list[DoorEvent] = []
        self._patience = patience

    def until(self, kind: DoorEventKind) -> list[DoorEventKind]:
        """The kinds of all events up to and with the next of `kind`."""
        until, kinds = time.monotonic() + self._patience, []
        while kind not in kinds:
            event = self.stream.next(max(0.0, until - time.monotonic()))
            assert event is not None, f"no {kind} after {kinds}"
            self.seen.append(event)
            kinds.append(event.kind)
        return kinds


@pytest.fixture
def subscribe(patience: float) -> Iterator[Callable[..., Subscriber]]:
    subscribers: list[Subscriber] = []

    def make(door: RunningDoor, name: str = "notify") -> Subscriber:
        subscribers.append(Subscriber(door, patience, name))
        return subscribers[-1]

    yield make
    for subscriber in subscribers:
        subscriber.stream.close()


def test_a_passage_and_a_forced_opening_are_reported(
    doors: Doors, client_of: Connect, grant: MakeGrant, subscribe: Callable[..., Subscriber]
) -> None:
    doors.lock = {"inputs": True}
    door = doors.start(release_seconds=60, name="north", **QUICK)
    client, subscriber = client_of(door), subscribe(door)
    assert client.status(10).leaf is Leaf.CLOSED
    client.release(grant("g7"))
    client.simulate(Hand.OPEN, 10)
    assert subscriber.until(Kind.ACCESS_TAKEN) == [Kind.STARTED, Kind.RELEASED, Kind.OPENED, Kind.ACCESS_TAKEN]
    taken = subscriber.seen[-1]
    assert (taken.door, taken.grant_id) == ("north", id_of("g7"))
    assert abs(taken.at - boottime()) < 60
    client.simulate(Hand.CLOSE, 10)
    assert subscriber.until(Kind.SECURED) == [Kind.CLOSED, Kind.SECURED]
    assert door.levels()[-1][1] == "secured"
    assert subscriber.stream.next(GRACE_SECONDS + 0.1) is None

    client.simulate(Hand.OPEN, 10)
    assert subscriber.until(Kind.FORCED_OPEN)[-2:] == [Kind.OPENED, Kind.FORCED_OPEN]
    assert client.status(10).alarm is Alarm.FORCED_OPEN
    client.simulate(Hand.CLOSE, 10)
    assert subscriber.until(Kind.ALARM_ENDED) == [Kind.CLOSED, Kind.ALARM_ENDED]

    client.simulate(Hand.REX, 10)
    client.simulate(Hand.OPEN, 10)
    assert subscriber.until(Kind.HELD_OPEN) == [Kind.REX_PRESSED, Kind.OPENED, Kind.HELD_OPEN_SOON, Kind.HELD_OPEN]
    client.simulate(Hand.TAMPER, 10)
    assert subscriber.until(Kind.TAMPER) == [Kind.TAMPER]
    assert [level for _, level in door.levels()] == ["secured", "released", "secured"]
    assert [event.sequence for event in subscriber.seen] == list(range(1, len(subscriber.seen) + 1))


def test_one_story_from_the_decision_to_the_passage(doors: Doors, client_of: Connect, patience: float) -> None:
    """The kiosk's own way: recorded, released, recorded; then what the contact told, under the same grant id."""
    doors.lock = {"inputs": True}
    door = doors.start()
    home = Home(doors.folder / "home")
    open_gallery(home).close()
    writer = Writer.at(home.database, time.monotonic, patience)
    writer.start()
    client = client_of(door)
    access = Access(writer, client, 1.5, boottime)
    stream = DoorEventStream(door.settings.events, SUBSCRIBER)
    auditor = DoorAuditor(stream, writer, (), lambda: access.under_way)
    evidence = Evidence(0, boottime(), datetime.now(UTC))
    access.settle(Decision(id_of("g7"), Outcome.GRANTED, Reason.MATCHED, "ada", evidence))
    client.simulate(Hand.OPEN, 10)
    for _ in (Kind.STARTED, Kind.RELEASED, Kind.OPENED, Kind.ACCESS_TAKEN):
        auditor.turn(patience)
    auditor.close()
    writer.stop()
    with closing(Audit(open_database(home.database))) as audit:
        story = audit.story(id_of("g7"))
        kinds = [(r.kind, r.outcome) for r in audit.records()]
    assert story is not None
    assert story.outcome is not None
    assert (story.decision.subject_id, story.outcome.outcome) == ("ada", "access_taken")
    assert kinds == [
        ("decision", "granted"),
        ("outcome", "released"),
        ("door", "started"),
        ("door", "released"),
        ("door", "opened"),
        ("outcome", "access_taken"),
    ]


def test_events_survive_the_doors_death_until_they_are_acknowledged(
    doors: Doors, client_of: Connect, subscribe: Callable[..., Subscriber]
) -> None:
    doors.lock = {"inputs": True}
    door = doors.start()
    client_of(door).simulate(Hand.OPEN, 10)
    first = subscribe(door)
    first.until(Kind.FORCED_OPEN)
    door.kill()
    door = doors.start()
    again = subscribe(door)
    again.until(Kind.FORCED_OPEN)
    assert again.seen == first.seen
    again.stream.acknowledge(again.seen[-1])
    again.until(Kind.STARTED)
    again.stream.close()
    last = subscribe(door)
    assert last.until(Kind.STARTED) == [Kind.STARTED]
    assert last.seen == again.seen[-1:]


def test_more_than_a_window_of_events_needs_acknowledgement(
    doors: Doors, client_of: Connect, subscribe: Callable[..., Subscriber]
) -> None:
    doors.lock = {"inputs": True}
    door = doors.start(debounce_seconds=0)
    client = client_of(door)
    for i in range(WINDOW):
        client.simulate(Hand.CLOSE if i % 2 else Hand.OPEN, 10)
    subscriber = subscribe(door)
    while len(subscriber.seen) < WINDOW:
        event = subscriber.stream.next(10)
        assert event is not None
        subscriber.seen.append(event)
    assert subscriber.stream.next(0.2) is None
    subscriber.stream.acknowledge(subscriber.seen[-1])
    event = subscriber.stream.next(10)
    assert event is not None
    assert event.sequence == WINDOW + 1


@pytest.mark.parametrize(
    "packets",
    [
        [b'{"type":"release","grant":{"id":"g","captured_at":1,"deadline":2}}'],
        [b'{"type":"secure"}'],
        [b"garbage"],
        [b'{"type":"acknowledge","sequence":1}'],
        [encode(SubscribeRequest(subscriber="a")), encode(SubscribeRequest(subscriber="b"))],
        [encode(SubscribeRequest(subscriber="a")), b'{"type":"acknowledge","sequence":1000000}'],
    ],
)
def test_the_events_socket_takes_no_command(doors: Doors, patience: float, packets: list[bytes]) -> None:
    door = doors.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as bad:
        bad.connect(str(door.settings.events))
        bad.settimeout(patience)
        for packet in packets:
            bad.send(packet)
        while bad.recv(MAX_PACKET):
            pass
    assert [level for _, level in door.levels()] == ["secured"]
    assert "client_dropped" in [event["event"] for event in door.events()]


def test_a_subscriber_that_does_not_read_hinders_nobody(
    doors: Doors, client_of: Connect, subscribe: Callable[..., Subscriber]
) -> None:
    doors.lock = {"inputs": True}
    door = doors.start(debounce_seconds=0)
    client = client_of(door)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stuck:
        stuck.connect(str(door.settings.events))
        stuck.send(encode(SubscribeRequest(subscriber="stuck")))
        for _ in range(20):
            client.simulate(Hand.OPEN, 10)
            client.simulate(Hand.CLOSE, 10)
        assert Kind.FORCED_OPEN in subscribe(door).until(Kind.FORCED_OPEN)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_whoever_subscribes_may_not_command(
    doors: Doors, open_to_all: Callable[[RunningDoor], None], patience: float
) -> None:
    door = doors.start(subscribers=["65534"])
    open_to_all(door)
    os.seteuid(65534)
    try:
        stream = DoorEventStream(door.settings.events, "notify")
        event = stream.next(patience)
        with DoorClient(door.socket) as client, pytest.raises(DoorError):
            client.secure(patience)
    finally:
        os.seteuid(0)
    stream.close()
    assert event is not None
    assert event.kind is Kind.STARTED


def test_a_lockdown_outlasts_a_killed_door(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=60)
    client = client_of(door)
    client.release(grant("before"))
    assert client.lockdown(True, 10).mode is DoorMode.LOCKDOWN
    assert door.levels()[-1][1] == "secured"
    assert not client.ready()
    assert client.release(grant("first")).reason == Refusal.LOCKDOWN
    door.kill()
    door = doors.start(release_seconds=60)
    assert client.release(grant("second")).reason == Refusal.LOCKDOWN
    assert client.lockdown(False, 10).mode is DoorMode.NORMAL
    assert client.release(grant("third")).result is DoorResult.RELEASED


def test_a_lease_lapses_when_it_is_not_renewed(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(lease_seconds=1.0)
    client = client_of(door)
    now = boottime()
    first = client.release(Grant(id_of("lease"), now, now + 1.5, Span.HOLD_OPEN))
    assert client.status(10).mode is DoorMode.HOLD_OPEN
    door.wait_for(DoorState.SECURED)
    (_, _), (_, released), (secured_at, secured) = door.levels()
    assert (released, secured) == ("released", "secured")
    assert first.released_until is not None
    assert first.released_until <= secured_at
    now = boottime()
    renewal = Grant(id_of("renewal"), now, now + 1.5, Span.HOLD_OPEN, id_of("lease"))
    assert client.release(renewal).reason == Refusal.LAPSED


def test_a_lock_without_inputs_cannot_be_moved(doors: Doors, client_of: Connect) -> None:
    client = client_of(doors.start())
    with pytest.raises(DoorError):
        client.simulate(Hand.OPEN, 10)
    assert client.status(10).leaf is Leaf.UNKNOWN


def test_the_safe_level_comes_before_everything_else(doors: Doors, patience: float) -> None:
    (doors.folder / "file").write_text("")
    path = doors.write(state=f"{doors.folder}/file/state")
    assert doors.launch("--config", str(path)).wait(patience) == 2
    assert "cannot be kept here" in (doors.folder / "log").read_text().splitlines()[-1]
    assert (doors.folder / "record").read_text().count('"secured"') == 1


@pytest.fixture
def wire(doors: Doors) -> Iterator[Wire]:
    """The lock hangs on a recorder that outlives the door and keeps the level; what it has recorded."""
    path, record = doors.folder / "wire", doors.folder / "wire-record"
    doors.lock = {"recorder": str(path)}
    script = Path(__file__).parents[1] / "torture" / "recorder.py"
    with subprocess.Popen([sys.executable, str(script), str(path), str(record), "keep"]) as process:
        try:
            while not path.exists():
                assert process.poll() is None
                time.sleep(0.01)
            yield lambda: [json.loads(line) for line in record.read_text().splitlines()]
        finally:
            process.kill()


@pytest.mark.parametrize("words", [("--config", "{}"), ("--config={}",)])
def test_the_line_is_safe_before_anything_else_is_imported(
    words: tuple[str, ...], doors: Doors, wire: Wire, patience: float
) -> None:
    script = "import sys; sys.modules['pydantic'] = None\nfrom kiosk.door.__main__ import main; main()"
    doors.program = ["-c", script]
    path = doors.write()
    process = doors.launch(*(word.format(path) for word in words))
    assert process.wait(patience) == 1
    assert "pydantic" in (doors.folder / "log").read_text()
    assert wire()[0] | {"at": 0} == {"at": 0, "level": "secured", "by": "door", "owner": process.pid}


def test_the_lock_takes_over_the_line_that_was_held_first(doors: Doors, wire: Wire, client_of: Connect) -> None:
    door = doors.start()
    assert client_of(door).status(10).state is DoorState.SECURED
    assert {(row["level"], row["owner"]) for row in wire()} == {("secured", door.process.pid)}


def test_the_line_is_secured_while_the_door_is_down(
    doors: Doors, wire: Wire, client_of: Connect, grant: MakeGrant
) -> None:
    door = doors.start(release_seconds=60)
    client_of(door).release(grant())
    door.kill()
    command = [sys.executable, "-m", "kiosk.locks.secure_line", str(doors.folder / "kiosk.toml")]
    assert subprocess.run(command, check=False).returncode == 0
    levels = [row["level"] for row in wire() if row["owner"] != door.process.pid]
    assert levels[0] == "secured"
    assert "released" not in levels


JUMPS = """
import itertools, sys, time
from datetime import UTC, datetime, timedelta
from kiosk.door import spool as door_spool
from kiosk.system import systemd
days = itertools.cycle([0, 400, -4000, 9000])
class Jumping(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=next(days))
door_spool.datetime = systemd.datetime = Jumping
time.time = lambda: 1e9 * next(days)
from kiosk.door.daemon import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_clock_that_jumps_moves_nothing(
    doors: Doors, client_of: Connect, grant: MakeGrant, subscribe: Callable[..., Subscriber], patience: float
) -> None:
    """The wall clock only stamps events; everything that is timed is timed by CLOCK_BOOTTIME."""
    doors.lock = {"inputs": True}
    doors.program = ["-c", JUMPS]
    door = doors.start(release_seconds=0.5)
    subscriber = subscribe(door)
    reply = client_of(door).release(grant())
    assert reply.released_until is not None
    assert subscriber.until(Kind.SECURED) == [Kind.STARTED, Kind.RELEASED, Kind.SECURED]
    assert subscriber.seen[-1].at >= reply.released_until
    wall = [event.wall_at for event in subscriber.seen]
    assert wall != sorted(wall)
    door.process.send_signal(signal.SIGTERM)
    assert door.process.wait(patience) == 0


SUSPENDS = """
import os, sys, time
from pathlib import Path
del os.environ["WATCHDOG_USEC"]  # nothing wakes it but itself
slept, boottime = Path({file!r}), time.clock_gettime
def clock_gettime(clock):
    return boottime(clock) + (float(slept.read_text()) if clock == time.CLOCK_BOOTTIME and slept.exists() else 0.0)
time.clock_gettime = clock_gettime
from kiosk.door.daemon import main
sys.exit(main(sys.argv[1:]))
"""


def test_suspended_time_counts_against_a_release(
    doors: Doors, client_of: Connect, grant: MakeGrant, tmp_path: Path, patience: float
) -> None:
    """Neither for a release, which ends at once when the machine wakes, nor for a grant from before."""
    slept = tmp_path / "slept"
    doors.program = ["-c", SUSPENDS.format(file=str(slept))]
    door = doors.start(release_seconds=60.0)
    client = client_of(door)
    before = grant("before")
    assert client.release(grant("g")).result is DoorResult.RELEASED
    draft = tmp_path / "draft"
    draft.write_text("3600")
    draft.rename(slept)
    begun = boottime()
    door.wait_for(DoorState.SECURED)
    assert boottime() - begun < 30.0
    assert client.release(before).reason == "late"
    door.process.send_signal(signal.SIGTERM)
    assert door.process.wait(patience) == 0


CRASHES = """
import sys
from kiosk.domain.door.machine import DoorMachine
tick = DoorMachine.tick
def crash(self, now):
    tick(self, now)
    if self.state == "released":
        raise MemoryError("crashed")
DoorMachine.tick = crash
from kiosk.door.daemon import main
from tests.ids import id_of
sys.exit(main(sys.argv[1:]))
"""


def test_a_crash_secures_on_its_way_out(doors: Doors, client_of: Connect, grant: MakeGrant, patience: float) -> None:
    doors.program = ["-c", CRASHES]
    door = doors.start(release_seconds=60)
    client_of(door).release(grant())
    assert door.process.wait(patience) == 1
    assert [level for _, level in door.levels()] == ["secured", "released", "secured"]
