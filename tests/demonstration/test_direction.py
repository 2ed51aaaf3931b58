"""Who stands before the camera while staff use the kiosk."""

from __future__ import annotations

import pytest

from kiosk.demonstration.direction import TURN_DEGREES, Stand, nearer, stand
from kiosk.demonstration.scene import Scene
from kiosk.demonstration.story import ADA, NEWCOMER
from kiosk.domain.coaching import NOD, SIDE_YAW, STRAIGHT_YAW, Progress
from kiosk.domain.looks import Pose, head_pose
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import Checked, Closed, ComeBack, Home, LookHere, Posing, StaffView
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.models import load

CHECKED = Checked(3, look_alike=False)


@pytest.mark.parametrize(
    ("view", "who"),
    [
        (Closed(), None),
        (LookHere(), Stand(ADA)),
        (Home("Ada", Role.STAFF, ()), Stand()),
        (Posing(Progress(Pose.STRAIGHT)), Stand(NEWCOMER)),
        (Posing(Progress(Pose.LEFT)), Stand(NEWCOMER, TURN_DEGREES)),
        (Posing(Progress(Pose.RIGHT)), Stand(NEWCOMER, -TURN_DEGREES)),
        (Posing(Progress(Pose.UP)), Stand(NEWCOMER)),
        (Posing(Progress(None)), Stand(NEWCOMER)),
        (ComeBack(CHECKED, away=False), Stand()),
        (ComeBack(CHECKED, away=True), Stand(NEWCOMER)),
    ],
)
def test_each_page_has_whom_it_asks_for(view: StaffView, who: Stand | None) -> None:
    assert stand(view) == who


def test_a_head_turns_at_its_speed_and_no_further() -> None:
    assert nearer(0.0, 22.0, 0.1) == 6.0
    assert nearer(0.0, -22.0, 0.1) == -6.0
    assert nearer(20.0, 22.0, 1.0) == 22.0


def test_the_networks_see_the_poses_and_no_nod() -> None:
    scene, detector = Scene(), load(ModelsConfig(), PolicyConfig()).detector
    poses = {}
    for pose, yaw in {Pose.STRAIGHT: 0.0, Pose.LEFT: TURN_DEGREES, Pose.RIGHT: -TURN_DEGREES}.items():
        (face,) = detector.detect(scene.standing(NEWCOMER, yaw, 1.0, 7))
        poses[pose] = head_pose(face)
    straight = poses[Pose.STRAIGHT]
    assert abs(straight.yaw) < STRAIGHT_YAW
    assert poses[Pose.LEFT].yaw - straight.yaw >= SIDE_YAW
    assert straight.yaw - poses[Pose.RIGHT].yaw >= SIDE_YAW
    (face,) = detector.detect(scene.standing(NEWCOMER, 0.0, 2.0, 8))
    assert abs(head_pose(face).pitch - straight.pitch) < NOD
