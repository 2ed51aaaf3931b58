"""The warp onto the common template."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.face import Box, Face
from kiosk.vision.alignment import TEMPLATE, align, similarity


@given(st.floats(0.3, 6), st.floats(-1.5, 1.5), st.floats(-300, 300), st.floats(-300, 300))
def test_the_similarity_undoes_scale_rotation_and_shift(scale: float, angle: float, dx: float, dy: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = scale * TEMPLATE @ turn.T + (dx, dy)
    matrix = similarity(landmarks)
    assert matrix[:, :2] @ landmarks.T + matrix[:, 2:] == pytest.approx(TEMPLATE.T, abs=1e-6)


def test_noise_on_a_landmark_is_spread_over_all() -> None:
    landmarks = TEMPLATE.copy()
    landmarks[2] += 4
    matrix = similarity(landmarks)
    error = (matrix[:, :2] @ landmarks.T + matrix[:, 2:]).T - TEMPLATE
    assert np.abs(error).max() < 4


@pytest.mark.parametrize("bad", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), np.inf)])
def test_landmarks_in_one_point_are_no_face(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        similarity(bad)


def test_outside_the_picture_is_black() -> None:
    face = Face(Box(0, 0, 100, 100), tuple(map(tuple, TEMPLATE - 60)), 0.9)
    warped = align(np.full((112, 112, 3), 200, np.uint8), face)
    assert warped.shape == (112, 112, 3)
    assert (warped[:50, :50] == 0).all()
    assert (warped[70:, 70:] == 200).all()
