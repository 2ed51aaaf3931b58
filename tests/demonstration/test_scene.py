"""The scene is the same every time, and shows what the story says."""

from __future__ import annotations

from importlib import resources

import cv2
import numpy as np
import pytest

from kiosk.demonstration.layers import photo, visitor_picture
from kiosk.demonstration.scene import HOLD_BEGINS, HOLD_ENDS, VISIT_SECONDS, Scene, pose
from kiosk.demonstration.story import STORY, VISITORS, Enrolled, Kind, Visit, Visitor
from kiosk.domain.decision import Outcome, Reason
from kiosk.domain.errors import CameraError
from kiosk.vision.detector import FaceDetector
from kiosk.vision.manifest import DetectorEntry, Manifest
from kiosk.vision.model_files import default_folder

MIDDLE = (HOLD_BEGINS + HOLD_ENDS) / 2


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(seed=3)


@pytest.mark.parametrize("visit", [None, *STORY], ids=lambda v: v.name if v else "nobody")
def test_a_frame_depends_on_seed_visit_time_and_number_only(scene: Scene, visit: Visit | None) -> None:
    first = scene.render(visit, MIDDLE, 7)
    assert first.shape == (480, 640, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, Scene(seed=3).render(visit, MIDDLE, 7))
    assert not np.array_equal(first, scene.render(visit, MIDDLE, 8))


def test_another_seed_is_another_room_and_noise(scene: Scene) -> None:
    assert not np.array_equal(scene.render(None, 0.0, 0), Scene(seed=4).render(None, 0.0, 0))


def test_a_visitor_changes_the_middle_of_the_room(scene: Scene) -> None:
    empty = scene.render(None, MIDDLE, 1).astype(int)
    for visit in STORY:
        shown = scene.render(visit, MIDDLE, 1).astype(int)
        assert np.abs(shown - empty)[120:360, 220:420].mean() > 20


def test_the_visitor_holds_still_between_coming_and_leaving() -> None:
    hold = [pose(t, 1.0) for t in np.linspace(HOLD_BEGINS, HOLD_ENDS, 40)]
    assert max(abs(p.x - 320) for p in hold) < 12
    assert max(abs(p.yaw) for p in hold) < 4
    assert abs(pose(0.0, 1.0).x - 320) > 300
    assert abs(pose(VISIT_SECONDS, 1.0).x - 320) > 300


@pytest.mark.parametrize("visitor", VISITORS, ids=lambda v: v.key)
def test_the_pictures_are_small_and_whole(visitor: Visitor) -> None:
    file = resources.files("kiosk.demonstration") / "visitors" / f"{visitor.key}.webp"
    assert len(file.read_bytes()) < 60_000
    picture, matte = visitor_picture(visitor)
    assert picture.shape == (512, 512, 3)
    assert 0.25 < matte.mean() < 0.75
    assert photo(visitor).shape == (512, 512, 3)


def test_a_missing_visitor_says_what_to_do() -> None:
    with pytest.raises(CameraError, match="install the kiosk anew"):
        visitor_picture(Visitor("nobody-of-this-name", "Nobody", Enrolled.NONE))


def test_the_story_is_the_one_of_the_demonstration() -> None:
    assert [(v.visitor.key, v.kind, v.outcome, v.reason) for v in STORY] == [
        ("ada", Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
        ("ben", Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
        ("stranger", Kind.LIVE, Outcome.REFUSED, Reason.NOT_ENROLLED),
        ("ada", Kind.PRINT, Outcome.REFUSED, Reason.PRESENTATION_ATTACK),
        ("cleo", Kind.LIVE, Outcome.REFUSED, Reason.VALIDITY_ENDED),
        ("ada", Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
    ]


def test_a_print_is_flatter_than_the_face_it_shows(scene: Scene) -> None:
    live, shown = (cv2.cvtColor(scene.render(v, MIDDLE, 1), cv2.COLOR_BGR2GRAY)[150:280, 260:380] for v in
                   (STORY[0], STORY[3]))  # fmt: skip
    assert np.ptp(np.percentile(shown, [2, 98])) < 0.85 * np.ptp(np.percentile(live, [2, 98]))


@pytest.mark.parametrize("visit", STORY, ids=lambda v: v.name)
def test_the_detector_finds_one_face_of_a_good_size_while_the_visitor_holds_still(scene: Scene, visit: Visit) -> None:
    manifest = Manifest(default_folder())
    entry = manifest.entry("face-detector", DetectorEntry)
    detector = FaceDetector.load(manifest, entry, 1)
    for t in np.linspace(HOLD_BEGINS, HOLD_ENDS, 8):
        faces = detector.detect(scene.render(visit, float(t), round(15 * t)))
        assert len(faces) == 1
        assert 110 < faces[0].box.width < 170
