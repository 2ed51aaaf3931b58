"""Attacks as a door sees them: where the face is, what is around it, and that the same numbers give the same frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.face import Box
from kiosk.evaluation.species import HEIGHT, WIDTH, Cut, Distance, Species, cut_out, draw, edgeless, held

FACE = np.array([40, 90, 200], np.uint8)
"""The colour of the face in the pictures of these tests."""
GROUND = np.full((HEIGHT, WIDTH, 3), 10, np.uint8)


def portrait(height: int, width: int, box: Box) -> np.ndarray:
    """Grey, with a face of one colour that fills the box."""
    image = np.full((height, width, 3), 150, np.uint8)
    image[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)] = FACE
    return image


def face_rows(frame: np.ndarray) -> int:
    """How many rows of the frame show the face's colour."""
    near = np.abs(frame.astype(int) - FACE).max(2) < 12
    return int(near.any(1).sum())


BOX = Box(150, 100, 80, 100)
PORTRAIT = portrait(300, 400, BOX)


@pytest.mark.parametrize("distance", list(Distance))
@pytest.mark.parametrize("species", [s for s in Species if s is not Species.AS_FRAMED])
def test_the_face_has_the_distance_it_is_presented_at(species: Species, distance: Distance) -> None:
    frame = draw(PORTRAIT, BOX, species, distance, np.random.default_rng(1))
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert frame.dtype == np.uint8
    least = 0.3 if species is Species.EDGELESS and distance is Distance.FAR else 0.85 * distance.share
    assert least * HEIGHT <= face_rows(frame) <= max(1.15 * distance.share, 0.36) * HEIGHT


def test_as_framed_is_the_picture_itself() -> None:
    assert draw(PORTRAIT, BOX, Species.AS_FRAMED, Distance.NEAR, np.random.default_rng(1)) is PORTRAIT


def test_the_same_numbers_give_the_same_frame_and_others_another() -> None:
    one, same, other = (
        draw(PORTRAIT, BOX, Species.BENT, Distance.MIDDLE, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("bend", [0.0, 0.9])
def test_a_cut_out_shows_the_head_and_nothing_else_of_its_picture(bend: float) -> None:
    frame = cut_out(PORTRAIT, BOX, GROUND, 0.35, Cut(0.75, 0.8, 0.1), bend, (0.0, 0.0))
    assert (frame[:, :60] == 10).all()
    assert (frame[:40] == 10).all()
    assert np.abs(frame[HEIGHT // 2, WIDTH // 2].astype(int) - FACE).max() < 12
    assert (GROUND == 10).all(), "the ground that was given stays as it was"


def test_a_bent_cut_out_is_squeezed_towards_its_sides() -> None:
    stripes = np.zeros((300, 400, 3), np.uint8)
    stripes[:, ::20] = stripes[:, 1::20] = 255
    flat, bent = (
        cut_out(stripes, BOX, GROUND, 0.55, Cut(0.9, 0.9, 0.0), bend, (0.0, 0.0))[HEIGHT // 2, :, 0] > 100
        for bend in (0.0, 1.1)
    )
    widths = [np.diff(np.flatnonzero(np.diff(row.astype(int)) > 0)) for row in (flat, bent)]
    assert np.ptp(widths[0]) <= 2
    assert widths[1][0] < widths[1][len(widths[1]) // 2] > widths[1][-1]


def test_an_edgeless_picture_fills_the_frame() -> None:
    frame = edgeless(PORTRAIT, BOX, 0.5)
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert 0.45 * HEIGHT < face_rows(frame) < 0.55 * HEIGHT


def test_a_tight_portrait_gives_a_narrow_frame_rather_than_a_cut_face() -> None:
    box = Box(10, 20, 80, 100)
    frame = edgeless(portrait(140, 100, box), box, 0.2)
    assert frame.shape == (HEIGHT, round(HEIGHT * 100 / 140), 3)
    assert 0.65 * HEIGHT < face_rows(frame) < 0.75 * HEIGHT


def test_a_box_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="no area"):
        draw(PORTRAIT, Box(10, 10, 0, 10), Species.BENT, Distance.FAR, np.random.default_rng(1))


@given(
    st.floats(-60, 380),
    st.floats(-60, 280),
    st.floats(1, 500),
    st.floats(1, 500),
    st.sampled_from(list(Species)),
    st.sampled_from(list(Distance)),
)
def test_a_box_may_reach_out_of_its_picture(
    x: float, y: float, w: float, h: float, species: Species, distance: Distance
) -> None:
    frame = draw(PORTRAIT, Box(x, y, w, h), species, distance, np.random.default_rng(1))
    assert frame.ndim == 3
    assert min(frame.shape[:2]) >= 1


def test_a_held_still_moves_by_a_few_pixels_and_is_never_twice_the_same() -> None:
    frames = list(held(PORTRAIT, 15, np.random.default_rng(1)))
    assert len(frames) == 15
    assert all((a != b).mean() > 0.5 for a, b in pairwise(frames))
    tops = [int(np.flatnonzero((np.abs(f.astype(int) - FACE).max(2) < 40).sum(1) > 40)[0]) for f in frames]
    assert all(abs(top - BOX.y) <= 15 for top in tops)
    assert len(set(tops)) > 1
