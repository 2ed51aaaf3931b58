"""The camera while staff use the kiosk: the door gets no frame, and nothing comes of a fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kiosk.domain.decision import Comparison
from kiosk.domain.face import Flaw, Hint, Vector
from kiosk.domain.looks import Pose, Trouble
from kiosk.domain.staff_views import Failure
from kiosk.station.booth import HELD_SECONDS
from kiosk.station.booth_tasks import BACK_SECONDS, State, Task
from tests.station.booths import FPS, Camera, face, same, vector


@pytest.fixture
def camera() -> Camera:
    return Camera()


def only(who: int) -> Callable[[Vector], Comparison]:
    return lambda probe: Comparison("x", 0.8 if same(probe, vector(who)) else 0.1, 0.5, "m")


def test_without_staff_every_frame_is_the_doors(camera: Camera) -> None:
    camera.run(5)
    assert len(camera.door) == 5
    assert camera.stages.embedded == 0


def test_the_door_gets_no_frame_while_it_is_held_and_all_afterwards(camera: Camera) -> None:
    camera.booth.hold()
    camera.run(30)
    assert camera.door == []
    assert camera.stages.embedded == 0, "nobody is looked at for nothing"
    camera.booth.release()
    camera.run(2)
    assert len(camera.door) == 2


def test_a_camera_that_nobody_holds_any_more_goes_back_to_the_door(camera: Camera) -> None:
    camera.booth.poses()
    camera.shows(int((HELD_SECONDS + 1) * FPS), renew=False)
    assert camera.door
    assert camera.booth.state == State()
    assert not camera.booth.taken


def test_five_poses_are_taken(camera: Camera) -> None:
    camera.booth.poses()
    camera.all_poses()
    assert camera.booth.state.done
    assert set(camera.booth.taken) == set(Pose)
    assert camera.door == []
    assert all(look.light > 0 and same(look.vector, vector(0)) for look in camera.booth.taken.values())  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["detect", "quality", "pad", "embed"])
def test_a_stage_that_fails_ends_it_and_the_door_goes_on(camera: Camera, where: str) -> None:
    camera.booth.poses()
    camera.shows(12)
    camera.stages.broken = where
    camera.run(1)
    assert camera.booth.state.failure is Failure.FAULT
    assert not camera.booth.taken
    camera.run(3)
    assert len(camera.door) == 3


def test_a_camera_that_is_pulled_out_ends_it_and_nothing_is_left(camera: Camera) -> None:
    camera.booth.poses()
    camera.all_poses()
    camera.booth.back(only(0))
    camera.booth.lost("unplugged")
    assert camera.booth.state == State(Task.BACK, failure=Failure.CAMERA)
    assert not camera.booth.taken


def test_a_camera_that_repeats_itself_ends_it(camera: Camera) -> None:
    camera.booth.poses()
    frame = camera.frame()
    for _ in range(int(5 * FPS)):
        camera.at += 1 / FPS
        camera.booth.renew()
        camera.booth.take(type(frame)(frame.image, camera.number, camera.at, frame.wall_at))
    assert camera.booth.state.failure is Failure.FAULT


def test_an_attack_ends_the_poses(camera: Camera) -> None:
    camera.booth.poses()
    camera.shows(14)
    camera.stages.live = False
    camera.run(3)
    assert camera.booth.state.failure is Failure.ATTACK
    assert not camera.booth.taken


@pytest.mark.parametrize(
    ("flaw", "hints", "said"),
    [
        (Flaw.TOO_DARK, (), Trouble.TOO_DARK),
        (Flaw.TOO_SMALL, (), Trouble.TOO_SMALL),
        (None, (Hint.MOUTH_COVERED,), Trouble.MOUTH_COVERED),
        (None, (Hint.UNEVEN_LIGHT,), Trouble.UNEVEN_LIGHT),
    ],
)
def test_what_is_wrong_is_said_and_no_such_frame_is_taken(
    camera: Camera, flaw: Flaw | None, hints: tuple[Hint, ...], said: Trouble
) -> None:
    camera.booth.poses()
    camera.stages.flaw, camera.stages.hints = flaw, hints
    camera.shows(20)
    assert camera.booth.state.trouble is said
    assert camera.booth.state.progress is not None
    assert not camera.booth.state.progress.taken


def test_two_people_are_too_many_and_a_small_face_behind_is_none(camera: Camera) -> None:
    camera.booth.poses()
    camera.stages.faces = [face(), face(x=20)]
    camera.run(12)
    assert camera.booth.state.trouble is Trouble.SEVERAL
    camera.stages.faces = [face(), face(x=20, width=50)]
    camera.run(14)
    assert camera.booth.state.progress is not None
    assert camera.booth.state.progress.taken == {Pose.STRAIGHT}


def test_a_face_that_lies_on_its_side_is_none(camera: Camera) -> None:
    camera.booth.poses()
    camera.stages.stands = False
    camera.shows(20)
    assert camera.booth.state.trouble is Trouble.TILTED
    assert camera.stages.embedded == 0


def test_who_signs_in_is_recognised_and_somebody_else_is_not(camera: Camera) -> None:
    camera.booth.sign_in(only(1))
    camera.stages.who = 1
    camera.shows(12)
    assert camera.booth.state == State(Task.SIGN_IN, done=True, share=1.0)
    camera.booth.sign_in(only(1))
    camera.stages.who = 2
    camera.shows(50)
    assert camera.booth.state.failure is Failure.NOT_RECOGNISED


def test_a_picture_of_staff_signs_nobody_in(camera: Camera) -> None:
    camera.booth.sign_in(only(1))
    camera.stages.who, camera.stages.live = 1, False
    camera.shows(12)
    assert camera.booth.state.failure is Failure.ATTACK


def test_who_comes_back_is_recognised_only_after_having_left(camera: Camera) -> None:
    camera.booth.back(only(0))
    camera.shows(40)
    assert not camera.booth.state.done
    assert not camera.booth.state.away
    camera.empty(20)
    assert camera.booth.state.away
    camera.shows(12)
    assert camera.booth.state.done


def test_who_does_not_come_back_is_not_recognised(camera: Camera) -> None:
    camera.booth.back(only(0))
    camera.empty(int(BACK_SECONDS * FPS) + 2)
    assert camera.booth.state.failure is Failure.NOT_RECOGNISED


def test_why_shows_the_three_bars_and_no_name_below_the_limit(camera: Camera) -> None:
    camera.booth.why()
    camera.shows(10)
    bars = camera.booth.state.bars
    assert bars is not None
    assert (bars.quality, bars.pad, bars.pad_limit, bars.score, bars.score_limit) == (0.8, 0.9, 0.5, 0.2, 0.5)
    assert bars.subject_id is None
    camera.stages.who = 3
    camera.shows(1)
    assert camera.booth.state.bars is not None
    assert camera.booth.state.bars.subject_id == "cleo"
    camera.stages.flaw = Flaw.TOO_DARK
    camera.shows(1)
    assert camera.booth.state.bars is not None
    assert (camera.booth.state.bars.score, camera.booth.state.trouble) == (None, Trouble.TOO_DARK)


def test_each_change_is_told(camera: Camera) -> None:
    told: list[Task] = []
    camera.booth.tell = lambda: told.append(camera.booth.state.task)
    camera.booth.hold()
    camera.booth.why()
    camera.shows(1)
    camera.booth.release()
    assert told == [Task.HELD, Task.WHY, Task.WHY, Task.NOTHING]
