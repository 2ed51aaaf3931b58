"""Sizes come from millimetres and the reading distance."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.gui.sizes import CAP, LARGER, NEAR_MM, TOUCH_MM, Letters, Measures, arc_mm, minutes_of_arc

SCREENS = st.builds(
    Measures, st.integers(240, 4000), st.integers(240, 4000), st.floats(50, 2500), st.floats(300, 5000), st.booleans()
)


def test_twenty_minutes_of_arc_are_eight_and_a_half_millimetres_from_one_and_a_half_metres() -> None:
    assert arc_mm(20, 1500) == pytest.approx(8.73, abs=0.01)
    assert Measures(800, 480).cap_mm(Letters.INSTRUCTION) == pytest.approx(8.73, abs=0.01)
    assert Measures(800, 480).cap_mm(Letters.SECOND) == pytest.approx(6.11, abs=0.01)


@given(SCREENS)
def test_letters_have_the_minutes_of_arc_that_are_asked_for(screen: Measures) -> None:
    letters = {kind: minutes_of_arc(screen.cap_mm(kind), screen.distance_mm) for kind in Letters}
    assert letters[Letters.INSTRUCTION] >= 20 - 1e-6
    assert letters[Letters.SECOND] >= 14 - 1e-6
    assert screen.cap_mm(Letters.NEAR) >= NEAR_MM


@given(SCREENS)
def test_what_is_touched_has_nine_millimetres(screen: Measures) -> None:
    assert screen.touch / screen.per_mm >= TOUCH_MM - 1e-9


@given(SCREENS)
def test_pixels_and_millimetres_belong_together(screen: Measures) -> None:
    across = math.hypot(screen.width, screen.height) / screen.per_mm
    assert across == pytest.approx(screen.diagonal_mm)
    assert screen.font_px(Letters.NEAR) * CAP / screen.per_mm == pytest.approx(screen.cap_mm(Letters.NEAR))


def test_large_type_is_larger() -> None:
    for kind in Letters:
        plain, large = Measures(800, 480).cap_mm(kind), Measures(800, 480, large=True).cap_mm(kind)
        assert large == pytest.approx(plain * LARGER)
