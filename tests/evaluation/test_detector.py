from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Box, Face, Image
from kiosk.evaluation import detector, detector_figures
from kiosk.evaluation.detector import face_free, judge, landmark_error
from kiosk.evaluation.detector_figures import Result, Seen, landmark_ratio, recall_difference
from kiosk.evaluation.truth import Pictures, TrueFace, TruePicture
from kiosk.sections import ModelsConfig

IMAGE: Image = np.zeros((240, 320, 3), np.uint8)
POINTS = ((20.0, 30.0), (40.0, 30.0), (30.0, 40.0), (22.0, 50.0), (38.0, 50.0))


def face(x: float, y: float, side: float, score: float = 0.9) -> Face:
    return Face(Box(x, y, side, side), POINTS, score)


def true(x: float, y: float, side: float, *, ignore: bool = False) -> TrueFace:
    return TrueFace(Box(x, y, side, side), POINTS, ignore)


def judged(found: Sequence[Face], faces: Sequence[TrueFace] | None) -> Seen:
    seen = Seen()
    judge(found, faces, IMAGE, seen)
    return seen


def test_a_face_is_found_where_half_of_the_union_agrees() -> None:
    assert judged([face(0, 0, 100, 0.8)], [true(0, 0, 100)]).scores == [0.8]
    assert judged([face(0, 0, 100)], [true(0, 0, 72)]).scores == [0.9]
    far = judged([face(0, 0, 100)], [true(0, 0, 70)])
    assert far.scores == [0.0]
    assert far.false == [0.9]
    assert math.isnan(far.errors[0])


def test_one_detection_finds_one_face_and_a_second_one_is_false() -> None:
    seen = judged([face(0, 0, 100, 0.7), face(2, 0, 100, 0.8)], [true(0, 0, 100), true(200, 100, 100)])
    assert seen.scores == [0.8, 0.0]
    assert seen.false == [0.7]


def test_small_detections_are_not_false() -> None:
    assert judged([face(0, 0, 39)], []).false == []
    assert judged([face(0, 0, 40)], []).false == [0.9]


def test_an_ignored_face_is_neither_missed_nor_false() -> None:
    crowd = [true(0, 0, 100, ignore=True)]
    assert judged([], crowd) == Seen()
    assert judged([face(0, 0, 100)], crowd) == Seen()
    assert judged([face(10, 10, 41), face(55, 10, 41)], crowd) == Seen()
    assert judged([face(80, 0, 60)], crowd).false == [0.9]


def test_what_is_outside_the_picture_does_not_count() -> None:
    """A network guesses how far a cut face goes on: the truth ends at the edge."""
    assert judged([face(-100, 0, 200)], [TrueFace(Box(0, 0, 100, 200), POINTS)]).scores == [0.9]


@pytest.mark.parametrize(("found", "score"), [([face(150, 110, 40, 0.8), face(155, 115, 20)], 0.9), ([], 0.0)])
def test_the_known_face_is_the_one_over_the_centre(found: list[Face], score: float) -> None:
    seen = judged([*found, face(0, 0, 60, 0.95)], None)
    assert (seen.scores, seen.false) == ([score], [])


def test_the_error_of_landmarks_is_relative_to_the_eyes() -> None:
    shifted = Face(Box(0, 0, 60, 60), tuple((x + 3, y + 4) for x, y in POINTS), 0.9)
    assert landmark_error(shifted, true(0, 0, 60)) == pytest.approx(5 / 20)
    assert landmark_error(shifted, true(0, 0, 60).scaled(1.0)) == pytest.approx(0.25)
    assert math.isnan(landmark_error(shifted, TrueFace(Box(0, 0, 60, 60))))


busy = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
"""A machine that has other work draws slowly."""
boxes = st.builds(lambda x, y, s: (x, y, s), st.integers(0, 260), st.integers(0, 180), st.integers(10, 120))


@busy
@given(
    st.lists(boxes, max_size=4),
    st.lists(st.tuples(boxes, st.integers(1, 99)), max_size=6, unique_by=lambda t: t[1]),
    st.integers(1, 99),
)
def test_a_higher_threshold_only_removes_detections(
    faces: list[tuple[int, int, int]], found: list[tuple[tuple[int, int, int], int]], threshold: int
) -> None:
    """So one run gives the whole curve."""
    truth = [true(*f) for f in faces]
    everything = judged([face(*b, score=s / 100) for b, s in found], truth)
    above = judged([face(*b, score=s / 100) for b, s in found if s >= threshold], truth)
    assert above.scores == [s if s >= threshold / 100 else 0.0 for s in everything.scores]
    assert above.false == [s for s in everything.false if s >= threshold / 100]


@busy
@given(st.lists(boxes, max_size=3), st.integers(0, 50))
def test_face_free_crops_touch_no_face(faces: list[tuple[int, int, int]], seed: int) -> None:
    image = IMAGE.copy()
    for x, y, side in faces:
        image[y : y + side, x : x + side] = 255
    for crop in face_free(image, [true(*f) for f in faces], seed):
        assert not crop.any()


def test_face_free_crops_are_the_same_each_time() -> None:
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    a, b, c = (face_free(image, [], seed) for seed in (1, 1, 2))
    assert len(a) == len(b) == detector.CROPS
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert not all((x == y).all() for x, y in zip(a, c, strict=True))
    assert face_free(image, [true(0, 0, 320)], 1) == []


def result(ours: list[float], theirs: list[float], errors: tuple[list[float], list[float]]) -> Result:
    seen = {"ours": Seen(ours, errors[0]), "theirs": Seen(theirs, errors[1])}
    count = len(ours)
    return Result(np.full(count, 80.0), ("s",) * count, np.arange(count), seen)


def test_differences_of_detectors_are_paired() -> None:
    """Both miss the same half of the faces: their difference is certain, though neither recall is."""
    half = [0.9, 0.0] * 20
    same = result(half, half, ([0.1] * 40, [0.05] * 40))
    assert recall_difference(same, ("ours", "theirs"), 0.7) == detector_figures.Interval(0, 0, 0)
    ratio = landmark_ratio(same, ("ours", "theirs"), 0.7)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))
    other = result(half, [0.0, 0.9] * 10 + half[:20], ([0.1] * 40, [0.05] * 40))
    interval = recall_difference(other, ("ours", "theirs"), 0.7)
    assert interval.value == 0
    assert interval.low < 0 < interval.high
    worse = recall_difference(result([0.0] * 40, half, ([0.1] * 40, [0.05] * 40)), ("ours", "theirs"), 0.7)
    assert worse.value == -0.5
    assert worse.high < 0


def test_without_landmarks_there_is_no_landmark_ratio() -> None:
    none = result([0.9], [0.9], ([math.nan], [math.nan]))
    assert math.isnan(landmark_ratio(none, ("ours", "theirs"), 0.7).value)


def test_small_faces_have_a_band_of_their_own() -> None:
    seen = {"ours": Seen([0.9, 0.0, 0.9], [0.1, math.nan, 0.3])}
    mixed = Result(np.array([30.0, 50.0, math.nan]), ("a", "a", "b"), np.array([0, 0, 1]), seen)
    assert mixed.recall("ours", 0.7, mixed.band(24, 40)).rate == 1
    assert mixed.recall("ours", 0.7, mixed.counted).rate == 0.5
    assert mixed.errors("ours", 0.7)[2] == 0.3
    assert np.isnan(mixed.errors("ours", 0.7)[:2]).all()


class Bright:
    """Finds one square of 100 pixels wherever the picture is bright."""

    def rows(self, image: Image) -> NDArray[np.float32]:
        if image.max() < 128:
            return np.empty((0, 15), np.float32)
        y, x = np.argwhere(image[..., 0] > 127)[0]
        return np.array([[x, y, 100, 100, *np.add(POINTS, (x, y)).flatten(), 0.9]], np.float32)


class Door:
    def detect(self, image: Image) -> list[Face]:
        return []


def test_pictures_are_shown_to_all_and_large_ones_shrunk(tmp_path: Path) -> None:
    image = np.zeros((960, 1280, 3), np.uint8)
    image[200:400, 400:600] = 255
    assert cv2.imwrite(str(tmp_path / "large.png"), image)
    points = tuple((2 * x + 400, 2 * y + 200) for x, y in POINTS)
    truth = TruePicture("large.png", "here", (TrueFace(Box(400, 200, 200, 200), points),))
    with Pictures(tmp_path) as source:
        seen = detector.run([truth], source, {"bright": Bright()}, Door(), "door")
    assert seen.sizes.tolist() == [100]
    assert seen.sources == ("here",)
    assert seen.seen["bright"].scores == [pytest.approx(0.9)]
    assert seen.seen["bright"].errors == [pytest.approx(0, abs=1e-6)]
    assert seen.seen["door"].scores == [0]
    assert seen.seen["bright"].crops
    assert not any(seen.seen["bright"].crops)
    assert len(seen.seen["door"].seconds) == 1


def test_a_file_that_is_no_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        detector.load(ModelsConfig(), tmp_path / "nowhere.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(ModelError, match=r"broken\.onnx: OpenCV cannot load"):
        detector.load(ModelsConfig(), tmp_path / "broken.onnx")
