"""Staff's part of the demonstration asks for the next step of each page once it is there, and ends whatever happens."""

from __future__ import annotations

import pytest

from kiosk.demonstration.rehearsal import Rehearsal
from kiosk.demonstration.story import NEWCOMER, STAFF_NUMBER, STAFF_PIN
from kiosk.domain.coaching import Progress
from kiosk.domain.looks import Pose
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import (
    Closed,
    ConsentText,
    Done,
    Failure,
    Home,
    LookHere,
    NotEnrolled,
    Posing,
    StaffView,
    WaysIn,
    WhoIsIt,
)
from kiosk.domain.staffing import About, Answered, Finish, Open, Place, SignIn, SignOut, SkipPose, StaffRequest


class Part:
    """What was asked, said, and how often it was over."""

    def __init__(self) -> None:
        self.asked: list[StaffRequest] = []
        self.said: list[str] = []
        self.ended = 0
        self.rehearsal = Rehearsal(self.asked.append, self.said.append, self._over)

    def _over(self) -> None:
        self.ended += 1

    def show(self, *views: StaffView) -> list[StaffRequest]:
        """What is asked when these pages are shown."""
        self.asked.clear()
        for view in views:
            self.rehearsal.take(view)
        return list(self.asked)


@pytest.fixture
def part() -> Part:
    made = Part()
    made.rehearsal.begin()
    return made


def test_it_begins_when_it_is_told_to_and_not_before() -> None:
    part = Part()
    assert part.show(Home("Ada", Role.STAFF, ()), Closed()) == []
    assert part.ended == 0
    part.rehearsal.begin()
    assert part.asked == [SignIn(STAFF_NUMBER, STAFF_PIN)]


def test_an_enrolment_from_the_sign_in_to_the_end(part: Part) -> None:
    assert part.show(LookHere(), Home("Ada", Role.STAFF, ())) == [Open(Place.ENROL)]
    assert part.show(ConsentText("...", "1", "en", ("en",), "a key")) == [Answered(agreed=True)]
    assert part.show(WhoIsIt()) == [About(NEWCOMER.name)]
    poses = [Posing(Progress(pose)) for pose in (Pose.STRAIGHT, Pose.LEFT, Pose.RIGHT)]
    assert part.show(*poses) == []
    up, down = Posing(Progress(Pose.UP)), Posing(Progress(Pose.DOWN))
    assert part.show(up, up, down, down) == [SkipPose(), SkipPose()], "once each"
    assert part.show(WaysIn("Somebody Else", "123456")) == [Finish()]
    assert not part.rehearsal.good
    assert part.show(Done("Somebody Else", "123456", verify=False)) == [SignOut()]
    part.show(Closed())
    assert (part.rehearsal.good, part.ended) == (True, 1)
    assert part.said[-1] == "staff: Somebody Else can enter from now on"


@pytest.mark.parametrize("view", [NotEnrolled(), Posing(Progress(None), Failure.TOO_LONG)])
def test_who_cannot_be_enrolled_ends_it(part: Part, view: StaffView) -> None:
    assert part.show(view) == [SignOut()]
    part.show(Closed())
    assert (part.rehearsal.good, part.ended) == (False, 1)


def test_a_sign_in_that_fails_ends_it(part: Part) -> None:
    part.show(Closed(failure=Failure.NOT_RECOGNISED))
    assert (part.rehearsal.good, part.ended) == (False, 1)
