"""A face against the light is brightened in steps, within bounds, and without going to and fro."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.cameras.turned import TurnedCamera
from kiosk.domain.decision import Reason
from kiosk.domain.face import Box, Face, Frame
from kiosk.domain.updates import Finding, Observed, Recovered, Waiting
from kiosk.station.metering import BRIGHT, GONE, MOST, PAUSE, STEP, Meter, Metering, luminance

LIGHT = st.floats(0, 255)


@given(st.lists(st.tuples(st.none() | LIGHT, LIGHT, st.floats(0, 1)), max_size=60))
def test_whatever_is_seen_it_stays_within_bounds_and_takes_its_time(
    seen: list[tuple[float | None, float, float]],
) -> None:
    metering, at, changed = Metering(), 0.0, -10.0
    for face, picture, pause in seen:
        at += pause
        before = metering.stops
        if metering.see(face, picture, at):
            assert face is None or at - changed >= PAUSE
            assert face is None or abs(metering.stops - before) == STEP
            changed = at
        assert 0.0 <= metering.stops <= MOST
        assert metering.stops % STEP == 0


@given(st.floats(1, 255), st.floats(1, 8))
def test_it_settles(face: float, behind: float) -> None:
    """A camera whose picture gets brighter by the square root of the light: with a display's gamma."""
    metering, changes = Metering(), []
    for number in range(100):
        gain = 2.0 ** (metering.stops / 2)
        if metering.see(min(255.0, gain * face), min(255.0, gain * face * behind), number / 10):
            changes.append(metering.stops)
    assert changes == sorted(changes), "it never goes back"
    assert len(changes) <= MOST / STEP


def brightened(face: float | None, picture: float, seconds: float) -> float:
    metering = Metering()
    for number in range(round(seconds * 10)):
        metering.see(face, picture, number / 10)
    return metering.stops


@pytest.mark.parametrize(
    ("face", "picture", "stops"),
    [
        (50.0, 120.0, MOST),  # against the light
        (50.0, 55.0, 0.0),  # in the dark
        (100.0, 250.0, 0.0),
        (200.0, 100.0, 0.0),
        (None, 250.0, 0.0),
    ],
)
def test_only_a_dark_face_before_a_bright_picture_is_brightened(
    face: float | None, picture: float, stops: float
) -> None:
    assert brightened(face, picture, 5.0) == stops


def test_it_is_taken_back_when_the_face_is_bright_and_forgotten_when_it_has_gone() -> None:
    metering = Metering()
    for number in range(40):
        metering.see(50.0, 120.0, number / 10)
    assert metering.stops == MOST
    assert metering.see(BRIGHT + 1, 255.0, 5.0)
    assert metering.stops == MOST - STEP
    assert not metering.see(None, 255.0, 5.0 + GONE - 0.1)
    assert metering.see(None, 255.0, 5.0 + GONE)
    assert metering.stops == 0.0


class Eye:
    live = True

    def __init__(self) -> None:
        self.told: list[float] = []

    def open(self) -> None: ...

    def read(self, timeout: float) -> Frame:
        raise NotImplementedError

    def close(self) -> None: ...


class BrightEye(Eye):
    def brighten(self, stops: float) -> None:
        self.told.append(stops)


def picture(at: float) -> Frame:
    image = np.full((480, 640, 3), 220, np.uint8)
    image[100:300, 200:400] = 40
    return Frame(image, 0, at, datetime(2026, 1, 1, tzinfo=UTC))


FACE = Observed(0, (Face(Box(200, 100, 200, 200), ((0.0, 0.0),) * 5, 1.0),), None, 0.0)


def shown(eye: Any, *findings: Sequence[Finding]) -> None:
    meter = Meter(eye)
    for number, found in enumerate(findings):
        meter.see(picture(float(number)), found)


def test_a_camera_that_can_is_told_also_when_it_hangs_turned() -> None:
    for wrap in (lambda eye: eye, lambda eye: TurnedCamera(eye, 90)):
        eye = BrightEye()
        shown(wrap(eye), [FACE], [Recovered(Reason.STALE_FRAME)], [FACE], [Waiting(0)], [Waiting(0)])
        assert eye.told == [0.5, 1.0, 0.0]


def test_a_camera_that_cannot_is_left_alone() -> None:
    shown(Eye(), [FACE], [FACE])
    shown(TurnedCamera(Eye(), 90), [FACE], [FACE])


@pytest.mark.parametrize(
    ("box", "light"),
    [
        (Box(200, 100, 200, 200), 40.0),
        (Box(-50, -50, 100, 100), 220.0),
        (Box(700, 100, 50, 50), None),
        (Box(-90, -90, 50, 50), None),
    ],
)
def test_the_light_on_a_face_that_lies_partly_outside(box: Box, light: float | None) -> None:
    assert luminance(picture(0.0).image, box) == light
