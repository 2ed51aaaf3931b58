"""What somebody who guesses can try in a day, and how long somebody else waits for it."""

from __future__ import annotations

import heapq
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.guesses import CROWD, EACH, HOUR, SOON, Guesses, crowd_wait
from kiosk.domain.pin import wait_after

DAY = 86400.0


def tries(numbers: int, seconds: float, pause: float = 0.0) -> int:
    """How many PINs somebody tries who never tires, takes always the number that may be tried first, and knows all
    waits. `pause`: seconds between two."""
    free, last = [(0.0, 0)] * numbers, deque[float](maxlen=CROWD)
    heapq.heapify(free)
    now, count = 0.0, 0
    while True:
        at, wrong = heapq.heappop(free)
        now = max(now, at)
        now += crowd_wait(last, now)
        if now >= seconds:
            return count
        last.append(now)
        count += 1
        heapq.heappush(free, (now + wait_after(wrong + 1), wrong + 1))
        now += pause


@pytest.mark.parametrize(("numbers", "a_day"), [(1, 32), (10, 320), (30, 870), (60, 1459), (10_000, 1459)])
def test_what_can_be_tried_in_a_day_over_all_numbers(numbers: int, a_day: int) -> None:
    """Of a million PINs of six digits: .15% a day at one door, for whoever stands there all day."""
    assert tries(numbers, DAY) == a_day
    assert a_day <= CROWD + DAY / EACH


@pytest.mark.parametrize("pause", [1.0, 30.0, 59.0, 61.0, 179.0, 181.0, 300.0])
def test_no_other_pace_gives_more(pause: float) -> None:
    assert tries(1000, DAY, pause) <= CROWD + DAY / EACH


@given(st.lists(st.floats(0, 3 * HOUR), max_size=400))
def test_in_no_hour_more_are_looked_at_and_nobody_waits_longer_than_a_minute(asked: list[float]) -> None:
    looked: list[float] = []
    for now in sorted(asked):
        wait = crowd_wait(looked, now)
        assert wait <= EACH
        if wait == 0.0:
            looked.append(now)
    for first, at in enumerate(looked):
        assert sum(other < at + HOUR for other in looked[first:]) <= CROWD + HOUR / EACH


def test_a_child_at_the_keypad_shuts_nobody_out() -> None:
    child = [float(second) for second in range(40)]
    looked: list[float] = []
    for now in child:
        if crowd_wait(looked, now) == 0.0:
            looked.append(now)
    assert len(looked) == CROWD
    assert crowd_wait(looked, child[-1] + 1) <= EACH
    assert crowd_wait(looked, looked[-1] + EACH) == 0.0
    assert crowd_wait(looked, looked[0] + HOUR) == 0.0


def test_after_a_start_it_is_not_known_what_was_before() -> None:
    guesses = Guesses(1000.0)
    for _ in range(SOON):
        assert guesses.wait(1010.0) == 0.0
        guesses.wrong(1010.0)
    assert guesses.wait(1010.0) == EACH
    assert guesses.wait(1000.0 + HOUR) == 0.0
