"""The kiosk's own events on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from kiosk.domain.decision import Reason
from kiosk.domain.errors import DoorError
from kiosk.domain.notices import KioskEvent, KioskEventKind
from kiosk.ipc.door_messages import decode, encode
from kiosk.ipc.kiosk_event_messages import _EVENTS, AcknowledgeEvent, KioskEventMessage, acknowledged
from tests.ids import id_of

MESSAGE = KioskEventMessage(
    run=id_of("run"),
    sequence=2,
    id=id_of("event"),
    kind=KioskEventKind.REFUSED,
    door="main",
    wall_at=datetime(2026, 3, 1, 7, 30, tzinfo=UTC),
    grant_id=id_of("g1"),
    subject_id="0123456789abcdef",
    name="Ada Example",
    reason=Reason.SUBJECT_DISABLED,
)


def test_the_bytes_on_the_wire_are_these() -> None:
    """Kiosk and kiosk-notify may be of different versions while an update is installed."""
    assert json.loads(encode(MESSAGE)) == {
        "type": "event",
        "run": id_of("run"),
        "sequence": 2,
        "id": id_of("event"),
        "kind": "refused",
        "door": "main",
        "wall_at": "2026-03-01T07:30:00Z",
        "grant_id": id_of("g1"),
        "subject_id": "0123456789abcdef",
        "name": "Ada Example",
        "reason": "subject_disabled",
        "checkpoint": None,
    }


@pytest.mark.parametrize("reason", ["", *Reason])
def test_each_reason_comes_over_as_it_was(reason: Reason) -> None:
    sent = MESSAGE.model_copy(update={"reason": reason})
    event = decode(_EVENTS, encode(sent)).event()
    assert isinstance(event, KioskEvent)
    assert event.reason == reason
    assert type(event.reason) is type(reason)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run", "a"),
        ("id", "A" * 32),
        ("grant_id", "granted matched Ada"),
        ("subject_id", "somebody"),
        ("subject_id", "0123456789abcdef\n"),
        ("door", "front door"),
        ("reason", "dGVtcGxhdGU" * 10),
        ("reason", "matched "),
        ("name", "Ada\nLovelace"),
        ("name", "\x1b[2J"),
        ("name", "x" * 101),
        ("name", ""),
        ("wall_at", "now"),
    ],
)
def test_every_text_from_the_kiosk_is_one_of_a_few_kinds(key: str, value: str) -> None:
    """What a kiosk that was taken over could say in it is nothing."""
    with pytest.raises(DoorError, match="packet"):
        decode(_EVENTS, json.dumps(json.loads(encode(MESSAGE)) | {key: value}).encode())


def test_an_acknowledgement_names_one_event() -> None:
    assert acknowledged(encode(AcknowledgeEvent(id=id_of("event")))) == id_of("event")
    with pytest.raises(DoorError, match="packet"):
        acknowledged(b'{"type":"acknowledge"}')
