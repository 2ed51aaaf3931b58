"""A scanner types nothing; a person does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.gui.toolkit.pace import BURST_SECONDS, QUIET_SECONDS, Pace


@given(st.lists(st.floats(BURST_SECONDS, 5), min_size=1, max_size=20))
def test_a_persons_keys_all_count(pauses: list[float]) -> None:
    pace, now = Pace(), 0.0
    for pause in pauses:
        now += pause + 1e-6
        assert pace.key(now)


@given(st.lists(st.floats(0, BURST_SECONDS - 1e-3), min_size=1, max_size=200))
def test_of_a_burst_nothing_counts_but_its_first_key_which_is_dropped_with_the_second(pauses: list[float]) -> None:
    pace, now = Pace(), 0.0
    assert pace.key(now)
    for pause in pauses:
        now += pause
        assert not pace.key(now)
    now += QUIET_SECONDS - 0.01
    assert not pace.key(now), "its Enter may come a little later"
    assert pace.key(now + QUIET_SECONDS + 0.01)
