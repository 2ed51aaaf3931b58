"""A face that never leaves is left out; somebody alive never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.face import Box, Face
from kiosk.domain.lingering import FORGOTTEN_SECONDS, GAP_SECONDS, SAME, STAYS_SECONDS, Lingering

STEP = 0.5


def face(x: float = 400.0, width: float = 100.0) -> Face:
    return Face(Box(x, 100, width, 120), ((0.0, 0.0),) * 5, 0.9)


POSTER = face()


def shown(lingering: Lingering, faces: list[Face], seconds: float, since: float = 0.0) -> float:
    """Shows these faces for so long. Returns the time after it."""
    at = since
    while at < since + seconds:
        at += STEP
        lingering.without(faces, at)
    return at


def test_a_poster_is_left_out_after_its_time_and_told_once() -> None:
    lingering = Lingering()
    at = shown(lingering, [POSTER], STAYS_SECONDS - 1)
    assert lingering.without([POSTER], at) == (POSTER,)
    assert lingering.news() is None
    at = shown(lingering, [POSTER], 3, at)
    assert lingering.without([POSTER], at) == ()
    assert lingering.news() is True
    assert lingering.news() is None


def test_whoever_comes_then_is_the_only_one() -> None:
    lingering = Lingering()
    at = shown(lingering, [POSTER], STAYS_SECONDS + 1)
    visitor = face(x=150)
    assert lingering.without([visitor, POSTER], at + 1) == (visitor,)
    assert lingering.without([visitor, face(x=600)], at + 2) == (visitor, face(x=600)), "a second person counts"


def test_the_detectors_noise_does_not_matter() -> None:
    lingering = Lingering()
    at = 0.0
    for i in range(int(STAYS_SECONDS / STEP) + 3):
        at += STEP
        left = lingering.without([face(x=400 + 3 * (i % 2), width=100 + i % 3)], at)
    assert left == ()


def test_a_poster_that_somebody_hides_for_a_while_stays_left_out() -> None:
    lingering = Lingering()
    at = shown(lingering, [POSTER], STAYS_SECONDS + 1)
    at = shown(lingering, [face(x=150)], 60, at)
    assert lingering.without([POSTER], at) == ()
    at = shown(lingering, [], FORGOTTEN_SECONDS + 1, at)
    assert lingering.without([POSTER], at) == (POSTER,)
    lingering.news()
    assert not lingering.there


def test_a_poster_that_is_taken_down_is_told() -> None:
    lingering = Lingering()
    at = shown(lingering, [POSTER], STAYS_SECONDS + 1)
    assert lingering.news() is True
    shown(lingering, [], FORGOTTEN_SECONDS + 1, at)
    assert lingering.news() is False


@pytest.mark.parametrize("gap", [GAP_SECONDS - 1, GAP_SECONDS + 1])
def test_before_that_a_face_that_was_away_begins_anew(gap: float) -> None:
    lingering = Lingering()
    at = shown(lingering, [POSTER], STAYS_SECONDS - 2)
    at = shown(lingering, [POSTER], 4, at + gap)
    assert (lingering.without([POSTER], at) == ()) is (gap < GAP_SECONDS)


@given(st.lists(st.floats(-60, 60), min_size=20, max_size=80))
def test_somebody_who_moves_by_more_than_the_noise_always_counts(steps: list[float]) -> None:
    """A face that every few seconds is somewhere else is never left out, however long it stays."""
    lingering, at, x = Lingering(), 0.0, 400.0
    for i, step in enumerate(steps):
        x += step
        at += STAYS_SECONDS / 10
        there = face(x=x + (40 if i % 2 else 0))
        if there.box.iou(face(x=x).box) < SAME:
            assert lingering.without([there], at) == (there,)
