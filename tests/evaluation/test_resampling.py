"""The bootstrap over people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.evaluation.figures import tar_at_far
from kiosk.evaluation.resampling import Interval, Mated, NonMated, draws, score_intervals, tar_loss


def compared(seed: int, people: int, pictures: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Random unit vectors: scores, first, second of all non-mated pairs, and the pictures of each person."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), pictures)
    rows = rng.normal(size=(who.size, 32))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    i, j = np.triu_indices(who.size, 1)
    other = who[i] != who[j]
    return (rows @ rows.T)[i, j][other], who[i][other], who[j][other], np.full(people, pictures)


@settings(max_examples=30)
@given(st.integers(0, 50), st.integers(5, 30), st.integers(1, 3), st.sampled_from([0.3, 0.1, 0.02]))
def test_drawing_everybody_once_is_the_plain_rate(seed: int, people: int, pictures: int, far: float) -> None:
    scores, first, second, count = compared(seed, people, pictures)
    pairs = NonMated.best(scores, first, second, count, far)
    assert pairs.total(np.ones(people, np.int64)) == scores.size
    threshold = pairs.threshold(np.ones(people, np.int64), far)
    assert threshold == tar_at_far(np.array([1.0]), scores, far).threshold


def test_drawing_somebody_twice_is_a_set_with_that_person_twice() -> None:
    """Two copies of one person are never compared with one another."""
    scores, first, second, count = compared(1, 12, 2)
    drawn = np.ones(12, np.int64)
    drawn[3], drawn[4] = 2, 0
    repeated = np.repeat(scores, drawn[first] * drawn[second])
    pairs = NonMated.best(scores, first, second, count, 0.1)
    assert pairs.total(drawn) == repeated.size
    assert pairs.threshold(drawn, 0.1) == tar_at_far(np.array([1.0]), repeated, 0.1).threshold


def test_removed_pairs_are_not_counted() -> None:
    scores, first, second, count = compared(2, 10)
    gone = scores > 0.3
    assert gone.any()
    removed = np.stack([first[gone], second[gone]], axis=1)
    pairs = NonMated.best(scores[~gone], first[~gone], second[~gone], count, 0.2, removed)
    assert pairs.total(np.ones(10, np.int64)) == (~gone).sum()


def test_each_draw_is_of_as_many_people_and_the_same_every_time() -> None:
    drawn = draws(40, 100)
    assert drawn.shape == (100, 40)
    assert (drawn.sum(axis=1) == 40).all()
    assert (drawn == draws(40, 100)).all()


def test_the_interval_of_a_score_holds_it_and_narrows_with_more_people() -> None:
    widths = []
    for people in (30, 300):
        scores, first, second, count = compared(3, people)
        (found,) = score_intervals(NonMated.best(scores, first, second, count, 0.01), (0.01,), 200)
        assert found.low <= np.quantile(scores, 0.99) <= found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0]


def test_no_loss_between_equal_systems_and_a_loss_where_scores_are_spoilt() -> None:
    scores, first, second, count = compared(4, 60)
    rng = np.random.default_rng(5)
    people = np.arange(60)
    good = Mated(rng.normal(0.8, 0.1, 60), people)
    pairs = NonMated.best(scores, first, second, count, 0.05)
    assert tar_loss((good, pairs), (good, pairs), 0.05, 100) == Interval(0, 0)
    spoilt = Mated(np.where(people < 20, -np.inf, good.scores), people)
    loss = tar_loss((good, pairs), (spoilt, pairs), 0.05, 200)
    assert 0.15 < loss.low < 1 / 3 < loss.high < 0.55


def test_without_anybody_to_draw_there_is_no_interval() -> None:
    assert np.isnan(Mated(np.array([0.5]), np.array([0])).tar(np.array([0, 1]), 0.1))
    assert np.isnan(Interval.of(np.array([np.nan])).low)
    assert Interval.of(np.array([np.nan, 0.5])) == Interval(pytest.approx(0.5), pytest.approx(0.5))
