"""The packets of the door's socket."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.door.state import DoorState, DoorStatus, Hand
from kiosk.domain.errors import DoorError
from kiosk.domain.ids import is_id
from kiosk.ipc.door_messages import (
    MAX_PACKET,
    GrantBody,
    LockdownRequest,
    Message,
    ReleaseRequest,
    ReplyMessage,
    SecureRequest,
    SimulateRequest,
    StateMessage,
    StatusMessage,
    StatusRequest,
    WatchRequest,
    decode_answer,
    decode_request,
    encode,
)
from tests.ids import id_of

ids = st.uuids().map(lambda uuid: uuid.hex)
NO_IDS = [
    "",
    "g",
    "x" * 65,
    "A" * 32,
    "a" * 31,
    "a" * 33,
    "a" * 31 + "\n",
    "a" * 32 + "\n",
    "\u0660" * 32,
    "\x1b[2J" * 8,
]
"""Empty, short, long, other letters, other digits, a second line, a terminal's commands."""
GRANT = Grant(id_of("7f"), 12.25, 13.5)


@pytest.mark.parametrize(
    ("request_", "written"),
    [
        (
            ReleaseRequest(grant=GrantBody.of(GRANT)),
            {
                "type": "release",
                "grant": {
                    "id": id_of("7f"),
                    "captured_at": 12.25,
                    "deadline": 13.5,
                    "span": "normal",
                    "renews": None,
                    "badge": None,
                },
            },
        ),
        (StatusRequest(), {"type": "status"}),
        (SecureRequest(), {"type": "secure"}),
        (LockdownRequest(on=True), {"type": "lockdown", "on": True}),
        (SimulateRequest(hand=Hand.OPEN), {"type": "simulate", "hand": "open"}),
        (WatchRequest(), {"type": "watch"}),
    ],
)
def test_requests_to_the_door_have_their_documented_json(request_: Message, written: dict[str, object]) -> None:
    packet = encode(request_)
    assert json.loads(packet) == written
    assert decode_request(packet) == request_


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (
            ReplyMessage.of(DoorReply(id_of("7f"), DoorResult.RELEASED, "", 17.5)),
            {"type": "reply", "grant_id": id_of("7f"), "result": "released", "reason": "", "released_until": 17.5},
        ),
        (
            ReplyMessage.of(DoorReply(id_of("7f"), DoorResult.REFUSED, "late")),
            {"type": "reply", "grant_id": id_of("7f"), "result": "refused", "reason": "late", "released_until": None},
        ),
        (
            StatusMessage.of(DoorStatus(DoorState.SECURED, True, 3.5)),
            {
                "type": "status",
                "state": "secured",
                "simulated": True,
                "started_at": 3.5,
                "released_until": None,
                "mode": "normal",
                "leaf": "unknown",
                "alarm": "none",
                "tamper": False,
                "faults": [],
            },
        ),
        (StateMessage(state=DoorState.FAULT), {"type": "event", "state": "fault"}),
    ],
)
def test_answers_of_the_door_have_their_documented_json(answer: Message, written: dict[str, object]) -> None:
    packet = encode(answer)
    assert json.loads(packet) == written
    assert decode_answer(packet) == answer


@given(
    st.builds(
        Grant,
        ids,
        st.floats(0, 1e9),
        st.floats(0, 1e9),
        st.sampled_from(Span),
        st.none() | ids,
    )
)
def test_a_grant_arrives_as_it_was(grant: Grant) -> None:
    request = decode_request(encode(ReleaseRequest(grant=GrantBody.of(grant))))
    assert isinstance(request, ReleaseRequest)
    assert request.grant.grant() == grant


def test_the_longest_message_fits_a_packet() -> None:
    grant = Grant(id_of("g"), 1.2345678901234567e-300, 1.2345678901234567e-300)
    assert len(encode(ReleaseRequest(grant=GrantBody.of(grant)))) <= MAX_PACKET


def test_a_reply_too_long_for_a_packet_is_not_sent() -> None:
    with pytest.raises(DoorError, match="too long"):
        encode(ReplyMessage.of(DoorReply(id_of("7f"), DoorResult.REFUSED, "x" * MAX_PACKET)))


@pytest.mark.parametrize(
    "grant",
    [
        *(Grant(text, 1, 2) for text in NO_IDS),
        Grant(id_of("g"), math.nan, 2),
        Grant(id_of("g"), 1, math.inf),
        Grant(id_of("g"), 1, 2, Span.HOLD_OPEN, "g"),
    ],
)
def test_a_senseless_grant_cannot_be_sent(grant: Grant) -> None:
    with pytest.raises(ValidationError):
        GrantBody.of(grant)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"open"}',
        b'{"type":"status","please":true}',
        b'{"type":"status"}{"type":"secure"}',
        b'{"type":"release"}',
        b'{"type":"lockdown"}',
        b'{"type":"lockdown","on":1}',
        b'{"type":"simulate","hand":"kick"}',
        b'{"type":"release","grant":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","captured_at":1,"deadline":2,"span":"for_ever"}}',
        b'{"type":"release","grant":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","captured_at":NaN,"deadline":1}}',
        b'{"type":"release","grant":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","captured_at":1,"deadline":Infinity}}',
        b'{"type":"release","grant":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","captured_at":1,"deadline":1e999}}',
        b'{"type":"release","grant":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","captured_at":"1","deadline":2}}',
        b'{"type":"release","grant":{"id":7,"captured_at":1,"deadline":2}}',
        b'{"type":"reply","grant_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","result":"released","reason":"","released_until":1}',
        b"[" * 4000,
        b'{"type":"status"}' + b" " * MAX_PACKET,
    ],
)
def test_anything_else_is_refused_with_a_reason(packet: bytes) -> None:
    with pytest.raises(DoorError, match="packet"):
        decode_request(packet)


@pytest.mark.parametrize("text", NO_IDS)
def test_only_an_id_is_an_id(text: str) -> None:
    """At every field that holds one, both ways, and for whoever asks (domain.ids)."""
    assert not is_id(text)
    assert is_id(id_of("g"))
    times = {"captured_at": 1.0, "deadline": 2.0}
    for grant in ({"id": text, **times}, {"id": id_of("g"), "span": "hold_open", "renews": text, **times}):
        with pytest.raises(DoorError, match="packet"):
            decode_request(json.dumps({"type": "release", "grant": grant}).encode())
    reply = {"type": "reply", "grant_id": text, "result": "released", "reason": "", "released_until": 1.0}
    with pytest.raises(DoorError, match="packet"):
        decode_answer(json.dumps(reply).encode())


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(packet: bytes) -> None:
    with pytest.raises(DoorError):
        decode_request(packet)
