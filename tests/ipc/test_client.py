"""The client's end of a socket, with a server that the test writes packet by packet."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from kiosk.domain.errors import DoorError
from kiosk.ipc import client
from kiosk.ipc.client import Connection, EventStream
from kiosk.ipc.door_messages import MAX_PACKET, decode
from kiosk.ipc.kiosk_event_messages import AcknowledgeEvent
from kiosk.system.clock import boottime
from tests.ids import id_of

PATIENCE = 30.0
EVENTS: TypeAdapter[AcknowledgeEvent] = TypeAdapter(AcknowledgeEvent)
"""Any message does for an event."""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
        made.bind(str(tmp_path / "s"))
        made.listen()
        made.settimeout(PATIENCE)
        yield made


@pytest.fixture
def connected(listener: socket.socket, tmp_path: Path) -> Iterator[tuple[Connection, socket.socket]]:
    """Both ends."""
    connection = Connection(tmp_path / "s")
    server, _ = listener.accept()
    yield connection, server
    connection.close()
    server.close()


def event(name: str) -> bytes:
    return AcknowledgeEvent(id=id_of(name)).model_dump_json().encode()


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventStream[AcknowledgeEvent]]:
    """An event acknowledges itself."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.01)
    made = EventStream(tmp_path / "s", lambda packet: decode(EVENTS, packet), lambda told: told)
    yield made
    made.close()


def test_packets_go_both_ways(connected: tuple[Connection, socket.socket]) -> None:
    connection, server = connected
    connection.send(b"question")
    assert server.recv(MAX_PACKET) == b"question"
    server.send(b"answer")
    assert connection.receive(boottime() + PATIENCE) == b"answer"
    assert connection.receive(boottime()) is None, "nothing more"


def test_a_connection_is_alive_until_the_other_end_is_closed(connected: tuple[Connection, socket.socket]) -> None:
    connection, server = connected
    assert connection.alive()
    server.send(b"unread")
    assert connection.alive()
    assert connection.receive(boottime() + PATIENCE) == b"unread"
    server.close()
    assert not connection.alive()
    with pytest.raises(DoorError, match="hung up"):
        connection.receive(boottime() + PATIENCE)
    with pytest.raises(DoorError, match="does not listen"):
        connection.send(b"question")


def test_a_packet_that_is_too_long_is_an_error(connected: tuple[Connection, socket.socket]) -> None:
    connection, server = connected
    server.send(b"x" * (MAX_PACKET + 1))
    with pytest.raises(DoorError, match="too long"):
        connection.receive(boottime() + PATIENCE)


def test_a_server_that_does_not_read_makes_nobody_wait(connected: tuple[Connection, socket.socket]) -> None:
    connection, _ = connected

    def flood() -> None:
        for _ in range(100_000):
            connection.send(b"x" * MAX_PACKET)

    with pytest.raises(DoorError, match="does not listen"):
        flood()


@pytest.mark.parametrize("there", [False, True])
def test_where_nobody_listens_it_fails_at_once(tmp_path: Path, there: bool) -> None:
    if there:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
            dead.bind(str(tmp_path / "s"))
    with pytest.raises(DoorError, match="cannot be reached"):
        Connection(tmp_path / "s")


def test_events_come_and_are_acknowledged(listener: socket.socket, stream: EventStream[AcknowledgeEvent]) -> None:
    assert stream.next(0.0) is None
    assert stream.connected
    server, _ = listener.accept()
    with server:
        server.send(event("one"))
        told = stream.next(PATIENCE)
        assert told == AcknowledgeEvent(id=id_of("one"))
        stream.acknowledge(told)
        server.settimeout(PATIENCE)
        assert server.recv(MAX_PACKET) == event("one")


@pytest.mark.parametrize("breaking", [lambda server: server.close(), lambda server: server.send(b"garbage")])
def test_after_a_break_it_connects_again(
    listener: socket.socket, stream: EventStream[AcknowledgeEvent], breaking: Callable[[socket.socket], None]
) -> None:
    assert stream.next(0.0) is None
    first, _ = listener.accept()
    breaking(first)
    assert stream.next(0.1) is None
    second, _ = listener.accept()
    with first, second:
        second.send(event("two"))
        assert stream.next(PATIENCE) == AcknowledgeEvent(id=id_of("two"))


def test_without_a_server_there_is_no_event_and_no_error(stream: EventStream[AcknowledgeEvent]) -> None:
    assert stream.next(0.02) is None
    assert not stream.connected
    stream.acknowledge(AcknowledgeEvent(id=id_of("lost")))


def test_a_greeting_is_the_first_packet_of_each_connection(listener: socket.socket, tmp_path: Path) -> None:
    hello = AcknowledgeEvent(id=id_of("hello"))
    greeting = EventStream(tmp_path / "s", lambda packet: decode(EVENTS, packet), lambda told: told, hello)
    for _ in range(2):
        assert greeting.next(0.0) is None
        server, _ = listener.accept()
        with server:
            server.settimeout(PATIENCE)
            assert server.recv(MAX_PACKET) == event("hello")
        greeting.close()
