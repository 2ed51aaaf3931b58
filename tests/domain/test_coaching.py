"""The poses of an enrolment: what is taken, what never is, and that it ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import coaching
from kiosk.domain.coaching import Coach, End
from kiosk.domain.face import Box
from kiosk.domain.looks import HeadPose, Look, Pose, Trouble

FPS = 15.0
SHOWN = {
    Pose.STRAIGHT: HeadPose(0.0, 0.57),
    Pose.LEFT: HeadPose(0.3, 0.57),
    Pose.RIGHT: HeadPose(-0.3, 0.57),
    Pose.UP: HeadPose(0.0, 0.53),
    Pose.DOWN: HeadPose(0.0, 0.61),
}
BOX = Box(200, 150, 120, 150)


def vector(who: int) -> np.ndarray:
    made = np.zeros(4, np.float32)
    made[who] = 1
    return made


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a @ b > 0.5)


def look(pose: Pose = Pose.STRAIGHT, who: int = 0, quality: float = 0.8, live: bool = True) -> Look:
    return Look(0.0, None, BOX, SHOWN[pose], quality, live, 120.0, vector(who))


def fed(coach: Coach, looks: Iterable[Look], since: float = 0.0) -> float:
    """Feeds frames, 15 a second. Returns the time after them."""
    for one in looks:
        since += 1 / FPS
        coach.add(replace(one, at=since))
    return since


def test_five_poses_are_asked_for_in_turn_and_taken() -> None:
    coach, at, asked = Coach(0.0, same), 0.0, []
    for pose in Pose:
        asked.append(coach.progress.asked)
        at = fed(coach, [look(pose)] * 5, at)
    assert asked == list(Pose)
    assert coach.progress.end is End.DONE
    assert set(coach.taken) == set(Pose)
    assert at < 2.0


def test_of_each_pose_the_best_frame_is_kept() -> None:
    coach = Coach(0.0, same)
    fed(coach, [look(quality=q) for q in (0.3, 0.9, 0.5, 0.4, 0.2)])
    assert coach.taken[Pose.STRAIGHT].quality == 0.9


def test_who_mistakes_left_and_right_is_not_sent_back() -> None:
    coach = Coach(0.0, same)
    at = fed(coach, [look()] * 5)
    assert coach.progress.asked is Pose.LEFT
    at = fed(coach, [look(Pose.RIGHT)] * 5, at)
    assert coach.progress.taken == {Pose.STRAIGHT, Pose.RIGHT}
    fed(coach, [look(Pose.RIGHT)] * 2, at)
    assert coach.progress.trouble is Trouble.OTHER_POSE


def test_a_look_to_the_side_is_no_beginning() -> None:
    coach = Coach(0.0, same)
    fed(coach, [look(Pose.LEFT)] * 30)
    assert not coach.taken
    assert coach.progress.trouble is Trouble.OTHER_POSE


@pytest.mark.parametrize("trouble", [t for t in Trouble if t is not Trouble.OTHER_POSE])
def test_a_frame_with_a_trouble_says_so_and_breaks_what_was_held(trouble: Trouble) -> None:
    coach = Coach(0.0, same)
    at = fed(coach, [look()] * 3)
    fed(coach, [Look(0.0, trouble, BOX)], at)
    assert (coach.progress.trouble, coach.progress.held, coach.taken) == (trouble, 0.0, {})


def test_a_moving_face_is_told_to_hold_still() -> None:
    coach = Coach(0.0, same)
    fed(coach, [replace(look(), box=Box(100 + 20.0 * i, 150, 120, 150)) for i in range(10)])
    assert coach.progress.trouble is Trouble.MOVING
    assert not coach.taken


def test_three_denials_of_five_frames_end_it_and_nothing_is_left() -> None:
    coach = Coach(0.0, same)
    at = fed(coach, [look()] * 6)
    assert coach.taken
    at = fed(coach, [look(live=False), look(), look(live=False), look()], at)
    assert coach.progress.end is None
    fed(coach, [look(live=False)], at)
    assert coach.progress.end is End.ATTACK
    assert not coach.taken


def test_one_denial_voids_what_was_held() -> None:
    coach = Coach(0.0, same)
    fed(coach, [look(), look(), look(), look(live=False), look(), look()])
    assert not coach.taken


def test_a_frame_that_pad_was_not_asked_about_is_never_taken() -> None:
    coach = Coach(0.0, same)
    fed(coach, [replace(look(), live=None)] * 30)
    assert not coach.taken


def test_another_person_begins_again_and_at_the_third_time_it_ends() -> None:
    coach = Coach(0.0, same)
    at = fed(coach, [look()] * 6)
    at = fed(coach, [look(Pose.LEFT, who=1)] * 4, at)
    assert coach.progress.trouble is Trouble.SOMEBODY_ELSE
    assert set(coach.taken) == {Pose.STRAIGHT}, "four frames may be a poor picture"
    at = fed(coach, [look(who=1)] * 7, at)
    assert coach.progress.restarts == 1
    assert np.array_equal(coach.taken[Pose.STRAIGHT].vector, vector(1))
    at = fed(coach, [look(who=0)] * 12, at)
    fed(coach, [look(who=1)] * 12, at)
    assert coach.progress.end is End.SOMEBODY_ELSE
    assert not coach.taken


def test_a_pose_that_somebody_does_not_reach_is_left_out() -> None:
    coach = Coach(0.0, same)
    at = fed(coach, [look()] * 6)
    at = fed(coach, [look()] * int(coaching.SKIP_SECONDS * FPS + 1), at)
    assert coach.progress.skipped == {Pose.LEFT}
    for _ in range(3):
        coach.skip()
    assert coach.progress.end is End.DONE
    assert set(coach.taken) == {Pose.STRAIGHT}


def test_whoever_is_away_leaves_no_pose_out() -> None:
    coach = Coach(0.0, same)
    at = fed(coach, [look()] * 6)
    at = fed(coach, [Look(0.0, Trouble.NOBODY)] * int(2 * coaching.SKIP_SECONDS * FPS), at)
    fed(coach, [Look(0.0, Trouble.TOO_DARK, BOX)] * int(2 * coaching.SKIP_SECONDS * FPS), at)
    assert not coach.progress.skipped


def test_the_straight_look_cannot_be_left_out() -> None:
    coach = Coach(0.0, same)
    coach.skip()
    assert coach.progress.asked is Pose.STRAIGHT
    fed(coach, [Look(0.0, Trouble.NOBODY)] * int(coaching.LIMIT_SECONDS * FPS + 1))
    assert coach.progress.end is End.TOO_LONG


LOOKS = st.builds(
    Look,
    at=st.just(0.0),
    trouble=st.one_of(st.none(), st.none(), st.sampled_from(Trouble)),
    box=st.just(BOX),
    pose=st.sampled_from(list(SHOWN.values())),
    quality=st.floats(0, 1),
    live=st.sampled_from([True, True, True, False, None]),
    light=st.just(100.0),
    vector=st.sampled_from([vector(0), vector(0), vector(1)]),
)


@given(st.lists(st.tuples(LOOKS, st.integers(1, 8)), max_size=60))
def test_whatever_is_shown_only_good_frames_of_one_person_are_kept(script: list[tuple[Look, int]]) -> None:
    coach, at, most = Coach(0.0, same), 0.0, 0
    for one, times in script:
        at = fed(coach, [one] * times, at)
        taken = coach.taken
        most = max(most, len(taken))
        kept = list(taken.values())
        assert len(kept) <= len(Pose)
        assert all(k.live and k.trouble is None and k.vector is not None for k in kept)
        assert not kept or Pose.STRAIGHT in taken
        assert all(same(taken[Pose.STRAIGHT].vector, k.vector) for k in kept)  # type: ignore[arg-type]
        progress = coach.progress
        assert progress.taken == frozenset(taken)
        assert 0.0 <= progress.held <= 1.0
        assert (progress.asked is None) == (progress.end is not None)
        assert progress.end is not End.ATTACK or not kept
    at = fed(coach, [Look(0.0, Trouble.NOBODY)] * int(coaching.LIMIT_SECONDS * FPS + 2), at)
    assert coach.progress.end is not None, "it always ends"
