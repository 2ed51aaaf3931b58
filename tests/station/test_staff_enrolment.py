"""Enrolments at the kiosk: what is written at the end, and that nothing is before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason
from kiosk.domain.coaching import SKIP_SECONDS
from kiosk.domain.entry import Claim, Means
from kiosk.domain.looks import Pose
from kiosk.domain.people import NewReference
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import (
    Closed,
    ComeBack,
    ConsentText,
    Declined,
    Done,
    Failure,
    Home,
    NotEnrolled,
    People,
    Posing,
    Problem,
    WaysIn,
    WhoIsIt,
)
from kiosk.domain.staffing import (
    IDLE_SECONDS,
    About,
    AddPictures,
    Again,
    Answered,
    Choose,
    Finish,
    Open,
    Place,
    ReadIn,
    Renew,
    SignOut,
    SkipPose,
)
from kiosk.storage.claims import Claims
from kiosk.storage.pins import Pins, Verdict, set_pin, set_role
from tests.station.booths import FPS, vector
from tests.station.staff_site import NUMBER, STAFF, Site, now, site

ADA = 1


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "home") as made:
        made.signed_in()
        yield made


def written(here: Site) -> tuple[object, ...]:
    """Everything of people in the gallery."""
    return (*here.gallery.subjects(), *here.gallery.counts().items())


def test_somebody_is_enrolled_and_the_record_says_by_whom(here: Site) -> None:
    shown = here.enrolled("Ada Lovelace", ADA, Finish("739182", qr=True))
    assert isinstance(shown, Done)
    ada = here.gallery.find("Ada Lovelace")
    grace = here.gallery.find("Grace Hopper")
    assert (shown.name, shown.number, shown.verify) == ("Ada Lovelace", ada.number, False)
    assert here.gallery.counts() == {"m": 6}
    assert ada.consent is not None
    assert (ada.consent.language, ada.consent.staff) == ("en", f"subject {grace.id}")
    record = here.records()[-1]
    assert (record.kind, record.outcome, record.subject_id) == (AuditKind.ENROLMENT, AuditOutcome.ENROLLED, ada.id)
    said = record.detail
    assert (said["by"], said["source"], said["poses"], said["references"]) == (f"subject {grace.id}", "camera", 5, 5)
    assert said["consent"] == f"{ada.consent.text}/en"
    assert "739182" not in str(record)
    claims = Claims(here.gallery)
    assert claims.find(Claim(Means.NUMBER, str(ada.number))) == ada.id
    assert claims.find(Claim(Means.QR, str(shown.qr))) == ada.id
    assert Pins(here.gallery).check(str(ada.number), ada.id, "739182").verdict is Verdict.RIGHT


def test_it_takes_less_than_a_minute_of_frames(here: Site) -> None:
    """Of somebody who needs a second and a half to follow each instruction, and four seconds to step away and back."""
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    began = here.camera.at
    here.ask(About("Ada"))
    here.faces(8, ADA)
    for pose in Pose:
        here.faces(int(1.5 * FPS))  # still looks straight
        here.faces(7, pose=pose)
    here.nobody(int(4 * FPS))
    here.faces(12, pose=Pose.STRAIGHT)
    here.last(WaysIn)
    assert here.camera.at - began < 20


def test_consent_is_read_in_another_language_and_kept_so(here: Site) -> None:
    assert isinstance(here.ask(Open(Place.ENROL)), ConsentText)
    shown = here.ask(ReadIn("de"))
    assert isinstance(shown, ConsentText)
    assert shown.language == "de"
    assert set(shown.languages) >= {"de", "en"}
    here.ask(Answered(True))
    here.ask(About("Ada"))
    here.posed(ADA)
    here.came_back()
    here.ask(Finish())
    consent = here.gallery.find("Ada").consent
    assert consent is not None
    assert consent.language == "de"


def test_who_does_not_agree_is_offered_another_way_and_nothing_is_kept(here: Site) -> None:
    before = written(here)
    here.ask(Open(Place.ENROL))
    assert here.ask(Answered(False)) == Declined("another way in, without the face")
    assert here.records()[-1].reason == AuditReason.NOT_AGREED
    here.ask(About("Ada"))
    here.posed(ADA)
    assert written(here) == before
    assert here.camera.stages.embedded < 60, "nobody was looked at for an enrolment"


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        (lambda: About("  "), Problem.NAME),
        (lambda: About("Ada\x07"), Problem.NAME),
        (lambda: About("Ada", "12"), Problem.NUMBER),
        (lambda: About("Ada", NUMBER), Problem.NUMBER_TAKEN),
        (lambda: About("Ada", valid_until=now() - timedelta(days=1)), Problem.VALIDITY),
        (lambda: About("Ada", None, now() + timedelta(2), now() + timedelta(1)), Problem.VALIDITY),
    ],
)
def test_what_is_wrong_with_what_was_typed_is_said_beside_it(
    here: Site, about: Callable[[], About], problem: Problem
) -> None:
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    given = about()
    assert here.ask(given) == WhoIsIt(given, problem)


def test_a_twin_is_not_enrolled(here: Site) -> None:
    here.enrolled("Ada", ADA)
    before = written(here)
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Eve"))
    shown = here.posed(ADA)
    assert shown == NotEnrolled(Problem.ENROLLED_ALREADY, name="Ada")
    assert here.records()[-1].reason == AuditReason.LOOKS_LIKE_ANOTHER
    assert written(here) == before


def test_a_look_alike_has_to_say_who_they_are(here: Site) -> None:
    half = vector(ADA)
    half[4 * ADA] = 0
    half[100:106] = 70  # a cosine of 0.45 with the person: below the threshold, within the margin
    here.gallery.add_subject("Ben", [NewReference(half, "m", 0.9)])
    here.enrolled("Ada", ADA)
    assert here.last(Done).verify
    assert here.gallery.find("Ada").verify


def test_who_comes_back_as_somebody_else_is_not_enrolled_and_may_try_again(here: Site) -> None:
    before = written(here)
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    assert isinstance(here.posed(ADA), ComeBack)
    here.nobody(20)
    here.faces(50, 2)
    assert here.last(ComeBack).failure is Failure.NOT_RECOGNISED
    here.ask(Finish())
    assert written(here) == before
    assert isinstance(here.ask(Again()), Posing)
    here.posed(ADA)
    here.came_back()
    assert isinstance(here.ask(Finish()), Done)


def test_an_attack_ends_it_and_is_recorded(here: Site) -> None:
    before = written(here)
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    here.faces(14, ADA)
    here.camera.stages.live = False
    assert here.faces(3) == NotEnrolled(failure=Failure.ATTACK)
    assert here.records()[-1].reason == AuditReason.ATTACK
    here.camera.stages.live = True
    here.ask(Again())
    here.posed(ADA)
    here.ask(Finish())
    assert written(here) == before


@pytest.mark.parametrize("step", ["poses", "back"])
def test_a_camera_that_is_pulled_out_is_told_and_nothing_is_written(here: Site, step: str) -> None:
    before = written(here)
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    here.faces(14, ADA)
    if step == "back":
        here.posed(ADA)
        here.nobody(3)
    here.camera.booth.lost("unplugged")
    here.desk.turn()
    assert here.shown[-1] == NotEnrolled(failure=Failure.CAMERA)
    here.ask(Finish())
    assert written(here) == before
    assert isinstance(here.ask(Open(Place.HOME)), Home), "staff are still signed in"


def test_a_pin_that_may_not_be_chosen_is_asked_for_again(here: Site) -> None:
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada", "738291"))
    here.posed(ADA)
    here.came_back()
    for pin in ("1", "111111", "738291"):
        assert here.ask(Finish(pin)) == WaysIn("Ada", "738291", Problem.PIN)
    assert isinstance(here.ask(Finish("592816")), Done)


def test_leaving_and_idling_break_it_off(here: Site) -> None:
    before = written(here)
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    here.posed(ADA)
    here.ask(Open(Place.HOME))
    assert here.records()[-1].reason == AuditReason.BROKEN_OFF
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    here.posed(ADA)
    here.came_back()
    here.camera.at += IDLE_SECONDS + 1
    here.faces(1)
    assert here.shown[-1] == Closed()
    here.ask(Finish())
    assert written(here) == before


def test_poses_are_progress_and_nobody_is_signed_out_for_not_touching(here: Site) -> None:
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    slowly(here, IDLE_SECONDS - 20)
    here.posed(ADA)
    slowly(here, 30)
    assert isinstance(here.shown[-1], ComeBack)
    slowly(here, IDLE_SECONDS)
    assert here.shown[-1] == Closed(), "standing there is none"


def slowly(here: Site, seconds: float) -> None:
    """Time passes with a frame every two seconds, of somebody who looks aside."""
    for _ in range(int(seconds / 2)):
        here.camera.at += 2
        here.faces(1, ADA, Pose.LEFT)


def test_a_pose_can_be_left_out_and_staff_see_how_many_there_are(here: Site) -> None:
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    here.faces(16, ADA)
    for _ in range(4):
        here.ask(SkipPose())
        here.faces(1)
    assert here.last(ComeBack).checked.poses == 1
    assert SKIP_SECONDS > 0


def test_somebody_enrolled_by_a_command_meanwhile_is_seen_inside_the_transaction(here: Site) -> None:
    here.ask(Open(Place.ENROL))
    here.ask(Answered(True))
    here.ask(About("Ada"))
    here.posed(ADA)
    here.came_back()
    here.gallery.add_subject("Ada by command", [NewReference(vector(ADA), "m", 0.9)])
    before = written(here)
    assert here.ask(Finish()) == NotEnrolled(Problem.ENROLLED_ALREADY)
    assert written(here) == before


@pytest.mark.parametrize("change", ["staff is shut out", "the person has a role now"])
def test_who_may_no_longer_renew_somebody_when_the_pictures_are_whole_writes_nothing(here: Site, change: str) -> None:
    here.enrolled("Ada", ADA)
    ada = here.gallery.find("Ada")
    here.ask(Renew(ada.id))
    here.posed(ADA)
    if change == "staff is shut out":
        assert here.desk._who is not None
        here.gallery.set_disabled(here.desk._who.subject_id, True)
    else:
        set_pin(here.gallery, ada.id, "271828")
        set_role(here.gallery, ada.id, Role.ADMIN)
    before = {r.id for r in here.gallery.references("m")}
    here.came_back()
    assert {r.id for r in here.gallery.references("m")} == before


def test_new_pictures_are_of_the_same_person(here: Site) -> None:
    here.enrolled("Ada", ADA)
    ada = here.gallery.find("Ada")
    old = {r.id for r in here.gallery.references("m") if r.subject_id == ada.id}
    assert isinstance(here.ask(Renew(ada.id)), Posing), "she has agreed before"
    assert here.posed(2) == NotEnrolled(Problem.NOT_THE_SAME)
    here.ask(Renew(ada.id))
    here.posed(ADA)
    shown = here.came_back()
    assert isinstance(shown, Done)
    assert shown.renewed
    new = {r.id for r in here.gallery.references("m") if r.subject_id == ada.id}
    assert len(new) == 5
    assert not new & old
    assert here.gallery.find("Ada") == ada
    record = here.records()[-1]
    assert (record.outcome, record.detail["source"]) == (AuditOutcome.ENROLLED_AGAIN, "camera")


def test_pictures_in_another_light_are_added_with_the_same_checks(here: Site) -> None:
    here.enrolled("Ada", ADA)
    ada = here.gallery.find("Ada")
    old = {r.id for r in here.gallery.references("m") if r.subject_id == ada.id}
    assert isinstance(here.ask(AddPictures(ada.id)), Posing)
    assert here.posed(2) == NotEnrolled(Problem.NOT_THE_SAME)
    here.ask(AddPictures(ada.id))
    here.camera.stages.live = False
    shown = here.faces(20, ADA)
    assert isinstance(shown, NotEnrolled)
    assert shown.failure is Failure.ATTACK
    here.camera.stages.live = True
    here.ask(AddPictures(ada.id))
    here.posed(ADA)
    assert {r.id for r in here.gallery.references("m") if r.subject_id == ada.id} == old, "not before they come back"
    shown = here.came_back()
    assert isinstance(shown, Done)
    assert (shown.added, shown.renewed) == (True, False)
    mine = {r.id for r in here.gallery.references("m") if r.subject_id == ada.id}
    assert len(mine) == 5
    assert mine & old, "both old"
    assert mine - old, "and new ones"
    record = here.records()[-1]
    assert (record.outcome, record.detail["source"]) == (AuditOutcome.REFERENCES_ADDED, "camera")
    assert record.detail["by"] == f"subject {here.gallery.find('Grace Hopper').id}"
    assert here.gallery.find("Ada") == ada


def test_staffs_list_says_whose_pictures_are_of_one_light(here: Site) -> None:
    ben = here.gallery.add_subject("Ben", [NewReference(vector(3), "m", 0.9, light) for light in (60.0, 150.0)])
    here.enrolled("Ada", ADA)
    shown = here.ask(Open(Place.PEOPLE))
    assert isinstance(shown, People)
    assert {row.name: row.one_light for row in shown.rows} == {"Ada": True, "Ben": False, "Grace Hopper": True}
    assert here.ask(Choose(ben.id)).row.one_light is False  # type: ignore[union-attr]


def test_nobody_renews_themselves(here: Site) -> None:
    shown = here.ask(Renew(here.gallery.find("Grace Hopper").id))
    assert getattr(shown, "problem", None) is Problem.NOT_ALLOWED
    assert STAFF != ADA
    here.ask(SignOut())
