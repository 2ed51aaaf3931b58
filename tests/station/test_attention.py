"""Which frames are searched: all while somebody is there, at least one in 0.15 s while nobody is."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Reason
from kiosk.domain.face import Frame
from kiosk.domain.updates import Faulted, Finding, Observed, Recovered, Waiting
from kiosk.station.attention import NOBODY_SECONDS, Attention

PICTURE = np.zeros((1, 1, 3), np.uint8)
WALL = datetime(2026, 1, 1, tzinfo=UTC)
SOMEBODY = (
    Observed(1, (), None, 0.0),
    Recovered(Reason.STALE_FRAME),
    Faulted(Reason.INTERNAL_FAULT, "something"),
)


def frame(at: float) -> Frame:
    return Frame(PICTURE, round(at * 1000), at, WALL)


def searched(attention: Attention, times: list[float], *events: Finding) -> list[float]:
    """Which of these frames are searched, if each search says this."""
    found = []
    for at in times:
        if attention.due(frame(at)):
            attention.found(frame(at), events or [Waiting(0)])
            found.append(at)
    return found


def ticks(begin: float, end: float, rate: float) -> list[float]:
    return [begin + i / rate for i in range(round((end - begin) * rate))]


def test_at_first_every_frame_is_searched() -> None:
    times = ticks(100.0, 100.0 + NOBODY_SECONDS, 15)
    assert searched(Attention(), times) == times


@pytest.mark.parametrize("rate", [5.0, 10.0, 15.0, 30.0, 60.0])
def test_an_empty_room_is_searched_less_often_and_often_enough(rate: float) -> None:
    attention = Attention()
    searched(attention, ticks(0.0, NOBODY_SECONDS, rate))
    times = ticks(NOBODY_SECONDS + 1 / rate, 60.0, rate)
    found = searched(attention, times)
    assert max(np.diff(found)) <= max(0.15, 1.01 / rate)
    assert len(found) <= 11.2 * 60
    if rate >= 15:
        assert len(found) <= 0.51 * len(times)


@pytest.mark.parametrize("event", SOMEBODY)
def test_whatever_happens_wakes_it_at_once(event: Finding) -> None:
    attention = Attention()
    searched(attention, ticks(0.0, 30.0, 15))
    assert attention.due(frame(31.0))
    attention.found(frame(31.0), [Waiting(1), event])
    times = ticks(31.01, 31.0 + NOBODY_SECONDS, 30)
    assert searched(attention, times) == times


def test_a_clock_that_goes_back_hides_nobody() -> None:
    attention = Attention()
    searched(attention, ticks(1000.0, 1030.0, 15))
    times = ticks(5.0, 5.0 + NOBODY_SECONDS, 15)
    assert searched(attention, times) == times


@given(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=200), st.data())
def test_no_frame_waits_long_for_a_search(gaps: list[float], data: st.DataObject) -> None:
    """Whatever the camera's rhythm and whatever is found: a frame is passed over only within 0.09 s of a search."""
    attention, at, last = Attention(), 0.0, None
    for gap in gaps:
        at += gap
        if attention.due(frame(at)):
            attention.found(frame(at), [data.draw(st.sampled_from([Waiting(0), *SOMEBODY]))])
            last = at
        assert last is not None
        assert at - last < 0.09


def test_somebody_is_there_for_some_seconds_after_the_last_face_and_nobody_in_an_empty_room() -> None:
    attention = Attention()
    assert not attention.somebody(frame(1.0))
    attention.found(frame(1.0), [Observed(1, (), None, 0.0)])
    attention.found(frame(2.0), [Waiting(1)])
    assert attention.somebody(frame(2.0))
    assert attention.somebody(frame(1.0 + NOBODY_SECONDS - 0.1))
    assert not attention.somebody(frame(1.0 + NOBODY_SECONDS))
