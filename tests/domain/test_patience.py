"""A refused person must wait, and nobody else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.attempt import Rules
from kiosk.domain.face import Box, Vector
from kiosk.domain.patience import ATTEMPTS_AN_HOUR, MOST_FACES, UNTOLD, Patience
from kiosk.domain.refusals import HOUR

HERE, THERE = Box(200, 100, 100, 120), Box(450, 100, 100, 120)


def face(name: int) -> Vector:
    return np.full(4, name, np.float32)


def patience(rules: Rules | None = None) -> Patience:
    return Patience(rules or Rules(), lambda a, b: bool((a == b).all()))


def test_after_a_refusal_its_track_and_its_place_wait_for_the_plain_pause() -> None:
    p = patience()
    p.refused([face(1)], 7, HERE, at=100.0)
    assert p.waits(7, THERE, 101.4)
    assert p.waits(8, HERE, 101.4)
    assert not p.waits(8, THERE, 100.1)
    assert not p.waits(7, HERE, 101.6)


def test_whoever_waits_can_be_told_for_how_long_but_not_that_no_try_is_left() -> None:
    p = patience()
    p.refused([face(1)], 7, HERE, at=100.0)
    assert p.waits(7, HERE, 100.2) == pytest.approx(1.3)
    for number in range(5):
        p.refused([face(2)], 20 + number, THERE, at=200.0 + number)
    assert p.had_enough(face(2), 30, 206.0)
    assert p.waits(30, HERE, 206.5) > 2
    for number in range(10):
        p.refused([face(3)], 40 + number, THERE, at=400.0 + 40 * number)
    assert p.had_enough(face(3), 60, 800.0)
    assert p.waits(60, HERE, 800.2) == UNTOLD


def test_somebody_behind_a_stranger_who_was_refused_often_waits_no_longer_than_that() -> None:
    p, at = patience(), 100.0
    for track in range(8):
        p.refused([face(1)], track, HERE, at)
        at += 31
    at -= 31
    assert p.had_enough(face(1), 9, at + 20), "the stranger waits 30 s"
    assert not p.waits(10, HERE, at + 1.6)
    assert not p.had_enough(face(2), 10, at + 1.6)


def test_who_steps_aside_and_comes_back_is_known_by_the_face() -> None:
    p = patience()
    for track in range(4):
        p.refused([face(1)], track, HERE, at=100.0 + 2 * track)
    assert not p.waits(5, THERE, 106.1)
    assert p.had_enough(face(1), 5, 107.7)
    assert p.waits(5, THERE, 107.8), "its track is not looked at again at once"
    assert not p.had_enough(face(1), 5, 109.1)


def test_the_same_face_has_ten_attempts_an_hour() -> None:
    p, at = patience(), 1000.0
    for track in range(ATTEMPTS_AN_HOUR):
        assert not p.had_enough(face(1), track, at)
        p.refused([face(1)], track, HERE, at)
        at += 100
    for _ in range(20):
        assert p.had_enough(face(1), 99, at)
        assert not p.had_enough(face(2), 98, at)
        at += 100
    assert not p.had_enough(face(1), 99, 1000.0 + HOUR), "the first of them is an hour ago"


def test_who_is_let_in_begins_anew() -> None:
    p = patience()
    for track in range(ATTEMPTS_AN_HOUR):
        p.refused([face(1)], track, HERE, at=100.0 + track)
    p.granted(face(1), 120.0)
    assert not p.had_enough(face(1), 50, 121.0)


def test_a_refusal_without_a_comparison_slows_its_track_alone() -> None:
    p = patience()
    for _ in range(6):
        p.refused([], 3, HERE, 100.0)
    assert p.waits(3, HERE, 111.0)
    assert not p.waits(4, HERE, 101.6)
    assert not p.had_enough(face(1), 4, 101.6)


def test_the_poor_pictures_of_others_slow_nobody_else() -> None:
    p, at = patience(), 100.0
    for track in range(10):
        p.refused([], track, HERE, at)
        at += 5
    p.refused([], 10, HERE, at)
    assert not p.waits(10, HERE, at + 1.6), "the plain pause of a first refusal"


def test_a_fault_slows_down_by_faults_alone() -> None:
    p = patience()
    for track in range(10):
        p.refused([], track, HERE, 100.0)
    assert p.after_fault(100.0) == 101.5


def test_each_face_of_an_attempt_is_counted_once() -> None:
    p, at = patience(), 100.0
    for track in range(ATTEMPTS_AN_HOUR):
        assert not p.had_enough(face(1), track, at)
        assert not p.had_enough(face(2), track, at)
        p.refused([face(1), face(1), face(2), face(1)], track, HERE, at)
        at += 100
    assert p.had_enough(face(1), 99, at)
    assert p.had_enough(face(2), 99, at)


def test_faces_are_forgotten_after_an_hour_and_no_more_are_kept_than_there_is_room_for() -> None:
    p = patience()
    for name in range(MOST_FACES + 20):
        p.refused([face(name % 100)], name, HERE, 100.0 + name)
    assert len(p._faces) <= MOST_FACES
    assert not p.had_enough(face(1), 999, 100.0 + 2 * HOUR)
    assert p._faces == []


@pytest.mark.parametrize("pause", [0.0, 1.5])
@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 400)), min_size=1, max_size=80))
def test_whoever_takes_turns_no_face_is_compared_in_more_than_ten_attempts_an_hour(
    pause: float, story: list[tuple[int, float]]
) -> None:
    p, at = patience(Rules(pause=pause)), 0.0
    attempts: dict[int, list[float]] = {1: [], 2: [], 3: []}
    for track, (name, later) in enumerate(story):
        at += later
        if p.waits(track, HERE, at) or p.had_enough(face(name), track, at):
            continue
        attempts[name].append(at)
        assert sum(at - t < HOUR for t in attempts[name]) <= ATTEMPTS_AN_HOUR
        p.refused([face(name)], track, HERE, at)


def test_a_grant_forgets_no_refusal_that_had_a_claim() -> None:
    p = patience()
    for number in range(ATTEMPTS_AN_HOUR):
        at = 100.0 + 40 * number
        p.refused([face(1)], number, HERE, at, claimed=True)
        p.refused([face(2)], number, HERE, at)
        p.granted(face(1), at + 1)
        p.granted(face(2), at + 1)
        assert not p.had_enough(face(2), 99, at + 2)
        assert p.had_enough(face(1), 99, at + 35) == (number == ATTEMPTS_AN_HOUR - 1)
    assert not p.had_enough(face(1), 99, 100.0 + HOUR), "the first of them is an hour ago"
