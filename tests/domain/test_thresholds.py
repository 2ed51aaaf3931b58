"""The threshold by the gallery's size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.thresholds import OperatingPoint, Thresholds, fmr_of, fpir_of

TABLE = [
    OperatingPoint(1e-3, 0.50),
    OperatingPoint(1e-4, 0.59),
    OperatingPoint(1e-5, 0.64),
    OperatingPoint(1e-6, 0.68, extrapolated=True),
]


@st.composite
def tables(draw: st.DrawFn) -> list[OperatingPoint]:
    rates = draw(st.lists(st.floats(1e-9, 0.5), min_size=1, max_size=6, unique=True))
    scores = draw(st.lists(st.floats(-0.9, 0.99), min_size=len(rates), max_size=len(rates)))
    return [OperatingPoint(f, s) for f, s in zip(sorted(rates, reverse=True), sorted(scores), strict=True)]


SIZES = st.integers(0, 1_000_000)
TARGETS = st.floats(1e-6, 0.1)


@given(tables(), TARGETS, SIZES, SIZES)
def test_more_references_never_lower_the_threshold(table: list[OperatingPoint], fpir: float, n: int, m: int) -> None:
    thresholds = Thresholds(table, fpir)
    few, many = sorted((n, m))
    assert thresholds.for_gallery(few).score <= thresholds.for_gallery(many).score


@given(tables(), TARGETS, TARGETS, SIZES)
def test_a_stricter_target_never_lowers_the_threshold(table: list[OperatingPoint], a: float, b: float, n: int) -> None:
    strict, lax = sorted((a, b))
    assert Thresholds(table, strict).for_gallery(n).score >= Thresholds(table, lax).for_gallery(n).score


@given(tables(), TARGETS, SIZES)
def test_within_the_evidence_the_target_is_kept_and_outside_it_is_said(
    table: list[OperatingPoint], fpir: float, n: int
) -> None:
    chosen = Thresholds(table, fpir).for_gallery(n)
    assert table[0].score <= chosen.score <= table[-1].score
    assert chosen.fpir is not None
    assert chosen.fpir <= fpir * (1 + 1e-6) or (chosen.caution and chosen.score == table[-1].score)
    assert not chosen.unsafe


@given(tables(), TARGETS, SIZES)
def test_a_fixed_threshold_that_equals_the_chosen_one_expects_the_same(
    table: list[OperatingPoint], fpir: float, n: int
) -> None:
    """The way from the score back to the rate; where several rates share a score, the lowest is meant."""
    chosen = Thresholds(table, fpir).for_gallery(n)
    fixed = Thresholds(table, fpir, chosen.score).for_gallery(n)
    assert fixed.score == chosen.score
    assert fixed.fpir is not None
    assert chosen.fpir is not None
    assert fixed.fpir <= chosen.fpir * (1 + 1e-3) + 1e-12


@given(st.floats(1e-9, 0.1), st.integers(1, 100_000))
def test_the_two_rates_are_inverse(fpir: float, references: int) -> None:
    assert fpir_of(fmr_of(fpir, references), references) == pytest.approx(fpir, rel=1e-9)


@pytest.mark.parametrize(
    ("references", "score"), [(0, 0.50), (1, 0.50), (10, 0.59), (100, 0.64), (1000, 0.68), (32, 0.615)]
)
def test_known_sizes(references: int, score: float) -> None:
    assert Thresholds(TABLE, 1e-3).for_gallery(references).score == pytest.approx(score, abs=5e-4)


def test_it_is_never_below_the_first_score() -> None:
    chosen = Thresholds(TABLE, 0.1).for_gallery(1)
    assert chosen.score == 0.50
    assert chosen.fpir == pytest.approx(1e-3)


def test_past_the_evidence_it_stays_and_says_so() -> None:
    chosen = Thresholds(TABLE, 1e-3).for_gallery(5000)
    assert chosen.score == 0.68
    assert chosen.fpir == pytest.approx(0.005, rel=0.01)
    assert "evidence ends at FMR 1e-06" in chosen.caution


def test_thin_evidence_is_said() -> None:
    assert Thresholds(TABLE, 1e-3).for_gallery(100).caution == ""
    assert "fewer than 10 false matches" in Thresholds(TABLE, 1e-3).for_gallery(101).caution


@pytest.mark.parametrize(
    ("fixed", "references", "fpir", "unsafe", "caution"),
    [
        (0.49, 1, None, True, "below 0.5, the score of FMR 0.001"),
        (0.50, 1, 1e-3, False, ""),
        (0.50, 20, 0.0198, False, "too low for 20 references"),
        (0.64, 20, 2e-4, False, ""),
        (0.90, 20, 2e-5, False, ""),
    ],
)
def test_a_fixed_threshold_is_used_and_judged(
    fixed: float, references: int, fpir: float | None, unsafe: bool, caution: str
) -> None:
    chosen = Thresholds(TABLE, 1e-3, fixed).for_gallery(references)
    assert chosen.score == fixed
    assert chosen.fpir == (None if fpir is None else pytest.approx(fpir, rel=0.01))
    assert chosen.unsafe == unsafe
    assert (caution in chosen.caution) if caution else chosen.caution == ""


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ([], "at least one"),
        ([OperatingPoint(0.0, 0.5)], "between 0 and 1"),
        ([OperatingPoint(1e-3, 0.6), OperatingPoint(1e-4, 0.5)], "must not fall"),
        ([OperatingPoint(1e-3, 0.5), OperatingPoint(1e-3, 0.6)], "must not fall"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(table: list[OperatingPoint], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Thresholds(table, 1e-3)
