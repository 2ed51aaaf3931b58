"""What part of the picture PAD uses, and how it combines its networks."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.face import Box, Face
from kiosk.vision.manifest import CUT_OUT, TOGETHER, Input, PadEntry
from kiosk.vision.network import Network
from kiosk.vision.pad import FusedPad, mirrored_square, stretched, surroundings

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


def entry(
    context: float,
    *,
    threshold: float = 0.5,
    cue: str = "surroundings",
    beyond_edge: Literal["shrink", "mirror"] = "shrink",
    cut_out_threshold: float | None = None,
    together_threshold: float | None = None,
) -> PadEntry:
    return PadEntry(
        name="p", role="pad", model_id="p-1", file="p.onnx", sha256="0" * 64, licence="", data="", teacher="",
        input=Input(colour="bgr", mean=(0, 0, 0), std=(1, 1, 1), size=(80, 80)),
        context=context, bona_fide_class=1, threshold=threshold, threshold_apcer=0.1, threshold_bpcer=0.1,
        cue=cue, beyond_edge=beyond_edge, cut_out_threshold=cut_out_threshold,
        together_threshold=together_threshold,
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


SCORES = st.floats(0, 1)
THRESHOLDS = st.floats(0.01, 0.99)


@given(SCORES, SCORES, THRESHOLDS, THRESHOLDS)
def test_stretching_keeps_the_order_and_takes_one_threshold_to_the_other(
    a: float, b: float, own: float, common: float
) -> None:
    low, high = sorted((a, b))
    assert stretched(low, own, common) <= stretched(high, own, common) + 1e-12
    assert stretched(0, own, common) == 0
    assert stretched(own, own, common) == pytest.approx(common)
    assert stretched(1, own, common) == pytest.approx(1)


SURE, UNSURE = Fixed([0.0, 100.0, 0.0]), Fixed([0.0, 0.0, 0.0])


def test_a_cue_of_its_own_denies_at_its_own_threshold_whatever_the_others_say() -> None:
    for threshold, passes in ((0.3, True), (0.34, False)):
        pad = FusedPad(
            [(SURE, entry(2.7)), (SURE, entry(4.0)), (UNSURE, entry(1.5, threshold=threshold, cue="texture"))]
        )
        assert pad.threshold == pad.measured == 0.5
        assert (pad.score(PICTURE, FACE) >= pad.threshold) is passes
        assert set(pad.cues(PICTURE, FACE)) == {"surroundings", "texture"}


def test_no_cue_makes_up_for_another() -> None:
    """The surroundings' mean denies as it would alone."""
    alone = FusedPad([(UNSURE, entry(2.7))]).score(PICTURE, FACE)
    assert FusedPad([(UNSURE, entry(2.7)), (SURE, entry(1.5, cue="texture"))]).score(PICTURE, FACE) == alone


@pytest.mark.parametrize(
    ("logits", "passes"), [((-5.0, 9.0), True), ((-1.0, 0.9), True), ((-1.0, 0.0), False), ((-9.0, -9.0), False)]
)
def test_the_second_answers_of_all_networks_are_one_cue(logits: tuple[float, float], passes: bool) -> None:
    """Their mean is held against the threshold 0.4 = sigmoid(-0.405); the classes are what they were."""
    pad = FusedPad(
        [(Fixed([0.0, 100.0, 0.0, logit]), entry(context, cut_out_threshold=0.4))
         for logit, context in zip(logits, (2.7, 4.0), strict=True)]
    )  # fmt: skip
    cues = pad.cues(PICTURE, FACE)
    assert cues["surroundings"] == pytest.approx(1)
    assert (cues[CUT_OUT] >= pad.threshold) is passes
    assert pad.score(PICTURE, FACE) == min(cues.values())


LOGITS = st.floats(-8, 8)


def twice(first: float, second: float, together: float | None) -> FusedPad:
    """Two networks: log odds of bona fide about `first`, nothing cut out at the logit `second`."""
    numbers = [0.0, first + np.log(2), 0.0, second]
    return FusedPad(
        [(Fixed(numbers), entry(c, cut_out_threshold=0.4, together_threshold=together)) for c in (2.7, 4.0)]
    )


@pytest.mark.parametrize(
    ("first", "second", "alone", "together"),
    [
        (0.1, 0.1, True, False),
        (0.1, 6.0, True, True),
        (3.0, -0.3, True, True),
        (-0.1, 6.0, False, False),
        (9.0, -0.5, False, False),
    ],
)
def test_who_passes_both_answers_only_just_is_denied(first: float, second: float, alone: bool, together: bool) -> None:
    """A sure answer makes up for the other where each passes alone, never where one denies."""
    for threshold, passes in ((None, alone), (0.68, together)):
        pad = twice(first, second, threshold)
        assert (pad.score(PICTURE, FACE) >= pad.threshold) is passes
    answers = pad.answers(PICTURE, FACE)
    assert answers[TOGETHER] == pytest.approx(1 / (1 + np.exp(-first - second / 2)))


@given(LOGITS, LOGITS, THRESHOLDS)
def test_both_answers_together_let_nobody_in_that_either_refuses(first: float, second: float, together: float) -> None:
    assert twice(first, second, together).score(PICTURE, FACE) <= twice(first, second, None).score(PICTURE, FACE)


def test_both_answers_need_a_second_one_and_their_names() -> None:
    with pytest.raises(ValueError, match="needs cut_out_threshold"):
        entry(2.7, together_threshold=0.6)
    for cue in (CUT_OUT, TOGETHER):
        with pytest.raises(ValueError, match="second answers"):
            entry(2.7, cue=cue)


def test_an_infinite_second_answer_is_an_error_and_a_huge_one_none() -> None:
    with pytest.raises(ValueError, match="not finite"):
        FusedPad([(Fixed([0.0, 1.0, 0.0, np.inf]), entry(2.7, cut_out_threshold=0.4))]).score(PICTURE, FACE)
    pad = FusedPad([(Fixed([0.0, 1.0, 0.0, -1e30]), entry(2.7, cut_out_threshold=0.4))])
    assert pad.score(PICTURE, FACE) == pytest.approx(0)


def test_a_threshold_of_the_policy_is_held_against_the_fused_score() -> None:
    pad = FusedPad([(SURE, entry(2.7))], 0.9)
    assert (pad.threshold, pad.measured) == (0.9, 0.5)


def test_a_square_goes_on_as_a_mirror_beyond_the_edge() -> None:
    image = np.random.default_rng(1).integers(0, 256, (100, 120, 3), np.uint8)
    square = mirrored_square(image, Box(-10, 30, 40, 40), 1.5, 60)
    assert (square[:, 20:] == image[20:80, :40]).all()
    assert (square[:, :20] == image[20:80, 20:0:-1]).all()


@given(SIZES, SIZES, st.floats(0, 0.99), st.floats(0, 0.99), st.floats(1, 1500), st.floats(1, 1500))
def test_a_square_has_its_size_wherever_in_the_picture_the_face_is(
    width: int, height: int, across: float, down: float, w: float, h: float
) -> None:
    box = Box(across * width - w / 2, down * height - h / 2, w, h)
    assert mirrored_square(np.zeros((height, width, 3), np.uint8), box, 1.5, 32).shape == (32, 32, 3)


@pytest.mark.parametrize("box", [Box(500, 10, 40, 40), Box(-900, 10, 40, 40), Box(10, 10, 0, 40)])
def test_a_square_of_nothing_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match=r"outside the picture|no area"):
        mirrored_square(np.zeros((100, 120, 3), np.uint8), box, 1.5, 32)
