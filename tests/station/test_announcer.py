"""The kiosk's event socket: what it sends, to whom, and that the kiosk never waits for it."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.config import Config
from kiosk.domain.decision import Comparison, Decision, Evidence, Outcome, Reason
from kiosk.domain.door.state import DoorState
from kiosk.domain.entry import Step
from kiosk.domain.errors import GalleryError
from kiosk.domain.face import Quality
from kiosk.domain.notices import LONGEST_NAME, KioskEvent, KioskEventKind
from kiosk.domain.people import Subject
from kiosk.domain.updates import (
    Decided,
    DoorChanged,
    Duress,
    EntryChanged,
    Faulted,
    Recovered,
    Unexplained,
    Update,
    Waiting,
)
from kiosk.ipc.door_messages import MAX_PACKET
from kiosk.ipc.kiosk_event_messages import KioskEventStream
from kiosk.sections import NotifierConfig, NotifyConfig
from kiosk.station import announcer, assembly
from kiosk.station.announcer import Announcer
from tests.ids import id_of

PATIENCE = 60.0
SOMEBODY = "0123456789abcdef"
EVIDENCE = Evidence(
    7, 1.0, datetime(2026, 3, 1, 7, 30, tzinfo=UTC), 3, Comparison(SOMEBODY, 0.8125, 0.5, "m"), Quality(0.9375), 0.96875
)
GRANTED = Decided(Decision(id_of("g1"), Outcome.GRANTED, Reason.MATCHED, SOMEBODY, EVIDENCE))
REFUSED = Decided(Decision(id_of("g2"), Outcome.REFUSED, Reason.NOT_ENROLLED, None, EVIDENCE))
ME = frozenset({os.getuid()})


@pytest.fixture
def announce(tmp_path: Path) -> Iterator[Callable[..., Announcer]]:
    announcers: list[Announcer] = []

    def start(users: frozenset[int] = ME, **keys: object) -> Announcer:
        announcers.append(Announcer(tmp_path / "kiosk.sock", "main", users, **keys))  # type: ignore[arg-type]
        announcers[-1].start()
        return announcers[-1]

    yield start
    for each in announcers:
        each.stop()


class Directory:
    """A gallery with one subject, and one that cannot be read."""

    def subject(self, subject_id: str) -> Subject | None:
        if subject_id != SOMEBODY:
            raise GalleryError("damaged")
        return Subject(SOMEBODY, "Ada Lovelace", EVIDENCE.wall_at)


@pytest.mark.parametrize("names", [False, True])
def test_the_kiosk_tells_names_only_if_it_is_configured_to(
    tmp_path: Path, stream: KioskEventStream, names: bool
) -> None:
    settings = Config(
        notify=NotifyConfig(socket=tmp_path / "kiosk.sock", names=names, subscribers=("nobody-has-this-name",)),
        notifiers={"guard": NotifierConfig(kind="webhook")},
    )
    shown: list[Update] = []
    other = Decided(Decision(id_of("g3"), Outcome.REFUSED, Reason.SUBJECT_DISABLED, SOMEBODY[::-1], EVIDENCE))
    with assembly.announcing(settings, Directory(), shown.append) as publish:
        publish(GRANTED)
        publish(other)
        told = taken(stream, 3)
    assert [e.name for e in told] == [None, "Ada Lovelace" if names else None, None]
    assert shown == [GRANTED, other]


def test_without_notifiers_there_is_no_socket(tmp_path: Path) -> None:
    settings = Config(notify=NotifyConfig(socket=tmp_path / "kiosk.sock"))
    shown: list[Update] = []
    with assembly.announcing(settings, Directory(), shown.append) as publish:
        publish(GRANTED)
        publish(Duress(EVIDENCE.wall_at, SOMEBODY))
        assert list(tmp_path.iterdir()) == []
    assert shown == [GRANTED]


def test_of_duress_the_window_hears_nothing_and_others_after_the_decision(
    tmp_path: Path, stream: KioskEventStream
) -> None:
    settings = Config(
        notify=NotifyConfig(socket=tmp_path / "kiosk.sock"), notifiers={"guard": NotifierConfig(kind="webhook")}
    )
    shown: list[Update] = []
    with assembly.announcing(settings, Directory(), shown.append) as publish:
        publish(GRANTED)
        publish(Duress(EVIDENCE.wall_at, SOMEBODY, GRANTED.decision.id))
        told = taken(stream, 3)
    assert [e.kind.value for e in told] == ["started", "granted", "duress"]
    assert (told[2].grant_id, told[2].subject_id) == (told[1].grant_id, SOMEBODY)
    assert shown == [GRANTED]


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[KioskEventStream]:
    made = KioskEventStream(tmp_path / "kiosk.sock")
    yield made
    made.close()


def taken(stream: KioskEventStream, count: int) -> list[KioskEvent]:
    """The next so many events, each acknowledged."""
    events: list[KioskEvent] = []
    until = time.monotonic() + PATIENCE
    while len(events) < count and time.monotonic() < until:
        event = stream.next(1.0)
        if event is not None:
            stream.acknowledge(event)
            events.append(event)
    assert len(events) == count
    return events


def test_decisions_and_faults_are_told_in_order(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announcer = announce()
    for event in (GRANTED, Waiting(1), EntryChanged(Step.PIN), REFUSED, DoorChanged(DoorState.SECURED)):
        announcer.publish(event)
    announcer.publish(Faulted(Reason.CAMERA_UNAVAILABLE, "no picture from /dev/video0"))
    announcer.publish(Recovered(Reason.CAMERA_UNAVAILABLE))
    events = taken(stream, 5)
    assert [(e.kind.value, e.reason) for e in events] == [
        ("started", ""),
        ("granted", "matched"),
        ("refused", "not_enrolled"),
        ("fault", "camera_unavailable"),
        ("recovered", "camera_unavailable"),
    ]
    assert [e.sequence for e in events] == [1, 2, 3, 4, 5]
    assert (events[1].grant_id, events[1].subject_id, events[1].name) == (id_of("g1"), SOMEBODY, None)
    assert len({e.id for e in events}) == 5
    assert len({e.run for e in events}) == 1


def test_no_score_goes_over_the_socket(announce: Callable[..., Announcer], tmp_path: Path) -> None:
    announce().publish(GRANTED)
    told = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as raw:
        raw.settimeout(PATIENCE)
        raw.connect(str(tmp_path / "kiosk.sock"))
        for _ in range(2):
            told.append(raw.recv(MAX_PACKET))
            raw.send(json.dumps({"type": "acknowledge", "id": json.loads(told[-1])["id"]}).encode())
    for number in ("0.8125", "0.9375", "0.96875", "model"):
        assert number not in told[1].decode()


def test_names_only_where_they_are_wanted(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announce(name_of=lambda subject: f"name of {subject}" * 50).publish(GRANTED)
    _, granted = taken(stream, 2)
    assert granted.name is not None
    assert granted.name.startswith(f"name of {SOMEBODY}")
    assert len(granted.name) == LONGEST_NAME


def test_what_cannot_be_told_stops_nothing(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    def broken(subject_id: str) -> str | None:
        raise RuntimeError("the gallery is gone")

    announcer = announce(name_of=broken)
    announcer.publish(GRANTED)
    announcer.publish(REFUSED)
    told = taken(stream, 3)
    assert [(e.kind.value, e.name) for e in told] == [("started", None), ("granted", None), ("refused", None)]


def test_a_subject_whose_id_is_none_is_not_named(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announce(name_of=lambda _: "Ada").publish(
        Decided(Decision(id_of("g4"), Outcome.GRANTED, Reason.MATCHED, "no id", EVIDENCE))
    )
    _, granted = taken(stream, 2)
    assert (granted.grant_id, granted.subject_id, granted.name) == (id_of("g4"), None, None)


def test_a_release_without_a_decision_is_told(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announce().publish(Unexplained(id_of("g5"), 1001))
    _, alarm = taken(stream, 2)
    assert (alarm.kind.value, alarm.grant_id) == ("release_without_decision", id_of("g5"))


def test_what_was_not_acknowledged_comes_again(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announce().publish(GRANTED)
    taken(stream, 1)
    first = None
    while first is None:
        first = stream.next(1.0)
    stream.close()
    assert taken(stream, 1) == [first]


def test_nobody_listens_and_the_oldest_go(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announcer = announce(backlog=10)
    for _ in range(100):
        announcer.publish(GRANTED)
    events = taken(stream, 10)
    assert [e.sequence for e in events] == list(range(92, 102)), "a gap tells how many were lost"


def test_an_unusual_number_of_refusals_is_told(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announcer = announce()
    for _ in range(70):
        announcer.publish(REFUSED)
    kinds = [e.kind.value for e in taken(stream, 72)]
    assert kinds == ["started", *["refused"] * 60, "many_refusals", *["refused"] * 10]


def test_a_subscriber_that_is_stuck_delays_nobody(announce: Callable[..., Announcer], tmp_path: Path) -> None:
    announcer = announce()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stuck:
        stuck.connect(str(tmp_path / "kiosk.sock"))
        begin = time.process_time(), time.monotonic()
        for _ in range(2000):
            announcer.publish(GRANTED)
        assert time.process_time() - begin[0] < 2.0, "a millisecond each at the most"
        assert time.monotonic() - begin[1] < PATIENCE


def test_a_subscriber_that_talks_nonsense_is_dropped(
    announce: Callable[..., Announcer], stream: KioskEventStream, tmp_path: Path
) -> None:
    announce().publish(GRANTED)
    for answer in (b"nonsense", b'{"type":"acknowledge","id":"%s"}' % (b"a" * 32), b'{"type":"release"}'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as bad:
            bad.settimeout(PATIENCE)
            bad.connect(str(tmp_path / "kiosk.sock"))
            assert b"started" in bad.recv(MAX_PACKET)
            bad.send(answer)
            assert bad.recv(MAX_PACKET) == b""
    assert [e.kind for e in taken(stream, 2)] == [KioskEventKind.STARTED, KioskEventKind.GRANTED]


def test_other_users_are_turned_away(announce: Callable[..., Announcer], tmp_path: Path) -> None:
    announce(users=frozenset({4321}))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.settimeout(PATIENCE)
        stranger.connect(str(tmp_path / "kiosk.sock"))
        assert stranger.recv(MAX_PACKET) == b""


def test_who_could_not_be_taken_comes_again(
    announce: Callable[..., Announcer], stream: KioskEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One moment in which all descriptors are in use ends nothing."""
    failures = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENOTCONN, "not connected")]
    ask = announcer.peer_uid

    def failing(connection: socket.socket) -> int:
        if failures:
            raise failures.pop()
        return ask(connection)

    monkeypatch.setattr(announcer, "peer_uid", failing)
    monkeypatch.setattr(announcer, "TURN_SECONDS", 0.05)
    announce().publish(GRANTED)
    assert [e.kind for e in taken(stream, 2)] == [KioskEventKind.STARTED, KioskEventKind.GRANTED]
    assert failures == []


def test_stopping_tells_who_listens(announce: Callable[..., Announcer], stream: KioskEventStream) -> None:
    announcer = announce()
    taken(stream, 1)
    announcer.stop(timeout=0.0)
    assert taken(stream, 1)[0].kind is KioskEventKind.STOPPED


def test_a_socket_that_cannot_be_made_stops_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    announcer = Announcer(tmp_path / "none" / "kiosk.sock", "main", ME)
    announcer.start()
    announcer.publish(GRANTED)
    announcer.stop(PATIENCE)
    assert "events_unavailable" in capfd.readouterr().err
