"""What a monitoring program is told: states and counts, and nothing of a person."""

from __future__ import annotations

import socket
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.state import DoorState
from kiosk.domain.updates import Decided, DoorChanged, Faulted, Recovered, Update
from kiosk.ipc.server import listening
from kiosk.sections import HealthConfig
from kiosk.station import vitals
from kiosk.station.vitals import Vitals, VitalsServer, telling

EVIDENCE = Evidence(1, 100.0, datetime(2026, 3, 1, tzinfo=UTC), frames=3)
ADA = "0a5b6c7d8e9f0a1b"


def decided(outcome: Outcome, reason: Reason) -> Decided:
    return Decided(Decision("grant-1", outcome, reason, ADA, EVIDENCE))


def asked(path: Path) -> bytes:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = b""
        while part := connection.recv(65536):
            said += part
        return said


def test_it_counts_decisions_and_knows_faults_and_the_door() -> None:
    found = Vitals(lambda: ["camera"], 1000.4)
    for update in (
        decided(Outcome.GRANTED, Reason.MATCHED),
        decided(Outcome.REFUSED, Reason.NOT_ENROLLED),
        decided(Outcome.REFUSED, Reason.NOT_ENROLLED),
        Faulted(Reason.CAMERA_UNAVAILABLE, "unplugged"),
        Faulted(Reason.AUDIT_UNAVAILABLE, "full"),
        Recovered(Reason.AUDIT_UNAVAILABLE),
        DoorChanged(DoorState.SECURED),
    ):
        found.take(update)
    lines = found.text().splitlines()
    assert set(lines) >= {
        "kiosk_start_time_seconds 1000",
        "kiosk_silent_threads 1",
        'kiosk_decisions_total{outcome="granted",reason="matched"} 1',
        'kiosk_decisions_total{outcome="refused",reason="not_enrolled"} 2',
        'kiosk_door{state="secured"} 1',
        'kiosk_door{state="unknown"} 0',
    }
    assert [line for line in lines if line.startswith("kiosk_fault")] == ['kiosk_fault{reason="camera_unavailable"} 1']


def test_nothing_of_a_person_is_told() -> None:
    found = Vitals(list, 0.0)
    found.take(decided(Outcome.GRANTED, Reason.MATCHED))
    assert ADA not in found.text()
    assert "grant-1" not in found.text()


def test_each_sample_has_a_type_and_the_shape_that_prometheus_reads() -> None:
    found = Vitals(list, 0.0)
    found.take(decided(Outcome.GRANTED, Reason.MATCHED))
    typed: set[str] = set()
    for line in found.text().splitlines():
        if line.startswith("# TYPE "):
            typed.add(line.split()[2])
        else:
            name, value = line.rsplit(" ", 1)
            assert name.split("{")[0] in typed
            float(value)
    assert found.text().endswith("\n")


def test_the_socket_answers_whoever_may_ask_and_what_is_published_goes_on(tmp_path: Path) -> None:
    path, published = tmp_path / "health.sock", list[Update]()
    with telling(HealthConfig(socket=path), lambda: ["witness"], published.append) as publish:
        publish(decided(Outcome.GRANTED, Reason.MATCHED))
        head, _, body = asked(path).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"kiosk_silent_threads 1\n" in body
    assert b'reason="matched"} 1\n' in body
    assert len(published) == 1
    assert not path.exists()


def test_others_are_hung_up_on(tmp_path: Path) -> None:
    with listening(tmp_path / "health.sock", "the kiosk", socket.SOCK_STREAM) as listener:
        server = VitalsServer(listener, frozenset(), Vitals(list, 0.0))
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as stranger:
            stranger.settimeout(30)
            stranger.connect(str(tmp_path / "health.sock"))
            server.turn()
            assert stranger.recv(100) == b""


def test_a_reader_that_neither_asks_nor_reads_does_not_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "ASKING_SECONDS", 0.01)
    path = tmp_path / "health.sock"
    with telling(HealthConfig(socket=path), list, lambda _: None), closing(socket.socket(socket.AF_UNIX)) as idle:
        idle.connect(str(path))
        assert b"200 OK" in asked(path)


def test_without_a_socket_there_is_none_and_a_place_that_cannot_be_had_stops_nothing(tmp_path: Path) -> None:
    for section in (HealthConfig(), HealthConfig(socket=tmp_path / "no" / "folder" / "health.sock")):
        published: list[Update] = []
        with telling(section, list, published.append) as publish:
            publish(DoorChanged(DoorState.SECURED))
        assert len(published) == 1
