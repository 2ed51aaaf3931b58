"""Every message on the control socket, in both directions: malformed ones are refused, and change nothing that the
user may not change."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from kiosk.domain.rights import Users
from kiosk.ipc import limits
from kiosk.ipc.control_rights import decode_control_answer, decode_control_request
from kiosk.ipc.door_messages import MAX_PACKET, encode
from kiosk.ipc.server import listening
from kiosk.station import control
from kiosk.station.control import ControlServer
from kiosk.storage.gallery import empty_gallery
from kiosk.storage.home import Home
from tests.hostile.attack import attack, extent, packets, several
from tests.station.registers import MODEL, desk_of
from tests.station.test_enrolment import ADA, BEN, enrolment, sample

SUBJECT = "0123456789abcdef"
VECTOR = base64.b64encode(BEN.astype("<f4").tobytes()).decode()
MOMENT = "2026-03-01T12:00:00Z"
REQUESTS: list[Any] = [
    {"type": "hello"},
    {"type": "unlock", "passphrase": "correct horse battery"},
    {"type": "list", "more": False},
    {"type": "list", "more": True},
    {"type": "find", "text": "Ada"},
    {"type": "switch", "subject_id": SUBJECT, "disabled": True},
    {"type": "badge", "subject_id": SUBJECT, "badge": 7},
    {"type": "erase", "subject_id": SUBJECT, "reason": "asked"},
    {"type": "backup"},
    {"type": "cut", "dry_run": False},
    {"type": "pin", "subject_id": SUBJECT, "pin": "271828"},
    {"type": "role", "subject_id": SUBJECT, "role": "staff"},
    {"type": "pin", "subject_id": SUBJECT, "pin": "271828", "duress": "161803"},
    {"type": "number", "subject_id": SUBJECT, "number": "4711"},
    {"type": "number", "subject_id": SUBJECT, "new": True},
    {"type": "code", "subject_id": SUBJECT, "means": "qr", "kept": "ab" * 32},
    {"type": "code", "subject_id": SUBJECT, "means": "card", "kept": None},
    {"type": "need", "subject_id": SUBJECT, "need": "verify", "on": True},
    {
        "type": "issue",
        "sponsor": SUBJECT,
        "begins": MOMENT,
        "ends": "2026-03-01T20:00:00Z",
        "doors": ["main"],
        "uses": 1,
    },
    {"type": "passes", "after": 0},
    {"type": "revoke", "text": SUBJECT},
    {"type": "was_erased", "subject_id": SUBJECT},
    {"type": "sample", "picture": "a.jpg", "vector": VECTOR, "quality": 0.5},
    {"type": "enrol", "model_id": MODEL, "name": "Ben", "valid_from": MOMENT, "valid_until": None, "badge": 8},
    {"type": "enrol", "model_id": MODEL, "name": "Ben", "once": True, "new_number": True},
    {"type": "renew", "model_id": MODEL, "subject_id": SUBJECT},
    {"type": "enrol", "model_id": MODEL, "name": "Ben", "number": "4711", "needs": ["verify"]},
    {"type": "erase", "subject_id": SUBJECT, "reason": "expired", "later": True},
    {"type": "consent", "subject_id": SUBJECT, "consent": {"text": "1", "language": "de", "alternative": "a badge"}},
    {"type": "export", "subject_id": SUBJECT, "more": True},
    {"type": "begin_study", "days": 14, "text": "visits-1"},
    {"type": "end_study"},
]
BODY = {
    "id": SUBJECT, "name": "Ada", "created_at": MOMENT, "disabled": False, "valid_from": None, "valid_until": MOMENT,
    "badge": None, "role": None, "number": "4711", "verify": False, "extended": True,
}  # fmt: skip
PASS = {
    "id": SUBJECT, "sponsor": SUBJECT, "begins": MOMENT, "ends": "2026-03-01T20:00:00Z", "doors": ["main"], "uses": 1,
    "used": {"main": 1}, "revoked": None,
}  # fmt: skip
ANSWERS: list[Any] = [
    {"type": "issued", "issued": PASS, "text": "KP1AAAA"},
    {"type": "passes", "passes": [PASS, PASS], "more": True},
    {"type": "revoked", "revoked": PASS},
    {"type": "welcome", "home": "/var/lib/kiosk", "role": "staff", "locked": False},
    {"type": "people", "people": [{"subject": BODY, "enrol_again": None}], "more": True},
    {"type": "person", "subject": BODY},
    {"type": "enrolled", "subject": BODY, "already": False, "unusable": 0},
    {"type": "study", "ends": MOMENT, "visits": 0},
    {"type": "done"},
    {
        "type": "erased",
        "subject": SUBJECT,
        "at": MOMENT,
        "reason": "asked",
        "references": 1,
        "visits": 2,
        "backups": 0,
        "remains": [{"kind": "exported", "count": 2, "place": "", "day": "2026-11-29", "trouble": ""}],
    },
    {"type": "backed_up", "path": "/media/stick/a.backup", "off_card": True},
    {"type": "cut", "records": 7},
    {"type": "exported", "part": "aGVsbG8=", "more": True},
    {"type": "failed", "error": "gallery", "text": "no"},
]
ME = frozenset({os.getuid()})
NOT_ME = frozenset({os.getuid() + 1})


@extent
@pytest.mark.parametrize(
    ("decode", "samples"),
    [
        pytest.param(decode_control_request, REQUESTS, id="requests"),
        pytest.param(decode_control_answer, ANSWERS, id="answers"),
    ],
)
def test_decoders(decode: Callable[[bytes], Any], samples: list[Any], extent: float, tmp_path: Path) -> None:
    def body(packet: bytes) -> None:
        message = decode(packet)
        assert decode(encode(message)) == message

    attack(6_000, extent, packets(samples), body, tmp_path)


@extent
@pytest.mark.parametrize("role", ["auditor", "staff"])
def test_the_kiosk_serves_on_and_nothing_is_changed_in_half(
    role: str, extent: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several packets on a connection; the clients leave when they like. No fault of the program comes of it."""
    faults: list[object] = []
    monkeypatch.setattr(control, "log", lambda *told, **fields: faults.append((told, fields)))
    monkeypatch.setattr(limits, "SAVED_SECONDS", 1e9)
    monkeypatch.setattr(control, "TURN_SECONDS", 0.0)
    users = Users(admins=NOT_ME, staff=ME if role == "staff" else frozenset(), auditors=ME)
    with ExitStack() as stack:
        gallery = stack.enter_context(closing(empty_gallery()))
        enrolment(gallery).add([sample(ADA)], "Ada", badge=7)
        before = gallery.subjects()
        listener = stack.enter_context(listening(tmp_path / "control.sock", "test"))
        desk = desk_of(gallery, tmp_path)
        server = ControlServer(listener, users, Home(tmp_path), desk)
        stack.callback(server.close)

        def body(sent: list[bytes]) -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.connect(str(tmp_path / "control.sock"))
                client.setblocking(False)
                server.turn()
                for packet in sent:
                    with suppress(OSError):
                        client.send(packet)
                    server.turn()
                    with suppress(OSError):
                        client.recv(MAX_PACKET)
            server.turn()
            server.turn()

        attack(3_000, extent, several(packets(REQUESTS), 5), body, tmp_path)
        assert faults == []
        everybody, references = gallery.subjects(), gallery.references(MODEL)
        assert {r.subject_id for r in references} == {subject.id for subject in everybody}
        if role == "auditor":
            assert everybody == before
