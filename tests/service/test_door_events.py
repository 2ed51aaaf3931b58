"""The packets of the door's events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.domain.door_events import DoorEvent, DoorEventKind
from kiosk.domain.errors import DoorError
from kiosk.service.door_events import (
    AcknowledgeRequest,
    DoorEventMessage,
    DoorEventStream,
    SubscribeRequest,
    decode_event,
    decode_subscriber,
)
from kiosk.service.door_protocol import MAX_PACKET, encode

EVENT = DoorEvent(
    17, "5f0c", DoorEventKind.ACCESS_TAKEN, "main", datetime(2026, 3, 1, 7, 30, 0, 5, UTC), 12.25, "g7", "normal"
)


def test_an_event_as_written() -> None:
    packet = encode(DoorEventMessage.of(EVENT))
    assert json.loads(packet) == {
        "type": "event",
        "sequence": 17,
        "id": "5f0c",
        "kind": "access_taken",
        "door": "main",
        "wall_at": "2026-03-01T07:30:00.000005Z",
        "at": 12.25,
        "grant_id": "g7",
        "reason": "normal",
    }
    assert decode_event(packet) == EVENT


@given(
    st.builds(
        DoorEvent,
        sequence=st.integers(0, 2**62),
        id=st.text(min_size=1, max_size=64),
        kind=st.sampled_from(DoorEventKind),
        door=st.text(min_size=1, max_size=32),
        wall_at=st.datetimes(timezones=st.just(UTC)),
        at=st.floats(0, 1e9),
        grant_id=st.none() | st.text(min_size=1, max_size=64),
        reason=st.text(max_size=200),
    )
)
def test_an_event_arrives_as_it_was(event: DoorEvent) -> None:
    packet = encode(DoorEventMessage.of(event))
    assert len(packet) <= MAX_PACKET
    assert decode_event(packet) == event


def test_requests_as_written() -> None:
    for request, written in (
        (SubscribeRequest(subscriber="notify"), {"type": "subscribe", "subscriber": "notify"}),
        (AcknowledgeRequest(sequence=17), {"type": "acknowledge", "sequence": 17}),
    ):
        assert json.loads(encode(request)) == written
        assert decode_subscriber(encode(request)) == request


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"[]",
        b'{"type":"release"}',
        b'{"type":"secure"}',
        b'{"type":"subscribe","subscriber":"../x"}',
        b'{"type":"subscribe","subscriber":""}',
        b'{"type":"acknowledge","sequence":-1}',
        b'{"type":"acknowledge","sequence":1.5}',
        b'{"type":"acknowledge","sequence":"1"}',
    ],
)
def test_anything_else_is_refused_with_a_reason(packet: bytes) -> None:
    with pytest.raises(DoorError, match="packet"):
        decode_subscriber(packet)


def test_a_stream_without_a_door_gives_nothing(tmp_path: Path) -> None:
    stream = DoorEventStream(tmp_path / "none", "notify")
    assert stream.next(0.01) is None
    assert not stream.connected
    stream.acknowledge(EVENT)
    with pytest.raises(ValidationError):
        DoorEventStream(tmp_path / "none", "Not a name")
