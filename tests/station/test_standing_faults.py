"""A fault is reported when it comes and when it ends, and not with each frame."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Reason
from kiosk.station.standing_faults import LONGEST_SECONDS, OVER_SECONDS, StandingFaults

CAMERA = Reason.CAMERA_UNAVAILABLE
FPS = 15


def tellings(frames: list[bool]) -> int:
    """How often something is told of frames at FPS, false where one is bad."""
    faults, told = StandingFaults(), 0
    for number, good in enumerate(frames):
        at = number / FPS
        told += len(faults.passed([CAMERA], at)) if good else faults.see(CAMERA, at)
    return told


def test_it_is_over_once_nothing_was_seen_of_it_for_a_while() -> None:
    faults = StandingFaults()
    assert faults.see(CAMERA, 10.0)
    assert not faults.see(CAMERA, 11.0)
    assert faults.passed([CAMERA], 11.0 + OVER_SECONDS - 0.1) == []
    assert CAMERA in faults
    assert faults.passed([], 11.0 + OVER_SECONDS) == [CAMERA]
    assert CAMERA not in faults
    assert faults.passed([CAMERA], 30.0) == []


def test_one_that_nothing_has_passed_since_is_not_over() -> None:
    faults = StandingFaults()
    faults.see(CAMERA, 10.0)
    assert faults.passed([Reason.PAD_FAULT], 100.0) == []
    assert faults.passed([CAMERA], 101.0) == [CAMERA]


def test_one_that_keeps_coming_back_is_waited_for_longer_and_a_rare_one_is_not() -> None:
    faults, at, waits = StandingFaults(), 0.0, []
    for _ in range(8):
        assert faults.see(CAMERA, at)
        seen = at
        while not faults.passed([CAMERA], at):
            at += 0.5
        waits.append(at - seen)
        at += 0.5
    assert waits[:3] == [OVER_SECONDS, 2 * OVER_SECONDS, 4 * OVER_SECONDS]
    assert waits[-1] == LONGEST_SECONDS
    at += 3600
    faults.see(CAMERA, at)
    assert faults.passed([CAMERA], at + OVER_SECONDS) == [CAMERA]


@given(st.lists(st.sampled_from([True] * 9 + [False]), min_size=FPS, max_size=60 * FPS))
def test_whatever_frames_come_the_tellings_are_few(frames: list[bool]) -> None:
    seconds = len(frames) / FPS
    assert tellings(frames) <= 2 + 2 * seconds / OVER_SECONDS


def test_a_day_of_a_flapping_camera_is_bounded() -> None:
    """Bad for a frame whenever it was told as over: the worst that there is."""
    faults, told, at = StandingFaults(), 0, 0.0
    while at < 86_400:
        told += len(faults.passed([CAMERA], at)) + (CAMERA not in faults and faults.see(CAMERA, at))
        at += 0.5
    assert told <= 2 * (86_400 / LONGEST_SECONDS + 10)
