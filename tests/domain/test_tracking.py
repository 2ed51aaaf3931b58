"""A track belongs to one face that does not jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.face import Box, Face
from kiosk.domain.tracking import LOST_AFTER, MIN_OVERLAP, Seen, Tracker


def face(x: float = 0.0) -> Face:
    return Face(Box(x, 0, 100, 100), ((0.0, 0.0),) * 5, 0.9)


def test_a_face_that_stays_keeps_its_number() -> None:
    tracker = Tracker()
    assert [tracker.follow(face(x), at / 15) for at, x in enumerate([0, 10, 20, 15])] == [1, 1, 1, 1]
    assert tracker.frames == 4
    assert tracker.since == 0


@given(st.floats(-1000, 1000))
def test_a_jump_is_another_track(x: float) -> None:
    tracker = Tracker()
    first = tracker.follow(face(), 0.0)
    jumped = face(x).box.iou(face().box) < MIN_OVERLAP
    assert (tracker.follow(face(x), 0.1) != first) is jumped


@pytest.mark.parametrize(("gone", "same"), [(LOST_AFTER, True), (LOST_AFTER + 0.01, False)])
def test_who_was_away_for_too_long_is_somebody_else(gone: float, same: bool) -> None:
    tracker = Tracker()
    first = tracker.follow(face(), 1.0)
    assert tracker.lost(1.0 + gone) is not same
    assert (tracker.follow(face(), 1.0 + gone) == first) is same


def test_only_new_pictures_count_and_an_old_one_starts_the_count_again() -> None:
    tracker = Tracker()
    for at, seen in enumerate([Seen.NEW, Seen.AGAIN, Seen.NEW]):
        track = tracker.follow(face(), at / 15, seen)
    assert tracker.frames == 2
    assert tracker.follow(face(), 0.3, Seen.FROZEN) == track, "it is the same face all the same"
    assert tracker.frames == 0
    tracker.follow(face(), 0.4)
    assert (tracker.frames, tracker.since) == (1, 0.4)


def test_a_dropped_track_is_not_taken_up_again() -> None:
    tracker = Tracker()
    first = tracker.follow(face(), 0.0)
    tracker.drop()
    assert tracker.lost(0.0)
    assert tracker.follow(face(), 0.1) != first
