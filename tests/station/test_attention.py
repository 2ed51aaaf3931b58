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
from kiosk.station.attention import EMPTY_REST, NOBODY_SECONDS, Attention

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


def nobody(until: float, rate: float = 15.0) -> Attention:
    """After so many seconds of an empty room."""
    attention = Attention()
    searched(attention, ticks(0.0, until, rate))
    return attention


@pytest.mark.parametrize("rate", [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 60.0])
def test_what_is_shown_has_a_rate_of_its_own_and_a_lower_one_in_an_empty_room(rate: float) -> None:
    attention = Attention()
    times = ticks(0.0, NOBODY_SECONDS, rate)
    shown = [at for at in times if attention.shown(frame(at))]
    assert len(shown) <= 22.3 * NOBODY_SECONDS
    assert len(shown) >= min(rate, 12.0) * NOBODY_SECONDS
    attention = nobody(10.0)
    shown = [at for at in ticks(10.0, 70.0, rate) if attention.shown(frame(at))]
    assert 3.7 * 60 <= len(shown) <= 5.6 * 60


def test_a_camera_rests_only_in_an_empty_room_and_not_after_a_frame_that_comes_too_soon_to_be_searched() -> None:
    attention = nobody(NOBODY_SECONDS - 0.1)
    assert attention.rest(frame(NOBODY_SECONDS - 0.1)) == 0.0
    attention = nobody(10.0)
    assert attention.rest(frame(10.0)) == EMPTY_REST
    assert attention.rest(frame(10.05)) == 0.0, "it waited in the queue"
    assert attention.rest(frame(10.1)) == EMPTY_REST
    attention.found(frame(10.2), [Observed(1, (), None, 0.0)])
    assert attention.rest(frame(10.3)) == 0.0


@given(queue=st.integers(0, 2), rate=st.sampled_from([15.0, 24.0, 30.0, 60.0]))
def test_a_camera_that_rests_is_searched_often_enough_whatever_waits_in_its_queue(queue: int, rate: float) -> None:
    """The driver keeps so many frames, the oldest first; without a queue, the newest."""
    attention = nobody(10.0)
    now, last, found, read = 10.0, 10.0, [10.0], 0
    while now < 20.0:
        next_one = last + 1 / rate
        taken = max(next_one, now - 1 / rate) if not queue else max(next_one, now - queue / rate)
        now, last, read = max(now, taken), taken, read + 1
        if attention.due(frame(taken)):
            attention.found(frame(taken), [Waiting(0)])
            found.append(now)
        now += attention.rest(frame(taken))
    assert max(np.diff(found)) <= 0.2
    assert read <= 10.0 * min(rate, 31.0)


def test_staff_who_use_the_camera_are_somebody() -> None:
    attention = nobody(10.0)
    attention.used(frame(10.0))
    assert attention.rest(frame(10.05)) == 0.0
    assert attention.due(frame(10.05))
    assert attention.somebody(frame(10.05))
