"""The quality gate, on faces drawn by their landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kiosk.domain.face import Box, Face, Flaw
from kiosk.vision.alignment import TEMPLATE
from kiosk.vision.quality import Bounds, Gate, turned

RNG = np.random.default_rng(0)
BOUNDS = Bounds(min_face=80, guide=0.8, room=1.35)


def face(x: float = 260.0, y: float = 160.0, scale: float = 1.2, nose: float = 0.0) -> Face:
    points = TEMPLATE * scale + (x, y)
    points[2, 0] += nose * scale
    return Face(Box(x + 8, y, 96 * scale, 112 * scale), tuple((float(a), float(b)) for a, b in points), 0.9)


def picture(level: float = 128.0, grain: float = 25.0) -> np.ndarray:
    """Light and shade over some tens of pixels, and grain."""
    shade = 1.5 * grain * np.sin(np.arange(640) / 12)[None, :, None]
    return np.clip(RNG.normal(level, grain, (480, 640, 1)) + shade + np.zeros(3), 0, 255).astype(np.uint8)


def in_two_tones() -> np.ndarray:
    squares = np.kron(RNG.integers(0, 2, (24, 32, 1)), np.ones((20, 20, 1))) + np.zeros(3)
    return (60 + 120 * squares).astype(np.uint8)


@pytest.mark.parametrize(
    ("shown", "image", "flaw"),
    [
        (face(), picture(), None),
        (face(scale=0.6), picture(), Flaw.TOO_SMALL),
        (face(x=-60), picture(), Flaw.OUTSIDE_GUIDE),
        (face(y=420, scale=0.9), picture(), Flaw.OUTSIDE_GUIDE),
        (face(x=80, y=20, scale=3.4), picture(), Flaw.TOO_NEAR),
        (face(x=120, y=50, scale=2.9), picture(), None),
        (face(y=290, scale=2.2), picture(), Flaw.CLIPPED),
        (face(nose=14), picture(), Flaw.TURNED),
        (face(), picture(level=15, grain=8), Flaw.TOO_DARK),
        (face(), picture(level=250, grain=8), Flaw.TOO_BRIGHT),
        (face(), picture(grain=0.5), Flaw.BLURRED),
        (face(), in_two_tones(), Flaw.UNNATURAL),
        (face(), np.clip(RNG.normal(128, 30, (480, 640, 3)), 0, 255).astype(np.uint8), Flaw.UNNATURAL),
    ],
)
def test_each_flaw_is_found(shown: Face, image: np.ndarray, flaw: Flaw | None) -> None:
    quality = Gate(BOUNDS, lambda *_: True).assess(image, shown)
    assert quality.flaw is flaw
    assert (quality.score > 0) == (flaw is None)


def test_a_face_that_does_not_stand_upright_is_no_sample() -> None:
    quality = Gate(BOUNDS, lambda *_: False).assess(picture(), face())
    assert (quality.flaw, quality.score) == (Flaw.TURNED_OVER, 0.0)


def test_the_score_grows_with_the_face() -> None:
    gate, image = Gate(BOUNDS, lambda *_: True), picture()
    assert gate.assess(image, face(scale=0.9)).score < gate.assess(image, face(scale=1.5)).score <= 1


def test_turned_measures_a_frontal_and_a_turned_face() -> None:
    assert turned(face())[0] < 0.05
    left, right = turned(face(nose=-10))[0], turned(face(nose=10))[0]
    assert left == pytest.approx(right, abs=0.05)
    assert left > 0.3


def test_a_tilted_head_is_rolled() -> None:
    upright = face()
    (ax, ay), (bx, by), *rest = upright.landmarks
    tilted = replace(upright, landmarks=((ax, ay - 30), (bx, by + 30), *rest))
    assert turned(tilted)[1] > 0.6


@pytest.mark.parametrize("level", [80.0, 128.0, 180.0])
def test_the_light_on_a_good_face_is_kept(level: float) -> None:
    light = Gate(BOUNDS, lambda *_: True).assess(picture(level), face()).light
    assert light == pytest.approx(level, abs=15)
