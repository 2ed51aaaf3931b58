"""What the table of thresholds rests on. Needs no torch."""

from __future__ import annotations

import numpy as np
import pytest

from models.train.embedder.false_matches import FMRS, Beside, beside_thresholds, growth, one_person, with_growth
from models.train.embedder.false_matches import Fmr as Row


def scores_of(people: int, others: int = 0, seed: int = 3) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(people + others, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found: np.ndarray = rows @ rows.T
    return found


def test_two_pictures_are_one_persons_when_both_teachers_together_say_so() -> None:
    y1, w600k = np.array([0.50, 0.64, 0.70, 0.30]), np.array([0.30, 0.45, 0.20, 0.80])
    assert one_person(y1, w600k).tolist() == [False, True, False, True]


def test_people_of_the_training_are_compared_with_strangers_to_it_only() -> None:
    everybody = scores_of(200, 300)
    held, others = everybody[:200, :200], everybody[:200, 200:]
    same = (np.zeros_like(held, bool), others > 0.8)
    rows, gone = beside_thresholds("aaf", held, others, same)
    i, j = np.triu_indices(200, 1)
    counted = np.concatenate([held[i, j], others[~same[1]]])
    assert gone == same[1].sum() > 0
    for row in rows:
        assert row.pairs == counted.size == 200 * 199 // 2 + 200 * 300 - gone
        assert row.false_matches == (counted >= row.score).sum() <= row.fmr * row.pairs
        assert row.low <= row.score <= row.high


def test_a_round_counts_the_pairs_of_the_people_it_drew() -> None:
    drawn = np.array([2, 0, 1, 3, 1])
    pairs = Beside(np.empty(0), np.empty(0, int), np.empty(0, int), np.ones(5, int), np.array([[0, 3]]), held=3)
    assert pairs.total(drawn) == 2 * 1 + 3 * 4 - 2 * 3


@pytest.mark.parametrize(("pictures", "expected"), [("alike", (1.0,) * 5), ("apart", (1.0, 2.0, 3.0, 4.0, 5.0))])
def test_growth_is_that_of_the_best_of_several_pictures(pictures: str, expected: tuple[float, ...]) -> None:
    """Pictures that are one picture add nothing; pictures that share no stranger add all."""
    person = np.zeros((20, 60))
    if pictures == "alike":
        person[:, :12] = 1.0
    else:
        person[np.arange(20), np.arange(20)] = 1.0
    found, count = growth([person], 0.5)
    assert found == expected
    assert count == (48 if pictures == "alike" else 20)


def test_growth_is_stated_down_to_where_enough_were_counted() -> None:
    rng = np.random.default_rng(0)
    people = [rng.normal(size=(20, 4000)) for _ in range(20)]
    table = [Row("aaf", fmr, 0.3 + n / 20, 10**7, int(fmr * 10**7), 0.0, 1.0) for n, fmr in enumerate(FMRS)]
    grown = [r.growth for r in with_growth(table, [people])]
    assert grown[0] == pytest.approx((1.0, 2.0, 3.0, 4.0, 5.0), rel=0.06)
    stated = [bool(g) for g in grown]
    assert stated == sorted(stated, reverse=True)
    assert not stated[-1]
