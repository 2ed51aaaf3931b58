from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.evaluation.figures import (
    Fold,
    best_threshold,
    clopper_pearson,
    cross_validate,
    equal_error,
    error_curve,
    tar_at_far,
    thinned,
)

scores = st.lists(st.integers(-100, 100), min_size=1, max_size=40).map(lambda v: np.array(v) / 100)


def errors(mated: np.ndarray, non_mated: np.ndarray, threshold: float) -> int:
    return int((mated < threshold).sum() + (non_mated >= threshold).sum())


class TestBestThreshold:
    def test_lies_in_the_middle_of_the_gap(self) -> None:
        assert best_threshold(np.array([0.6, 0.9]), np.array([0.1, 0.2])) == pytest.approx(0.4)

    def test_leaves_out_pairs_that_were_not_compared(self) -> None:
        assert best_threshold(np.array([0.6, np.nan]), np.array([0.2, np.nan])) == pytest.approx(0.4)

    @given(scores, scores)
    def test_no_threshold_makes_fewer_errors(self, mated: np.ndarray, non_mated: np.ndarray) -> None:
        best = errors(mated, non_mated, best_threshold(mated, non_mated))
        assert all(best <= errors(mated, non_mated, t) for t in np.arange(-1.005, 1.02, 0.005))

    def test_needs_a_score(self) -> None:
        with pytest.raises(ValueError, match="no scores"):
            best_threshold(np.array([np.nan]), np.array([]))


class TestCrossValidation:
    def test_threshold_comes_from_the_other_folds(self) -> None:
        """The first fold's own best threshold would be right every time; the others' is wrong for its mated pair."""
        odd = Fold(np.array([0.3]), np.array([0.1]))
        usual = Fold(np.array([0.9]), np.array([0.5]))
        result = cross_validate([odd, usual, usual])
        assert result.thresholds[0] == pytest.approx(0.7)
        assert result.accuracies[0] == 0.5

    def test_mean_and_standard_error(self) -> None:
        good = Fold(np.array([0.9, 0.8]), np.array([0.1, 0.2]))
        half = Fold(np.array([0.9, np.nan]), np.array([0.1, np.nan]))
        result = cross_validate([good, good, good, half])
        assert result.accuracies == (1, 1, 1, 0.5)
        assert result.accuracy == pytest.approx(0.875)
        assert result.standard_error == pytest.approx(0.25 / 2)

    def test_a_picture_without_a_face_is_an_error_for_both_kinds_of_pairs(self) -> None:
        fold = Fold(np.array([np.nan]), np.array([np.nan]))
        assert [fold.correct(t) for t in (-1.0, 0.5, 2.0)] == [0, 0, 0]

    def test_one_fold_has_no_others(self) -> None:
        with pytest.raises(ValueError, match="two"):
            cross_validate([Fold(np.array([0.9]), np.array([0.1]))])


class TestTarAtFar:
    def test_known_value(self) -> None:
        non_mated = np.arange(1000) / 1000
        result = tar_at_far(np.array([0.5, 0.9885, 0.9895, 2.0]), non_mated, 0.01)
        assert result.false_matches == 10
        assert result.tar == 0.5

    def test_one_in_a_thousand_of_a_thousand_is_one(self) -> None:
        assert tar_at_far(np.array([1.0]), np.arange(1000.0), 1e-3).false_matches == 1

    def test_too_few_pairs_allow_no_false_match(self) -> None:
        result = tar_at_far(np.array([0.5, 0.7]), np.array([0.1, 0.6]), 1e-3)
        assert (result.false_matches, result.tar) == (0, 0.5)

    def test_ties_do_not_exceed_the_rate(self) -> None:
        result = tar_at_far(np.array([0.5, 0.6]), np.full(100, 0.5), 0.1)
        assert (result.false_matches, result.tar) == (0, 0.5)

    def test_a_mated_pair_without_a_face_is_not_accepted(self) -> None:
        assert tar_at_far(np.array([0.9, np.nan]), np.array([0.1, np.nan]), 0.001).tar == 0.5

    @given(scores, scores, st.floats(0, 1), st.floats(0, 1))
    def test_grows_with_the_rate_and_keeps_it(
        self, mated: np.ndarray, non_mated: np.ndarray, a: float, b: float
    ) -> None:
        low, high = (tar_at_far(mated, non_mated, far) for far in sorted((a, b)))
        assert low.tar <= high.tar
        assert low.threshold >= high.threshold
        assert low.false_matches <= min(a, b) * non_mated.size + 1e-6

    def test_single_precision_scores_give_the_same(self) -> None:
        rng = np.random.default_rng(0)
        mated, non_mated = (rng.normal(m, 0.1, 5000).astype(np.float32) for m in (0.5, 0.0))
        single = tar_at_far(mated, non_mated, 1e-3)
        double = tar_at_far(mated.astype(np.float64), non_mated.astype(np.float64), 1e-3)
        assert (single.tar, single.false_matches) == (double.tar, double.false_matches)


class TestEqualError:
    def test_known_value(self) -> None:
        rate, threshold = equal_error(np.array([0.4, 0.7, 0.8, 0.9]), np.array([0.1, 0.2, 0.3, 0.5]))
        assert rate == 0.25
        assert 0.4 < threshold <= 0.5

    def test_separated(self) -> None:
        assert equal_error(np.array([0.8]), np.array([0.2]))[0] == 0

    @given(scores, scores)
    def test_lies_between_the_two_rates_at_its_threshold(self, mated: np.ndarray, non_mated: np.ndarray) -> None:
        rate, threshold = equal_error(mated, non_mated)
        rates = sorted([float((mated < threshold).mean()), float((non_mated >= threshold).mean())])
        assert rates[0] - 1e-9 <= rate <= rates[1] + 1e-9

    @given(scores, scores)
    def test_curve_is_monotonic_from_all_accepted_to_none(self, mated: np.ndarray, non_mated: np.ndarray) -> None:
        _, false_accepts, false_rejects = error_curve(mated, non_mated)
        assert (np.diff(false_accepts) <= 0).all()
        assert (np.diff(false_rejects) >= 0).all()
        assert (false_accepts[0], false_rejects[0]) == (1, 0)
        assert (false_accepts[-1], false_rejects[-1]) == (0, 1)


class TestClopperPearson:
    @pytest.mark.parametrize(
        ("count", "trials", "low", "high"),
        [
            # Closed forms: 1 - 0.025 ** (1 / n) without an error.
            (0, 10, 0.0, 1 - 0.025**0.1),
            (10, 10, 0.025**0.1, 1.0),
            (0, 300, 0.0, 1 - 0.025 ** (1 / 300)),
            # Quantiles of the beta distribution (scipy.stats.beta.ppf).
            (1, 10, 0.0025286, 0.4450161),
            (5, 10, 0.1870860, 0.8129140),
            (50, 1000, 0.0373354, 0.0653905),
        ],
    )
    def test_known_intervals(self, count: int, trials: int, low: float, high: float) -> None:
        rate = clopper_pearson(count, trials)
        assert rate.rate == count / trials
        assert rate.low == pytest.approx(low, abs=1e-6)
        assert rate.high == pytest.approx(high, abs=1e-6)

    @given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
    def test_holds_the_rate_and_grows_with_the_errors(self, counts: tuple[int, int]) -> None:
        count, trials = counts
        rate, more = clopper_pearson(count, trials), clopper_pearson(count + 1, trials)
        assert rate.low <= rate.rate <= rate.high
        assert rate.low < more.low
        assert rate.high < more.high

    def test_nothing_tried_says_nothing(self) -> None:
        rate = clopper_pearson(0, 0)
        assert (rate.low, rate.high) == (0, 1)
        assert math.isnan(rate.rate)

    def test_impossible_counts(self) -> None:
        with pytest.raises(ValueError, match="11 errors of 10"):
            clopper_pearson(11, 10)


class TestThinnedCurve:
    def test_few_points_of_many_spread_over_the_decades(self) -> None:
        rng = np.random.default_rng(1)
        curve = error_curve(rng.normal(3, 1, 500), rng.normal(0, 1, 20_000))
        points = thinned(*curve, points=50)
        assert 20 < len(points) <= 50
        assert points[0][1] == 1
        assert points[-1][1] == pytest.approx(1 / 20_000)
        assert [p[1] for p in points] == sorted((p[1] for p in points), reverse=True)
        whole = set(zip(*(c.tolist() for c in curve), strict=True))
        assert set(points) <= whole

    def test_no_false_accepts_at_all(self) -> None:
        assert thinned(np.array([0.5]), np.array([0.0]), np.array([0.1]), points=5) == []
