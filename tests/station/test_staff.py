"""Staff mode from signing in to signing out: who may, what the pages show, and that the door waits meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason
from kiosk.domain.decision import Reason
from kiosk.domain.door.state import DoorState
from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Subject
from kiosk.domain.pin import FREE
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import (
    Closed,
    DoorIs,
    Failure,
    Home,
    LookHere,
    People,
    Problem,
    WhyRefused,
)
from kiosk.domain.staffing import (
    IDLE_SECONDS,
    Open,
    Place,
    Remove,
    Search,
    SignIn,
    SignOut,
    Touched,
)
from kiosk.domain.updates import DoorChanged, FaceStays
from kiosk.station.staff import WAITING
from kiosk.storage.pins import set_pin, set_role
from tests.station.staff_site import NUMBER, PIN, STAFF, Site, site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "home") as made:
        yield made


def test_number_pin_and_face_sign_somebody_in_and_it_is_recorded(here: Site) -> None:
    assert here.ask(SignIn(NUMBER, PIN)) == LookHere()
    shown = here.faces(12, STAFF)
    assert isinstance(shown, Home)
    assert (shown.name, shown.role) == ("Grace Hopper", Role.STAFF)
    assert Place.ENROL in shown.pages
    record = here.records()[-1]
    assert (record.kind, record.outcome) == (AuditKind.STAFF, AuditOutcome.SIGNED_IN)
    assert record.detail["by"] == f"subject {record.subject_id}"
    here.ask(SignOut())
    assert here.records()[-1].outcome is not None
    assert here.records()[-1].outcome == AuditOutcome.SIGNED_OUT


@pytest.mark.parametrize("change", ["disable", "role", "erase"])
def test_what_an_admin_changes_counts_at_once_for_who_is_signed_in(here: Site, change: str) -> None:
    here.signed_in()
    (staff,) = here.gallery.subjects()
    match change:
        case "disable":
            here.gallery.set_disabled(staff.id, True)
        case "role":
            set_role(here.gallery, staff.id, Role.AUDITOR)
        case _:
            here.gallery.remove(staff.id)
    assert here.ask(Open(Place.PEOPLE)) == Closed()
    assert here.ask(Open(Place.ENROL)) == Closed()


def test_who_is_shut_out_while_the_camera_looks_is_not_signed_in(here: Site) -> None:
    assert here.ask(SignIn(NUMBER, PIN)) == LookHere()
    (staff,) = here.gallery.subjects()
    here.gallery.set_disabled(staff.id, True)
    assert here.faces(12, STAFF) == Closed(failure=Failure.NOT_RECOGNISED)


def test_giving_up_before_the_face_counts_is_a_try(here: Site) -> None:
    """Otherwise a mask could be held up as often as somebody likes."""
    for _ in range(FREE):
        assert here.ask(SignIn(NUMBER, PIN)) == LookHere()
        assert here.ask(SignOut()) == Closed()
        assert here.records()[-1].outcome == AuditOutcome.SIGN_IN_FAILED
    waits = here.ask(SignIn(NUMBER, PIN))
    assert isinstance(waits, Closed)
    assert (waits.problem, waits.wait > 0) == (Problem.WAIT, True)


@pytest.mark.parametrize(("number", "pin"), [(NUMBER, "111222"), ("9999", PIN), ("", PIN), ("x" * 300, PIN)])
def test_a_wrong_number_and_a_wrong_pin_are_answered_alike(here: Site, number: str, pin: str) -> None:
    shown = here.ask(SignIn(number, pin))
    assert shown == Closed(Problem.NOT_KNOWN)
    assert here.camera.booth.state.task == "nothing"


def test_who_is_not_of_the_staff_is_not_let_in(tmp_path: Path) -> None:
    with site(tmp_path / "home", role=None) as here:
        assert here.ask(SignIn(NUMBER, PIN)) == Closed(Problem.NOT_KNOWN)


def test_who_is_disabled_is_not_let_in(here: Site) -> None:
    here.gallery.set_disabled(here.gallery.find("Grace Hopper").id, True)
    assert here.ask(SignIn(NUMBER, PIN)) == Closed(Problem.NOT_KNOWN)


def test_the_right_pin_before_another_face_signs_nobody_in_and_waits_after_some_times(here: Site) -> None:
    for times in range(4):
        shown = here.ask(SignIn(NUMBER, PIN))
        if times == 3:
            assert isinstance(shown, Closed)
            assert shown.problem is Problem.WAIT
            assert shown.wait > 0
            continue
        assert here.faces(50, 5) == Closed(failure=Failure.NOT_RECOGNISED)
        record = here.records()[-1]
        assert (record.outcome, record.reason) == (AuditOutcome.SIGN_IN_FAILED, AuditReason.NOT_RECOGNISED)


def test_a_picture_of_staff_signs_nobody_in(here: Site) -> None:
    here.camera.stages.live = False
    here.ask(SignIn(NUMBER, PIN))
    assert here.faces(12, STAFF) == Closed(failure=Failure.ATTACK)
    assert here.records()[-1].reason == AuditReason.ATTACK


def test_without_a_camera_nobody_signs_in(here: Site) -> None:
    here.ask(SignIn(NUMBER, PIN))
    here.camera.booth.lost("unplugged")
    here.desk.turn()
    assert here.shown[-1] == Closed(failure=Failure.CAMERA)
    assert not here.camera.booth.busy


def test_a_pin_that_somebody_was_made_to_type_signs_in_and_is_told_elsewhere(here: Site) -> None:
    grace = here.gallery.find("Grace Hopper")
    set_pin(here.gallery, grace.id, PIN, "739182")
    assert isinstance(here.signed_in(pin="739182"), Home)
    assert here.forced == [grace.id]


@pytest.mark.parametrize("because", ["role", "disabled", "face", "references", "gallery"])
def test_a_forced_pin_is_told_elsewhere_whatever_becomes_of_the_sign_in_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, because: str
) -> None:
    """The same pages and records for both PINs. The one thing more goes where none of them look."""
    shown, records = [], []
    for pin in (PIN, "739182"):
        with site(tmp_path / pin, role=None if because == "role" else Role.STAFF) as here:
            grace = here.gallery.find("Grace Hopper")
            set_pin(here.gallery, grace.id, PIN, "739182")
            match because:
                case "disabled":
                    here.gallery.set_disabled(grace.id, True)
                case "references":
                    monkeypatch.setattr("kiosk.station.candidates.Candidates.with_subject", lambda *_: None)
                case "face":
                    for _ in range(FREE):
                        here.ask(SignIn(NUMBER, PIN))
                        here.ask(SignOut())
                case "gallery":
                    here.gallery.subject = broken  # type: ignore[method-assign]
            before = len(here.records())
            shown.append(here.ask(SignIn(NUMBER, pin)))
            records.append([(r.kind, r.outcome, r.reason) for r in here.records()[before:]])
            assert here.forced == ([] if pin == PIN else [grace.id])
    assert isinstance(shown[0], Closed)
    assert shown[0].problem is not Problem.WAIT or because == "face"
    assert shown[0] == shown[1] or because == "face"
    assert records[0] == records[1]


def broken(_: str) -> Subject:
    raise GalleryError("it is broken")


def test_an_alarm_that_cannot_be_told_ends_nothing_else(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    grace = here.gallery.find("Grace Hopper")
    set_pin(here.gallery, grace.id, PIN, "739182")
    monkeypatch.setattr(here.desk._sign_ins, "_forced", broken)
    assert isinstance(here.signed_in(pin="739182"), Home)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("pin", Reason.WRONG_PIN),
        ("number", Reason.WRONG_PIN),
        ("wait", Reason.PIN_WAITS),
        ("role", AuditReason.NO_ROLE),
        ("disabled", Reason.SUBJECT_DISABLED),
        ("ended", Reason.VALIDITY_ENDED),
    ],
)
def test_a_sign_in_that_fails_is_recorded_with_its_true_reason_and_nothing_that_was_typed(
    here: Site, what: str, reason: Reason | AuditReason
) -> None:
    grace = here.gallery.find("Grace Hopper")
    number, pin = ("8642", PIN) if what == "number" else (NUMBER, "864209" if what in {"pin", "wait"} else PIN)
    match what:
        case "wait":
            for _ in range(FREE):
                here.ask(SignIn(number, pin))
        case "role":
            set_role(here.gallery, grace.id, None)
        case "disabled":
            here.gallery.set_disabled(grace.id, True)
        case "ended":
            here.gallery.set_validity(grace.id, None, datetime(2026, 1, 1, tzinfo=UTC))
    before = len(here.records())
    here.ask(SignIn(number, pin))
    (record,) = here.records()[before:]
    named = None if what == "number" else grace.id
    assert (record.kind, record.outcome, record.reason) == (AuditKind.STAFF, AuditOutcome.SIGN_IN_FAILED, reason)
    assert (record.subject_id, record.detail.get("by")) == (named, None)
    assert not {"8642", "864209", PIN} & set(map(str, record.detail.values()))


def test_staff_with_a_validity_sign_in_by_the_clock_that_the_door_trusts(here: Site) -> None:
    grace = here.gallery.find("Grace Hopper")
    here.gallery.set_validity(grace.id, None, datetime(2099, 1, 1, tzinfo=UTC))
    here.clock_trouble = Reason.CLOCK_BEHIND
    assert here.ask(SignIn(NUMBER, PIN)) == Closed(Problem.CLOCK)
    assert here.records()[-1].reason == Reason.CLOCK_BEHIND
    assert here.ask(SignIn(NUMBER, "111222")) == Closed(Problem.NOT_KNOWN), "a guess learns nothing of the clock"
    here.clock_trouble = None
    assert isinstance(here.signed_in(), Home)
    here.clock_trouble = Reason.CLOCK_BEHIND
    assert here.ask(Open(Place.PEOPLE)) == Closed(), "nor do they stay, once it is not known"
    here.gallery.set_validity(grace.id, None, None)
    assert isinstance(here.signed_in(), Home), "who has no end needs no clock, as at the door"


def test_the_door_gets_no_frame_until_staff_have_signed_out(here: Site) -> None:
    here.signed_in()
    here.faces(40)
    here.ask(Open(Place.EVENTS))
    here.faces(40)
    assert here.camera.door == []
    here.ask(SignOut())
    here.camera.run(3)
    assert len(here.camera.door) == 3


def test_a_minute_without_touch_signs_out(here: Site) -> None:
    here.signed_in()
    here.camera.at += IDLE_SECONDS - 5
    here.ask(Touched())
    here.camera.at += IDLE_SECONDS - 5
    here.faces(1)
    assert isinstance(here.shown[-1], Home)
    here.camera.at += 10
    here.faces(1)
    assert here.shown[-1] == Closed()
    here.ask(Search(""))
    assert here.shown[-1] == Closed(), "nobody may any more"


def test_nobody_may_ask_without_having_signed_in(here: Site) -> None:
    before = here.gallery.data_version()
    who = here.gallery.find("Grace Hopper").id
    for request in (Open(Place.PEOPLE), Search("a"), Remove(who)):
        here.desk.ask(request)
        here.desk.turn()
    assert here.shown == []
    assert here.gallery.data_version() == before


def test_an_auditor_sees_and_changes_nothing(tmp_path: Path) -> None:
    with site(tmp_path / "home", Role.AUDITOR) as here:
        shown = here.signed_in()
        assert isinstance(shown, Home)
        assert Place.ENROL not in shown.pages
        here.ask(Open(Place.ENROL))
        assert isinstance(here.shown[-1], Home)
        who = here.gallery.find("Grace Hopper").id
        here.ask(Remove(who))
        assert here.gallery.subject(who) is not None
        assert isinstance(here.ask(Open(Place.PEOPLE)), People)


def test_the_pages_show_the_door_and_a_face_that_stays(here: Site) -> None:
    here.desk.heard(FaceStays(True))
    here.desk.heard(DoorChanged(DoorState.SECURED))
    shown = here.signed_in()
    assert isinstance(shown, Home)
    assert shown.lingering
    here.desk.heard(FaceStays(False))
    here.desk.turn()
    assert here.last(Home).lingering is False, "the page that is shown follows"
    assert here.ask(Open(Place.DOOR)) == DoorIs(DoorState.SECURED)


def test_why_names_only_whom_the_face_matches(here: Site) -> None:
    here.signed_in()
    here.ask(Open(Place.WHY))
    shown = here.faces(10, 1)
    assert isinstance(shown, WhyRefused)
    assert (shown.name, shown.bars.score, shown.bars.score_limit) == (None, 0.2, 0.5)
    here.ask(Open(Place.HOME))
    here.faces(3)
    assert isinstance(here.shown[-1], Home)


def test_a_fault_of_the_camera_s_stages_signs_out_and_the_door_goes_on(here: Site) -> None:
    here.signed_in()
    here.ask(Open(Place.WHY))
    here.camera.stages.broken = "detect"
    here.faces(1)
    assert here.shown[-1] == Closed(failure=Failure.FAULT)
    here.camera.stages.broken = ""
    here.camera.run(2)
    assert len(here.camera.door) == 2


def test_a_desk_that_breaks_signs_out(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    here.signed_in()
    monkeypatch.setattr(here.gallery, "subjects", lambda: 1 / 0)
    assert here.ask(Open(Place.PEOPLE)) == Closed(failure=Failure.FAULT)
    assert not here.camera.booth.busy


def test_requests_beyond_what_waits_are_dropped(here: Site) -> None:
    for _ in range(WAITING):
        here.desk.ask(Touched())
    here.desk.ask(SignIn(NUMBER, PIN))
    for _ in range(WAITING + 1):
        here.desk.turn()
    assert here.shown == []
    assert isinstance(here.signed_in(), Home)
