"""The control socket: who may ask for what, and what comes of packets that are none."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.entry import Means
from kiosk.domain.errors import ConfigError, DoorError, GalleryError, NotAllowedError
from kiosk.domain.people import Consent, Need
from kiosk.domain.rights import Role, Users
from kiosk.ipc.client import Connection
from kiosk.ipc.control_rights import ControlAnswer, ControlRequest, decode_control_answer
from kiosk.ipc.door_messages import MAX_PACKET
from kiosk.sections import ControlConfig
from kiosk.station.control import LONGEST_FAILURE, MAX_CLIENTS, serving, users_of
from kiosk.station.control_client import RemoteRegister
from kiosk.station.desk import RegisterDesk
from kiosk.station.register import Applicant
from kiosk.station.samples import VECTOR_BYTES
from kiosk.storage.claims import digest
from kiosk.storage.erasure import ASKED
from kiosk.storage.gallery import Gallery, empty_gallery
from kiosk.storage.home import Home
from tests.station.registers import MODEL, erasing, remote, served, upkeep
from tests.station.test_enrolment import ADA, BEN, enrolment, sample

ME = os.getuid()
NOON, LATER = datetime(2026, 3, 1, 12, 0, tzinfo=UTC), datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
AGREED = Consent("2", "en", NOON, "somebody", "a badge")


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with closing(empty_gallery()) as opened:
        yield opened


def users(role: Role | None) -> Users:
    """Me in one role, another user as admin."""
    mine = frozenset({ME})
    return Users(
        admins=mine if role is Role.ADMIN else frozenset({ME + 1}),
        staff=mine if role is Role.STAFF else frozenset(),
        auditors=mine if role is Role.AUDITOR else frozenset(),
    )


@pytest.mark.parametrize("role", [Role.ADMIN, Role.STAFF])
def test_admins_and_staff_look_after_people(gallery: Gallery, tmp_path: Path, role: Role) -> None:
    with remote(gallery, tmp_path, users(role)) as register:
        assert register.role is role
        assert register.home == tmp_path
        ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
        register.erase(ada.id, ASKED)


def test_an_auditor_sees_people_and_changes_nothing(gallery: Gallery, tmp_path: Path) -> None:
    with remote(gallery, tmp_path, users(Role.ADMIN)) as register:
        ada = register.enrol([sample(ADA)], Applicant("Ada", badge=7)).subject
    with remote(gallery, tmp_path, users(Role.AUDITOR)) as register:
        assert [each.subject for each in register.everybody()] == [ada]
        assert register.find("Ada") == ada
        for forbidden in (
            lambda: register.erase(ada.id, ASKED),
            lambda: register.set_disabled(ada.id, True),
            lambda: register.set_badge(ada.id, None),
            lambda: register.enrol([sample(BEN)], Applicant("Ben")),
            lambda: register.renew([sample(ADA)], ada.id),
            lambda: register.set_pin(ada.id, "271828"),
            lambda: register.set_role(ada.id, Role.ADMIN),
            register.back_up,
            lambda: register.cut(False),
            lambda: register.set_number(ada.id, "4711"),
            lambda: register.set_code(ada.id, Means.QR, digest("a code")),
            lambda: register.set_need(ada.id, Need.VERIFY, False),
            lambda: register.issue_pass(ada.id, NOON, LATER, ["main"], 1),
            register.passes,
            lambda: register.revoke_pass("0123456789abcdef"),
            lambda: register.unlock("whatever"),
            lambda: register.set_consent(ada.id, AGREED),
            lambda: register.erase_all([ada.id, ada.id], ASKED),
            lambda: register.kept(ada),
        ):
            with pytest.raises(NotAllowedError, match="an auditor may not do this"):
                forbidden()
        assert register.everybody()[0].subject == ada, "the connection is as good as before"
    assert gallery.subjects() == [ada]


def test_staff_make_nobody_staff_or_admin(gallery: Gallery, tmp_path: Path) -> None:
    with remote(gallery, tmp_path, users(Role.STAFF)) as register:
        ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
        for forbidden in (
            lambda: register.kept(ada),
            lambda: register.set_pin(ada.id, "271828"),
            lambda: register.set_pin(ada.id, "271828", "161803"),
            lambda: register.set_role(ada.id, Role.STAFF),
            register.back_up,
            lambda: register.cut(False),
            lambda: register.unlock("whatever"),
        ):
            with pytest.raises(NotAllowedError, match="staff may not do this"):
                forbidden()
    assert gallery.pin_of(ada.id) is None


def test_staff_change_nobody_who_has_a_role(gallery: Gallery, tmp_path: Path) -> None:
    """Otherwise they would come in as an admin, by a code or number of their own choice."""
    with remote(gallery, tmp_path, users(Role.ADMIN)) as register:
        ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
        register.set_pin(ada.id, "271828")
        before = register.set_role(ada.id, Role.ADMIN)
    with remote(gallery, tmp_path, users(Role.STAFF)) as register:
        for forbidden in (
            lambda: register.erase(ada.id, ASKED),
            lambda: register.erase_all([ada.id, ada.id], ASKED),
            lambda: register.set_consent(ada.id, AGREED),
            lambda: register.set_disabled(ada.id, True),
            lambda: register.set_badge(ada.id, 7),
            lambda: register.set_number(ada.id, "4711"),
            lambda: register.set_code(ada.id, Means.QR, digest("x")),
            lambda: register.set_need(ada.id, Need.VERIFY, False),
            lambda: register.renew([sample(ADA)], ada.id),
        ):
            with pytest.raises(NotAllowedError, match="only an admin"):
                forbidden()
    with remote(gallery, tmp_path, users(Role.ADMIN)) as register:
        assert register.find(ada.id) == before
        assert register.set_disabled(ada.id, True).disabled
        register.set_role(ada.id, None)
    with remote(gallery, tmp_path, users(Role.STAFF)) as register:
        assert register.set_number(ada.id, "4711").number == "4711"


def test_a_stranger_is_not_heard(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(DoorError), remote(gallery, tmp_path, users(None)):
        pass


class _Ask:
    """Packets as they are, over the real socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(20.0)
        self._socket.connect(str(path))

    def __call__(self, packet: bytes) -> bytes:
        self._socket.send(packet)
        return self._socket.recv(MAX_PACKET)

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize(
    "packet",
    [
        b"x",
        b"{}",
        b'{"type": "list", "other": 1}',
        b'{"type": "nothing"}',
        b'{"type": "erase", "reason": "asked", "subject_id": "../../etc"}',
        b'{"type": "enrol", "model_id": "m", "name": ""}',
        b'{"type": "sample", "picture": "a", "vector": "", "quality": NaN}',
        b'{"type": "unlock", "passphrase": ""}',
        b"[" * 4000,
        b"\xff" * 100,
        b" " * (MAX_PACKET + 1),
    ],
)
def test_what_is_no_request_ends_the_connection_and_changes_nothing(
    gallery: Gallery, tmp_path: Path, packet: bytes
) -> None:
    with remote(gallery, tmp_path) as register:
        with closing(_Ask(tmp_path / "control.sock")) as ask:
            assert ask(packet) == b""
        assert register.everybody() == []


def test_a_vector_of_another_length_or_without_a_direction_is_no_sample(gallery: Gallery, tmp_path: Path) -> None:
    with remote(gallery, tmp_path), closing(_Ask(tmp_path / "control.sock")) as ask:
        numbers = [np.full(128, n, "<f4").tobytes() for n in (0.0, np.nan, np.inf, 1e30)]
        wrong = [base64.b64encode(n).decode() for n in (*numbers, bytes(128))]
        for vector in ("", "!!!", "AAAA", "A" * 4 * (VECTOR_BYTES // 3 + 1), *wrong):
            request = {"type": "sample", "picture": "a", "vector": vector, "quality": 0.5}
            answer = decode_control_answer(ask(json.dumps(request).encode()))
            assert answer.type == "failed"
            assert answer.error == "sample"


def test_samples_belong_to_who_sent_them_and_are_used_once(gallery: Gallery, tmp_path: Path) -> None:
    with (
        remote(gallery, tmp_path) as register,
        closing(RemoteRegister(Connection(tmp_path / "control.sock"), MODEL)) as other,
    ):
        register._hand_over([sample(ADA)])
        with pytest.raises(GalleryError, match="no samples came before"):
            other.enrol([], Applicant("Ben"))
        register.enrol([], Applicant("Ada"))
        with pytest.raises(GalleryError, match="no samples came before"):
            register.enrol([], Applicant("Ada"))
    assert [subject.name for subject in gallery.subjects()] == ["Ada"]


def test_more_samples_than_references_are_refused(gallery: Gallery, tmp_path: Path) -> None:
    with remote(gallery, tmp_path) as register:
        for _ in range(5):
            register._hand_over([sample(ADA)])
        with pytest.raises(Exception, match="more than 5 samples"):
            register._hand_over([sample(ADA)])


def test_samples_of_another_network_enrol_nobody(gallery: Gallery, tmp_path: Path) -> None:
    with remote(gallery, tmp_path) as register:
        register.model_id = "another"
        with pytest.raises(GalleryError, match="another network"):
            register.enrol([sample(ADA)], Applicant("Ada"))
    assert gallery.subjects() == []


def test_where_consent_is_required_the_kiosk_asks_for_it_too(gallery: Gallery, tmp_path: Path) -> None:
    desk = RegisterDesk(gallery, (MODEL,), enrolment, erasing(tmp_path), upkeep(gallery, tmp_path), consent=True)
    agreed = Consent("2026-1", "en", datetime(2026, 3, 1, tzinfo=UTC), "somebody", "a badge")
    with served(desk, tmp_path) as path, closing(RemoteRegister(Connection(path), MODEL)) as register:
        with pytest.raises(GalleryError, match="which text the person has agreed to"):
            register.enrol([sample(ADA)], Applicant("Ada"))
        ada = register.enrol([sample(ADA)], Applicant("Ada", consent=agreed)).subject
        with pytest.raises(GalleryError, match="which text the person has agreed to"):
            register.renew([sample(ADA)], ada.id)
    assert [subject.consent is not None for subject in gallery.subjects()] == [True]


class _Failing:
    """A desk with a fault in it."""

    locked = False

    def __init__(self, error: Exception) -> None:
        self.error = error

    def of_somebody_with_a_role(self, request: ControlRequest) -> bool:
        """Nobody."""
        return False

    def answer(self, client: int, uid: int, request: ControlRequest) -> ControlAnswer:
        """Raises the fault."""
        raise self.error

    def forget(self, client: int) -> None:
        """Nothing to forget."""


@pytest.mark.parametrize(
    ("error", "told"),
    [(RuntimeError("inner"), "look whether this was done"), (GalleryError("é" * 5000), "é" * LONGEST_FAILURE)],
)
def test_a_fault_is_told_and_the_kiosk_works_on(tmp_path: Path, error: Exception, told: str) -> None:
    with served(_Failing(error), tmp_path) as path, closing(RemoteRegister(Connection(path))) as register:
        for _ in range(2):
            with pytest.raises(GalleryError, match=told):
                register.everybody()


def test_one_user_has_only_some_connections(gallery: Gallery, tmp_path: Path) -> None:
    with remote(gallery, tmp_path):
        more = [RemoteRegister(Connection(tmp_path / "control.sock")) for _ in range(MAX_CLIENTS - 1)]
        with pytest.raises(DoorError):
            RemoteRegister(Connection(tmp_path / "control.sock"))
        for each in more:
            each.close()


def test_an_unknown_user_in_the_configuration_is_named() -> None:
    with pytest.raises(ConfigError, match=r"control\.staff: there is no user 'nobody-of-this-name'"):
        users_of(ControlConfig(staff=("nobody-of-this-name",)))
    assert users_of(ControlConfig(auditors=("4242",))).role(4242) is Role.AUDITOR
    assert users_of(ControlConfig()).role(ME) is users_of(ControlConfig()).role(0) is Role.ADMIN


def test_a_socket_that_cannot_be_made_does_not_stop_the_kiosk(tmp_path: Path) -> None:
    section = ControlConfig(socket=tmp_path / "no" / "such" / "folder.sock")
    with serving(section, Home(tmp_path), _Failing(RuntimeError())):
        pass
    with serving(ControlConfig(), Home(tmp_path), _Failing(RuntimeError())):
        assert list(tmp_path.iterdir()) == []
