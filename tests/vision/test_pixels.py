"""Faces cut out of pictures."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.vision.pixels import scaled_part, warped

SIDE, EDGE = 64, 8


@cache
def scene(width: int, height: int) -> np.ndarray:
    """Three smooth waves in three channels: what is where can be told to a fraction of a pixel."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    waves = [np.sin(2 * np.pi * (a * x / width + b * y / height)) for a, b in ((2, 1), (1, 3), (3, 2))]
    return np.stack([127 + 100 * w for w in waves], 2).astype(np.uint8)


def turned(scale: float, angle: float, dx: float, dy: float) -> np.ndarray:
    """The middle of a 640 x 480 picture, moved by a little, comes to the middle of the result."""
    a = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([a, SIDE / 2 - a @ (320 + dx, 240 + dy)])


@given(st.floats(0.12, 2), st.floats(-3.2, 3.2), st.floats(-40, 40), st.floats(-40, 40))
def test_what_is_even_lies_where_opencv_puts_it(scale: float, angle: float, dx: float, dy: float) -> None:
    image, matrix = scene(640, 480), turned(scale, angle, dx, dy)
    plain = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.full((480, 640), 255, np.uint8), matrix, (SIDE, SIDE)) == 255
    inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0) == 1
    off = np.abs(warped(image, matrix, SIDE).astype(int) - plain)[inside]
    assert off.size == 0 or off.max() <= 6


@pytest.mark.parametrize("scale", [0.07, 0.2, 0.3, 0.5])
def test_a_large_face_loses_the_cameras_noise(scale: float) -> None:
    noisy = np.clip(np.random.default_rng(0).normal(127, 30, (480, 640, 3)), 0, 255).astype(np.uint8)
    matrix = turned(scale, 0.3, 0, 0)
    middle = slice(SIDE // 2 - 8, SIDE // 2 + 8)
    kept = warped(noisy, matrix, SIDE)[middle, middle].std()
    plain = cv2.warpAffine(noisy, matrix, (SIDE, SIDE))[middle, middle].std()
    assert kept < plain * 1.2 * scale + 4


@given(st.floats(0.01, 3), st.floats(-3.2, 3.2), st.floats(-3000, 3000), st.floats(-3000, 3000))
def test_nothing_is_made_up_outside(scale: float, angle: float, dx: float, dy: float) -> None:
    matrix = turned(scale, angle, dx, dy)
    result = warped(np.full((480, 640, 3), 200, np.uint8), matrix, SIDE)
    assert result.shape == (SIDE, SIDE, 3)
    corners = np.array([[0, 0], [639, 0], [639, 479], [0, 479]]) @ matrix[:, :2].T + matrix[:, 2]
    wide = np.zeros((SIDE + 2 * EDGE, SIDE + 2 * EDGE), np.uint8)  # a picture beside the result reaches into it, too
    cv2.fillConvexPoly(wide, np.rint(corners + EDGE).astype(np.int32), 1)
    near = cv2.dilate(wide, np.ones((7, 7), np.uint8))[EDGE:-EDGE, EDGE:-EDGE] == 1
    assert not result[~near].any()


def test_a_picture_smaller_than_what_is_averaged_is_black() -> None:
    assert not warped(np.full((1, 1, 3), 200, np.uint8), turned(0.1, 0, 0, 0), SIDE).any()


@given(left=st.floats(0, 20), top=st.floats(0, 20), length=st.floats(30, 60), side=st.integers(32, 128))
def test_a_scaled_part_begins_and_ends_in_the_middles_of_its_outermost_pixels(
    left: float, top: float, length: float, side: int
) -> None:
    ramp = np.stack([*np.meshgrid(np.arange(112), np.arange(112)), np.zeros((112, 112))], 2).astype(np.uint8)
    shown = scaled_part(ramp, (left, top, length), side)
    assert shown.shape == (side, side, 3)
    for got, wanted in zip(shown[0, 0, :2], (left, top), strict=True):
        assert abs(float(got) - wanted) <= 1
    for got, wanted in zip(shown[-1, -1, :2], (left + length, top + length), strict=True):
        assert abs(float(got) - wanted) <= 1
