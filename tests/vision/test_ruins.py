"""The check against distorted pictures, which uses only the feature vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.vision.ruins import Ruins

CENTRE = np.array([3, 0, 0, 0], np.float32)


@pytest.mark.parametrize(("mirrored", "natural"), [(0.0, True), (0.99, True), (0.995, False), (np.nan, False)])
def test_a_face_that_is_as_its_mirror_image_is_none(mirrored: float, natural: bool) -> None:
    wall = Ruins(CENTRE, min_length=5, max_cosine=0.25, max_mirrored=0.99)
    assert wall.natural(np.array([0, 10, 0, 0], np.float32), mirrored) is natural


@pytest.mark.parametrize(
    ("vector", "natural"),
    [
        ((0, 10, 0, 0), True),
        ((2, 10, 0, 0), True),
        ((-9, 9, 0, 0), True),
        ((3, 10, 0, 0), False),
        ((10, 0, 0, 0), False),
        ((0, 4, 0, 0), False),
        ((0, 0, 0, 0), False),
        ((np.nan, 10, 0, 0), False),
        ((0, np.inf, 0, 0), False),
    ],
)
def test_a_short_vector_or_one_near_the_distorted_pictures_is_not_natural(
    vector: tuple[float, ...], natural: bool
) -> None:
    with np.errstate(invalid="ignore"):
        assert Ruins(CENTRE, min_length=5, max_cosine=0.25).natural(np.array(vector, np.float32)) is natural


@given(st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=4), st.floats(1, 5))
def test_a_longer_vector_of_the_same_direction_is_never_refused_first(values: list[float], by: float) -> None:
    wall = Ruins(CENTRE, min_length=5, max_cosine=0.25)
    vector = np.array(values, np.float32)
    if wall.natural(vector) and abs(wall.place(vector)[1] - 0.25) > 1e-3:
        assert wall.natural((vector * by).astype(np.float32))


@pytest.mark.parametrize("centre", [np.zeros(4), np.full(4, np.nan), np.ones((2, 2))])
def test_a_centre_needs_a_direction(centre: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no direction"):
        Ruins(centre.astype(np.float32), 1, 0.5)
