"""The packets of the door's events."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.domain.door.events import DOOR_NAME_PATTERN, DoorEvent, DoorEventKind, DoorReason, SecuredBy
from kiosk.domain.door.grants import Span
from kiosk.domain.door.state import Alarm, DoorFault
from kiosk.domain.errors import DoorError
from kiosk.ipc.door_event_messages import (
    AcknowledgeRequest,
    DoorEventMessage,
    DoorEventStream,
    SubscribeRequest,
    decode_event,
    decode_subscriber,
)
from kiosk.ipc.door_messages import MAX_PACKET, encode
from tests.ids import id_of

ids = st.uuids().map(lambda uuid: uuid.hex)
REASONS: list[DoorReason] = ["", *Span, *SecuredBy, *Alarm, *DoorFault]
EVENT = DoorEvent(
    17,
    id_of("e"),
    DoorEventKind.ACCESS_TAKEN,
    "main",
    datetime(2026, 3, 1, 7, 30, 0, 5, UTC),
    12.25,
    id_of("g"),
    Span.NORMAL,
    1001,
)


def test_an_event_has_its_documented_json() -> None:
    packet = encode(DoorEventMessage.of(EVENT))
    assert json.loads(packet) == {
        "type": "event",
        "sequence": 17,
        "id": id_of("e"),
        "kind": "access_taken",
        "door": "main",
        "wall_at": "2026-03-01T07:30:00.000005Z",
        "at": 12.25,
        "grant_id": id_of("g"),
        "reason": "normal",
        "uid": 1001,
    }
    assert decode_event(packet) == EVENT


def test_each_reason_belongs_to_one_type() -> None:
    assert len({*REASONS}) == len(REASONS)
    assert {type(decode_event(encode(DoorEventMessage.of(replace(EVENT, reason=r)))).reason) for r in REASONS} == {
        str,
        Span,
        SecuredBy,
        Alarm,
        DoorFault,
    }


@given(
    st.builds(
        DoorEvent,
        sequence=st.integers(0, 2**62),
        id=ids,
        kind=st.sampled_from(DoorEventKind),
        door=st.from_regex(DOOR_NAME_PATTERN, fullmatch=True, alphabet="ab0-"),
        wall_at=st.datetimes(timezones=st.just(UTC)),
        at=st.floats(0, 1e9),
        grant_id=st.none() | ids,
        reason=st.sampled_from(REASONS),
        uid=st.none() | st.integers(0, 2**32 - 1),
    )
)
def test_an_event_arrives_as_it_was(event: DoorEvent) -> None:
    packet = encode(DoorEventMessage.of(event))
    assert len(packet) <= MAX_PACKET
    assert decode_event(packet) == event


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "5f0c"),
        ("grant_id", "granted matched Ada\n"),
        ("door", "main\n"),
        ("door", "../main"),
        ("reason", "because"),
        ("reason", "A" * 200),
    ],
)
def test_every_text_of_an_event_is_an_id_a_door_or_a_reason(key: str, value: str) -> None:
    row = json.loads(encode(DoorEventMessage.of(EVENT)))
    with pytest.raises(DoorError, match="packet"):
        decode_event(json.dumps(row | {key: value}).encode())


def test_a_subscribers_requests_have_their_documented_json() -> None:
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
