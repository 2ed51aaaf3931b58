"""How the detector refines faces. A fake network finds a bright rectangle, with the errors that a test asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kiosk.domain.face import Image
from kiosk.vision.alignment import TEMPLATE
from kiosk.vision.detector import REFINE_SIDE, FaceDetector

PLACES = np.array([(0.25, 0.35), (0.75, 0.35), (0.5, 0.55), (0.3, 0.8), (0.7, 0.8)])  # of the landmarks in the box


@dataclass
class Bright:
    """The port Finder: `bias` pixels to the right is where it puts landmarks; `blind` looks see nothing."""

    bias: float = 0.0
    blind: tuple[int, ...] = ()
    looks: list[tuple[int, ...]] = field(default_factory=list)

    def rows(self, image: Image) -> NDArray[np.float32]:
        self.looks.append(image.shape[:2])
        y, x = np.nonzero(image[:, :, 0] > 100)
        if len(self.looks) - 1 in self.blind or not len(x):
            return np.zeros((0, 15), np.float32)
        box = np.array([x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1], np.float32)
        points = box[:2] + PLACES * box[2:] + (self.bias, 0)
        return np.concatenate([box, points.ravel(), [0.9]]).astype(np.float32)[None]


@pytest.fixture
def image() -> Image:
    """A rectangle of 100 x 120 at 200, 150 in 640 x 480."""
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[150:270, 200:300] = 255
    return picture


TRUE = (200, 150) + PLACES * (100, 120)


def error(finder: Bright, image: Image) -> float:
    """Mean distance of the landmarks from where they are, to the right positive, in pixels of the image."""
    (face,) = FaceDetector(finder).detect(image)
    assert face.box.x == pytest.approx(200, abs=2.5)
    assert face.box.width == pytest.approx(100, abs=4)
    assert face.box.height == pytest.approx(120, abs=4)
    assert np.array(face.landmarks)[:, 1] == pytest.approx(TRUE[:, 1], abs=2.5)
    return float((np.array(face.landmarks) - TRUE)[:, 0].mean())


def test_a_face_is_found_and_looked_at_three_times_again(image: Image) -> None:
    finder = Bright()
    assert error(finder, image) == pytest.approx(0, abs=1)
    assert finder.looks == [(240, 320), *[(REFINE_SIDE, REFINE_SIDE)] * 3]


# A bias of 4 pixels of a look, in pixels of the image: the crop is 240 wide there, and upright the eyes are 70.5 apart.
CLOSER, UPRIGHT = 4 * 240 / REFINE_SIDE, 4 * 50 / 70.5


def test_what_errs_to_one_side_errs_to_the_other_in_the_mirror(image: Image) -> None:
    assert error(Bright(bias=4), image) == pytest.approx(CLOSER / 3, abs=0.6)


@pytest.mark.parametrize(
    ("blind", "expected"),
    [((3,), (CLOSER + UPRIGHT) / 2), ((2,), (CLOSER - UPRIGHT) / 2), ((2, 3), CLOSER)],
)
def test_a_pass_without_a_result_leaves_the_others_to_count(
    image: Image, blind: tuple[int, ...], expected: float
) -> None:
    assert error(Bright(bias=4, blind=blind), image) == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize(("look", "expected"), [(3, (CLOSER + UPRIGHT) / 2), (2, (CLOSER - UPRIGHT) / 2)])
def test_landmarks_of_another_face_are_never_mixed_in(image: Image, look: int, expected: float) -> None:
    class Other(Bright):
        def rows(self, image: Image) -> NDArray[np.float32]:
            rows = super().rows(image)
            if len(self.looks) - 1 == look:
                rows[:, [0, *range(4, 14, 2)]] += 0.6 * rows[:, [2]]  # a face beside, which overlaps
            return rows

    assert error(Other(bias=4), image) == pytest.approx(expected, abs=0.6)


def test_a_tilted_face_is_looked_at_upright() -> None:
    """The landmarks are dots, each of its own colour, which are found wherever they are."""
    colours = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)], bool)
    seen: list[NDArray[np.float64]] = []

    class Dots:
        def rows(self, image: Image) -> NDArray[np.float32]:
            points = np.array([np.argwhere(((image > 100) == c).all(axis=2)).mean(axis=0)[::-1] for c in colours])
            seen.append(points)
            low, span = points.min(axis=0), np.ptp(points, axis=0)
            return np.concatenate([low - span / 2, span * 2, points.ravel(), [0.9]]).astype(np.float32)[None]

    turned = cv2.getRotationMatrix2D((320, 240), 30, 1.6)
    true = (TEMPLATE + np.array([264, 176])) @ turned[:, :2].T + turned[:, 2]
    picture = np.zeros((480, 640, 3), np.uint8)
    for (x, y), colour in zip(true, colours, strict=True):
        cv2.circle(picture, (round(x), round(y)), 9, [255.0 * c for c in colour], -1)
    (face,) = FaceDetector(Dots()).detect(picture)
    assert np.array(face.landmarks) == pytest.approx(true, abs=1.5)
    search, _, upright, mirrored = (eyes[0] - eyes[1] for eyes in (p[:2] for p in seen))
    assert abs(search[1]) > 10
    assert abs(upright[1]) < 2
    assert abs(mirrored[1]) < 2


def test_without_a_second_look_the_first_counts(image: Image) -> None:
    finder = Bright(bias=6, blind=(1,))
    assert error(finder, image) == pytest.approx(12, abs=1.5)
    assert len(finder.looks) == 2


def test_the_two_largest_faces_are_looked_at_again(image: Image) -> None:
    class Three(Bright):
        def rows(self, image: Image) -> NDArray[np.float32]:
            rows = super().rows(image)
            if image.shape[:2] != (240, 320):
                return rows
            small, far = rows.copy(), rows.copy()
            small[:, 2:4] /= 2
            far[:, 2:4] /= 4
            return np.concatenate([far, rows, small])

    finder = Three()
    faces = FaceDetector(finder).detect(image)
    assert len(faces) == 3
    assert faces[0].box.height > faces[1].box.height > faces[2].box.height
    # The search, the largest three times, and the second, which is nowhere in its crop as it was found, once.
    assert len(finder.looks) == 1 + 3 + 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 2000), (2000, 2), (1, 65_000), (65_000, 1)])
def test_a_strip_is_a_picture_of_nobody(shape: tuple[int, int]) -> None:
    assert FaceDetector(Bright()).detect(np.full((*shape, 3), 90, np.uint8)) == []
