"""The screen's light in the dark, and that it never flashes. The instructions are tested through the presenter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.face import Box, Face, Flaw, Quality
from kiosk.domain.updates import Observed
from kiosk.gui.guidance import LIT_SECONDS, Lamp

FACE = Face(Box(200, 100, 180, 220), ((250, 180), (330, 180), (290, 220), (260, 260), (320, 260)), 0.9)
SEEN = Observed(1, (FACE,), Quality(0.9), 0.0)


def test_a_face_in_the_dark_is_lit_and_stays_lit_while_the_lamp_itself_makes_it_bright() -> None:
    lamp = Lamp()
    lamp.frame(20.0, 0)
    lamp.seen(SEEN, 0.1)
    for tenth in range(300):
        lamp.frame(120.0, tenth / 10)
        lamp.seen(SEEN, tenth / 10)
        assert lamp.on(tenth / 10 + 0.1)
    assert not lamp.on(30 + LIT_SECONDS)
    lamp.frame(120.0, 50)
    assert not lamp.dark


def test_by_day_nothing_is_lit() -> None:
    lamp = Lamp()
    lamp.frame(120.0, 0)
    lamp.seen(SEEN, 0)
    lamp.touched(0)
    assert not lamp.on(0.1)
    assert not lamp.waits(0.1)


def test_a_touch_lights_a_dark_room_and_an_empty_one_stays_dark() -> None:
    lamp = Lamp()
    lamp.frame(20.0, 0)
    lamp.seen(Observed(1, (), None, 0.0), 0)
    assert (lamp.on(0), lamp.waits(0)) == (False, True)
    lamp.touched(1)
    assert (lamp.on(1), lamp.waits(1)) == (True, False)


def test_a_face_that_is_too_dark_is_lit_in_a_bright_room_too() -> None:
    lamp = Lamp()
    lamp.frame(150.0, 0)
    lamp.seen(Observed(1, (FACE,), Quality(0.0, Flaw.TOO_DARK), 0.0), 0)
    assert lamp.on(1)


@given(st.lists(st.tuples(st.floats(0.01, 2), st.floats(0, 255), st.booleans()), max_size=200))
def test_it_never_flashes(story: list[tuple[float, float, bool]]) -> None:
    """WCAG allows three flashes a second; here there is at most one change in LIT_SECONDS."""
    lamp, now, lit_at = Lamp(), 0.0, None
    for step, brightness, face in story:
        now += step
        was = lamp.on(now)
        lamp.frame(brightness, now)
        lamp.seen(SEEN if face else Observed(1, (), None, 0.0), now)
        if lamp.on(now) and not was:
            lit_at = now
        if not lamp.on(now) and lit_at is not None:
            assert now - lit_at >= LIT_SECONDS
            lit_at = None
