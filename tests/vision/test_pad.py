"""Where PAD looks, and what it makes of its networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.types import Box, Face
from kiosk.vision.manifest import Input, PadEntry
from kiosk.vision.network import Network
from kiosk.vision.pad import FusedPad, surroundings

SIZES = st.integers(60, 2000)


@given(
    SIZES,
    SIZES,
    st.floats(-200, 2000),
    st.floats(-200, 2000),
    st.floats(1, 1500),
    st.floats(1, 1500),
    st.sampled_from([2.7, 4.0]),
)
def test_the_crop_lies_in_the_picture(
    width: int, height: int, x: float, y: float, w: float, h: float, context: float
) -> None:
    left, top, right, bottom = surroundings(Box(x, y, w, h), context, width, height)
    assert 0 <= left <= right < width
    assert 0 <= top <= bottom < height


def test_the_crop_is_the_context_around_the_face() -> None:
    assert surroundings(Box(300, 200, 40, 50), 4.0, 640, 480) == (240, 125, 400, 325)


def test_near_the_edge_the_crop_is_moved_not_cut() -> None:
    left, top, right, bottom = surroundings(Box(0, 0, 100, 100), 2.7, 640, 480)
    assert (left, top) == (0, 0)
    assert (right, bottom) == (270, 270)


def test_a_large_face_makes_the_crop_the_picture() -> None:
    assert surroundings(Box(200, 100, 300, 300), 4.0, 640, 480)[1::2] == (0, 479)


def test_a_box_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="no area"):
        surroundings(Box(10, 10, 0, 10), 2.7, 640, 480)


class Fixed(Network):
    """A network that always says the same. It models no picture."""

    def __init__(self, logits: list[float]) -> None:
        self.logits = np.array([logits], np.float32)

    def run(self, *pictures: np.ndarray) -> np.ndarray:
        assert [p.shape for p in pictures] == [(80, 80, 3)]
        return self.logits


def entry(context: float) -> PadEntry:
    return PadEntry(
        name="p", role="pad", model_id="p-1", file="p.onnx", sha256="0" * 64, licence="", data="", teacher="",
        input=Input(colour="bgr", mean=(0, 0, 0), std=(1, 1, 1), size=(80, 80)),
        context=context, bona_fide_class=1, threshold=0.5, threshold_apcer=0.1, threshold_bpcer=0.1,
    )  # fmt: skip


FACE = Face(Box(200, 100, 100, 120), ((230, 150), (270, 150), (250, 170), (235, 190), (265, 190)), 0.9)
PICTURE = np.zeros((480, 640, 3), np.uint8)


def test_the_score_is_the_mean_of_the_bona_fide_probabilities() -> None:
    sure, unsure = Fixed([0.0, 100.0, 0.0]), Fixed([0.0, 0.0, 0.0])
    pad = FusedPad([(sure, entry(2.7)), (unsure, entry(4.0))], 0.5)
    assert pad.score(PICTURE, FACE) == pytest.approx((1 + 1 / 3) / 2)


def test_a_network_that_gives_no_number_is_an_error_not_a_score() -> None:
    with pytest.raises(ValueError, match="not finite"):
        FusedPad([(Fixed([np.nan, 0.0, 0.0]), entry(2.7))], 0.5).score(PICTURE, FACE)


def test_pad_without_a_network_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="needs a network"):
        FusedPad([], 0.5)
