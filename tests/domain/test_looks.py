"""The pose of a head from five landmarks; each flaw has its component."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import looks
from kiosk.domain.face import Box, Face, Flaw, Hint
from kiosk.domain.looks import head_pose

BOX = Box(200, 150, 120, 150)


@given(
    st.floats(-0.5, 0.5),
    st.floats(0.4, 0.7),
    st.floats(-0.4, 0.4),
    st.floats(20, 200),
    st.floats(0.8, 1.3),
    st.tuples(st.floats(-300, 900), st.floats(-300, 900)),
)
def test_the_pose_is_the_same_wherever_the_face_is_and_however_it_leans(
    yaw: float, pitch: float, roll: float, eyes: float, tall: float, at: tuple[float, float]
) -> None:
    down = eyes * tall
    flat = [(-eyes / 2, 0.0), (eyes / 2, 0.0), (yaw * eyes / 2, pitch * down), (-eyes / 3, down), (eyes / 3, down)]
    c, s = np.cos(roll), np.sin(roll)
    marks = tuple((float(at[0] + c * x - s * y), float(at[1] + s * x + c * y)) for x, y in flat)
    found = head_pose(Face(BOX, marks, 0.9))
    assert found is not None
    assert (found.yaw, found.pitch) == pytest.approx((yaw, pitch), abs=1e-6)


def test_landmarks_in_one_place_have_no_pose() -> None:
    assert head_pose(Face(BOX, ((5.0, 5.0),) * 5, 0.9)) is None


def test_each_flaw_and_hint_has_its_component() -> None:
    assert set(looks.OF_FLAW) == set(Flaw)
    assert set(looks.OF_HINT) == set(Hint)
