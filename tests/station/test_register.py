"""The register, on an open gallery and over the control socket: both do the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.audit import AuditKind
from kiosk.domain.entry import Claim, Means
from kiosk.domain.errors import GalleryError, KioskError, SampleError, UnsafeError
from kiosk.domain.people import Consent, Need, NewReference
from kiosk.domain.rights import Role
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.ipc.client import Connection
from kiosk.ipc.kept_messages import ExportedMessage, ExportRequest, KeptBody
from kiosk.station.control_client import RemoteRegister
from kiosk.station.desk import RegisterDesk
from kiosk.station.register import Applicant, GalleryRegister, Listed, Register
from kiosk.storage.audit import Audit
from kiosk.storage.claims import Claims, digest
from kiosk.storage.erasure import ASKED, EXPIRED, WITHDRAWN
from kiosk.storage.gallery import Gallery, empty_gallery
from kiosk.storage.kept import kept_of
from kiosk.storage.passes import Passes
from kiosk.storage.pins import Pins
from kiosk.system.users import named
from tests.station.registers import MODEL, erasing, remote, served, upkeep
from tests.station.test_enrolment import ADA, ADA_AGAIN, BEN, enrolment, sample, template, turned

SOMEBODY = "0123456789abcdef"
NOON, LATER = datetime(2026, 3, 1, 12, 0, tzinfo=UTC), datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with closing(empty_gallery()) as opened:
        yield opened


@pytest.fixture(params=["local", "remote"])
def register(request: pytest.FixtureRequest, gallery: Gallery, tmp_path: Path) -> Iterator[Register]:
    if request.param == "local":
        gallery.by = f"uid {os.getuid()}"
        yield GalleryRegister(gallery, MODEL, enrolment, erasing(tmp_path))
        return
    with remote(gallery, tmp_path) as asked:
        yield asked


def test_somebody_is_enrolled_found_changed_and_removed(register: Register, gallery: Gallery) -> None:
    ada = register.enrol([sample(ADA), sample(ADA_AGAIN)], Applicant("Ada Lovelace", NOON, LATER, 7)).subject
    assert (ada.name, ada.valid_from, ada.valid_until, ada.badge) == ("Ada Lovelace", NOON, LATER, 7)
    assert register.find("Ada Lovelace") == ada == gallery.subject(ada.id)
    assert [r.template.tobytes() for r in gallery.references(MODEL)] == turned(gallery, ADA, ADA_AGAIN)
    assert register.set_disabled(ada.id, True).disabled
    assert register.set_badge(ada.id, None).badge is None
    assert not register.set_disabled(ada.id, False).disabled
    register.renew([sample(ADA_AGAIN)], ada.id)
    assert [r.template.tobytes() for r in gallery.references(MODEL)] == turned(gallery, ADA_AGAIN)
    assert not register.was_erased(ada.id)
    done = register.erase(ada.id, ASKED)
    assert (done.subject, done.reason, done.references) == (ada.id, ASKED, 1)
    assert done.remains
    assert register.was_erased(ada.id)
    assert register.erase(ada.id, ASKED).references == 0, "what was cut off is ended"
    assert register.everybody() == gallery.subjects() == []


def test_who_changed_something_is_in_its_record(register: Register, gallery: Gallery) -> None:
    ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
    register.set_disabled(ada.id, True)
    register.erase(ada.id, WITHDRAWN)
    changes = [r for r in Audit(gallery.store).records() if r.kind in {AuditKind.ENROLMENT, AuditKind.SUBJECT}]
    me = f"uid {os.getuid()}"
    assert {(r.outcome, r.detail["by"]) for r in changes} == {("enrolled", me), ("disabled", me), ("removed", me)}


def test_consent_is_kept_and_over_the_socket_the_kernel_says_before_whom(register: Register, gallery: Gallery) -> None:
    given = Consent("1", "de", NOON, "somebody", "a badge")
    ada = register.enrol([sample(ADA)], Applicant("Ada", consent=given)).subject
    register.renew([sample(ADA_AGAIN)], ada.id)
    for again in (None, Consent("2", "en", NOON, "somebody", "a badge")):
        kept = gallery.find(ada.id).consent
        assert kept is not None
        assert (kept.text, kept.language, kept.alternative) == (given.text, given.language, given.alternative)
        if isinstance(register, RemoteRegister):
            assert kept.at > NOON
            assert kept.staff == named(os.getuid())
        if again is not None:
            given = again
            register.renew([sample(ADA)], ada.id, again)
    kept = gallery.find(ada.id).consent
    assert kept is not None
    assert kept.text == "2"


def test_a_refusal_is_the_same_error_with_the_same_words(register: Register) -> None:
    ada = register.enrol([sample(ADA)], Applicant("Ada", badge=7)).subject
    with pytest.raises(SampleError, match=f"look like (<{ada.id}>|{ada.id}), who is enrolled already"):
        register.enrol([sample(ADA_AGAIN)], Applicant("Cleo"))
    with pytest.raises(GalleryError, match="badge 7 is that of"):
        register.enrol([sample(BEN)], Applicant("Ben", badge=7))
    for unknown in ("Nobody", "", "x" * 500, "\udcff"):
        with pytest.raises(GalleryError, match="nobody of this name or id is enrolled"):
            register.find(unknown)
    for change in (lambda: register.set_disabled(SOMEBODY, True), lambda: register.erase(SOMEBODY, ASKED)):
        with pytest.raises(GalleryError, match="nobody of this id is enrolled"):
            change()
    assert not register.was_erased("Ada")
    assert [each.subject for each in register.everybody()] == [ada]


def test_more_than_the_error_rates_carry_is_unsafe(gallery: Gallery, tmp_path: Path) -> None:
    few = Thresholds([OperatingPoint(1e-3, 0.5)], 1e-3)
    kept = upkeep(gallery, tmp_path)
    desk = RegisterDesk(gallery, (MODEL,), lambda own: enrolment(own, few), erasing(tmp_path), kept)
    with (
        served(desk, tmp_path) as path,
        closing(RemoteRegister(Connection(path), MODEL)) as asked,
    ):
        asked.enrol([sample(ADA)], Applicant("Ada"))
        with pytest.raises(UnsafeError, match="carries"):
            asked.enrol([sample(BEN)], Applicant("Ben"))


def test_a_role_needs_a_pin_and_a_pin_stays_while_there_is_a_role(register: Register, gallery: Gallery) -> None:
    ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
    with pytest.raises(GalleryError, match="a role needs a PIN"):
        register.set_role(ada.id, Role.STAFF)
    for bad in ("12345", "123456", "777777", "27182a", "²71828", "1" * 13):
        with pytest.raises(GalleryError, match="PIN"):
            register.set_pin(ada.id, bad)
    assert register.set_pin(ada.id, "271828").role is None
    assert register.set_role(ada.id, Role.STAFF).role is Role.STAFF
    assert register.find("Ada").role is Role.STAFF
    with pytest.raises(GalleryError, match="take the role away first"):
        register.set_pin(ada.id, None)
    assert register.set_role(ada.id, None).role is None
    register.set_pin(ada.id, None)
    assert gallery.pin_of(ada.id) is None
    told = [(r.outcome, r.detail.get("role")) for r in Audit(gallery.store).records(kinds=(AuditKind.SUBJECT,))]
    assert told == [("pin_set", None), ("role_set", "staff"), ("role_cleared", None), ("pin_cleared", None)]


def test_other_ways_in_are_given_and_taken(register: Register, gallery: Gallery) -> None:
    ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
    ben = register.enrol([sample(BEN)], Applicant("Ben")).subject
    found = Claims(gallery)
    assert register.set_number(ada.id, "4711").number == "4711"
    assert found.find(Claim(Means.NUMBER, "4711")) == ada.id
    chosen = register.set_number(ada.id, None, new=True).number
    assert chosen is not None
    assert found.find(Claim(Means.NUMBER, chosen)) == ada.id
    assert found.find(Claim(Means.NUMBER, "4711")) is None
    for means in (Means.QR, Means.CARD):
        register.set_code(ada.id, means, digest("a secret"))
        assert found.find(Claim(means, "a secret")) == ada.id
        with pytest.raises(GalleryError, match=f"is that of {ada.id}"):
            register.set_code(ben.id, means, digest("a secret"))
        register.set_code(ada.id, means, None)
        assert found.find(Claim(means, "a secret")) is None
    with pytest.raises(GalleryError, match=f"number {chosen} is that of {ada.id}"):
        register.set_number(ben.id, chosen)
    for bad in ("1", "12345678901", "12a4", ""):
        with pytest.raises(GalleryError, match="4 to 8 digits"):
            register.set_number(ada.id, bad)
    assert register.set_number(ada.id, None).number is None
    assert register.set_need(ada.id, Need.VERIFY, True).verify
    assert register.set_need(ada.id, Need.EXTENDED, True) == gallery.subject(ada.id)
    assert register.find("Ada").extended
    register.set_pin(ada.id, "271828", "161803")
    assert Pins(gallery).check("7", ada.id, "161803").duress
    for pin, duress in (("271828", "271829"), (None, "161803"), ("271828", "x")):
        with pytest.raises(GalleryError, match="PIN"):
            register.set_pin(ada.id, pin, duress)
    with pytest.raises(GalleryError, match="nobody of this id"):
        register.set_need(SOMEBODY, Need.VERIFY, True)


def test_a_number_is_chosen_with_the_enrolment_where_one_is_wanted(register: Register, gallery: Gallery) -> None:
    ada = register.enrol([sample(ADA)], Applicant("Ada", new_number=True)).subject
    ben = register.enrol([sample(BEN)], Applicant("Ben")).subject
    assert ada.number is not None
    assert ben.number is None
    assert Claims(gallery).find(Claim(Means.NUMBER, ada.number)) == ada.id


def test_passes_are_issued_listed_and_revoked(register: Register, gallery: Gallery) -> None:
    now = datetime.now(UTC)
    ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
    made = [
        register.issue_pass(ada.id, now, now + timedelta(hours=hour), ["main", "a" * 28], 100) for hour in range(1, 13)
    ]
    assert [issued.told for issued in register.passes()] == [told for told, _ in made]
    assert Passes(gallery).use(made[0][1], "main", now).good
    assert dict(register.passes()[0].used) == {"main": 1}
    assert register.revoke_pass(made[0][0].id).revoked is not None
    assert not Passes(gallery).use(made[0][1], "main", now).good
    for bad in ((ada.id, now, now, ["main"], 1), (ada.id, now, now + timedelta(hours=1), ["Main"], 1),
                (ada.id, now, now + timedelta(hours=1), [], 1), (ada.id, now, now + timedelta(hours=1), ["a"], 0),
                (SOMEBODY, now, now + timedelta(hours=1), ["main"], 1)):  # fmt: skip
        with pytest.raises(KioskError):
            register.issue_pass(*bad)
    for text in ("", "zz", "x" * 500, "\udcff"):
        with pytest.raises(GalleryError, match="kiosk passes list"):
            register.revoke_pass(text)
    assert len(register.passes()) == len(made)


def test_the_same_person_is_enrolled_once(register: Register) -> None:
    first = register.enrol([sample(ADA)], Applicant("Ada"), once=True)
    assert not first.already
    again = register.enrol([sample(ADA_AGAIN)], Applicant("Ada", badge=9), once=True)
    assert again.already
    assert again.subject == first.subject
    with pytest.raises(SampleError, match="somebody else of this name"):
        register.enrol([sample(BEN)], Applicant("Ada"), once=True)


def test_who_must_be_enrolled_again_is_told(register: Register, gallery: Gallery) -> None:
    old = gallery.add_subject("Old", [NewReference(BEN, "another network", 0.5)])
    new = register.enrol([sample(ADA)], Applicant("New"))
    assert new.unusable == 1
    assert register.everybody() == [Listed(old, True), Listed(new.subject, False)]


def test_a_list_of_any_length_comes_whole_and_in_order(register: Register, gallery: Gallery) -> None:
    long = 'Ñ"' * 45
    names = [f"{long} {n}" for n in range(60)]
    for n, name in enumerate(names):
        gallery.add_subject(name, [NewReference(template(n).astype(np.float32), MODEL, 0.5)], NOON, LATER, n + 1)
    assert [each.subject for each in register.everybody()] == gallery.subjects()
    assert [each.subject.name for each in register.everybody()] == names


def test_without_networks_nobody_is_enrolled(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="the networks are not loaded"):
        GalleryRegister(gallery, MODEL).enrol([sample(ADA)], Applicant("Ada"))
    assert [each.enrol_again for each in GalleryRegister(gallery).everybody()] == []


def test_several_who_are_erased_at_once_replace_the_backups_once(
    register: Register, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = register.enrol([sample(ADA), sample(ADA_AGAIN)], Applicant("Ada")).subject
    ben = register.enrol([sample(BEN)], Applicant("Ben")).subject
    there: list[int] = []

    def replaced(_home: object, opened: Gallery, _keeping: object) -> tuple[int, list[object]]:
        there.append(len(opened.subjects()))
        return (4 if len(there) == 1 else 0), []  # afterwards there is none of before

    monkeypatch.setattr("kiosk.storage.erasure._from_folder", replaced)
    done = register.erase_all([ada.id, ben.id], EXPIRED)
    assert [(each.subject, each.reason, each.references) for each in done] == [
        (ada.id, EXPIRED, 2),
        (ben.id, EXPIRED, 1),
    ]
    assert {each.backups for each in done} == {4}
    assert all(each.remains for each in done)
    assert set(there) == {0}, "nobody is in the backup that is made"
    removed = [r for r in Audit(gallery.store).records() if r.outcome == "removed"]
    assert [(r.subject_id, r.reason) for r in removed] == [(ada.id, "expired"), (ben.id, "expired")]


def test_consent_is_recorded_of_who_is_enrolled_already(register: Register, gallery: Gallery) -> None:
    ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
    given = Consent("2", "en", NOON, "somebody", "a badge")
    assert register.set_consent(ada.id, given).id == ada.id
    kept = gallery.find(ada.id).consent
    assert kept is not None
    assert (kept.text, kept.language, kept.alternative) == ("2", "en", "a badge")
    if isinstance(register, RemoteRegister):
        assert kept.staff == named(os.getuid()), "the kernel says before whom"
    record = Audit(gallery.store).records()[-1]
    assert (record.outcome, record.detail["by"]) == ("consent_recorded", f"uid {os.getuid()}")


def test_number_and_needs_come_with_the_enrolment(register: Register, gallery: Gallery) -> None:
    needs = (Need.VERIFY, Need.EXTENDED)
    ada = register.enrol([sample(ADA)], Applicant("Ada", number="4711", needs=needs)).subject
    assert (ada.number, ada.verify, ada.extended) == ("4711", True, True)
    (record,) = [r for r in Audit(gallery.store).records() if r.kind is AuditKind.ENROLMENT]
    assert record.detail["needs"] == "verify extended"


def test_what_is_kept_about_somebody_is_told_in_whole_and_of_nobody_else(register: Register, gallery: Gallery) -> None:
    """Also where it takes many packets."""
    given = Consent("1", "de", NOON, "somebody", "a badge")
    ada = register.enrol(
        [sample(ADA), sample(ADA_AGAIN)], Applicant("Ada", NOON, LATER, 7, given, number="4711")
    ).subject
    register.enrol([sample(BEN)], Applicant("Ben"))
    register.set_pin(ada.id, "271828", "161803")
    begins = datetime.now(UTC).replace(second=0, microsecond=0)
    register.issue_pass(ada.id, begins, begins + timedelta(hours=8), ["main"], 2)
    for times in range(60):
        register.set_disabled(ada.id, times % 2 == 0)
    kept = register.kept(ada)
    assert kept.subject == gallery.find(ada.id)
    assert (kept.pin, kept.duress, kept.qr, kept.card) == (True, True, False, False)
    assert [(r.network, r.size, r.template) for r in kept.references] == [(MODEL, 128, None)] * 2
    assert list(kept.records) == Audit(gallery.store).records(subject_id=ada.id)
    assert len(kept.records) > 60
    assert list(kept.passes) == Passes(gallery).issued()
    assert register.kept(register.find("Ben")).passes == ()


def test_a_running_kiosk_gives_no_template_away(gallery: Gallery, tmp_path: Path) -> None:
    with remote(gallery, tmp_path) as register:
        ada = register.enrol([sample(ADA)], Applicant("Ada")).subject
        with pytest.raises(GalleryError, match="leave --templates out"):
            register.kept(ada, templates=True)
        with pytest.raises(GalleryError, match="nothing more"):
            register._ask(ExportRequest(subject_id=ada.id, more=True), ExportedMessage)
        assert b"template" not in KeptBody.of(kept_of(gallery, ada, templates=True)).model_dump_json().encode()
        assert register.kept(ada).subject == ada
    (local,) = kept_of(gallery, ada, templates=True).references
    assert [local.template] == turned(gallery, ADA)
