"""The threshold by the gallery's size."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.thresholds import OperatingPoint, Sizes, Thresholds

GROWTH = (1.0, 1.6, 2.1, 2.5, 2.8)
TABLE = [
    OperatingPoint(1e-3, 0.50, growth=GROWTH),
    OperatingPoint(1e-4, 0.59, growth=GROWTH),
    OperatingPoint(1e-5, 0.64),
    OperatingPoint(1e-6, 0.68, extrapolated=True),
]


@st.composite
def tables(draw: st.DrawFn) -> list[OperatingPoint]:
    rates = draw(st.lists(st.floats(1e-9, 0.5), min_size=1, max_size=6, unique=True))
    scores = draw(st.lists(st.floats(-0.9, 0.99), min_size=len(rates), max_size=len(rates)))
    growths = st.just(()) | st.just((1.0,)) | st.just(GROWTH) | st.just((1.0, 2.0, 3.0))
    reliable = draw(st.integers(0, len(rates)))
    return [
        OperatingPoint(f, s, i >= reliable, draw(growths))
        for i, (f, s) in enumerate(zip(sorted(rates, reverse=True), sorted(scores), strict=True))
    ]


GALLERIES = st.dictionaries(st.integers(1, 30), st.integers(1, 100_000), max_size=4)
TARGETS = st.floats(1e-6, 0.1)


def several(subjects: int, references: int = 1) -> Sizes:
    """A gallery of so many subjects, each with so many references."""
    return {references: subjects}


@given(tables(), TARGETS, GALLERIES)
def test_the_rate_is_kept_or_the_gallery_is_refused(table: list[OperatingPoint], fpir: float, sizes: Sizes) -> None:
    """Whatever the table, the target and the mix of subjects and references."""
    thresholds = Thresholds(table, fpir)
    chosen = thresholds.for_gallery(sizes)
    assert table[0].score <= chosen.score <= table[-1].score
    assert chosen.unsafe == bool(thresholds.beyond(sizes)) == bool(chosen.caution)
    if not chosen.unsafe:
        assert chosen.fpir is not None
        assert chosen.fpir <= fpir * (1 + 1e-6)
        # ... and nothing but points with matches enough stands behind it.
        assert chosen.score <= max(p.score for p in table if not p.extrapolated)


@given(tables(), TARGETS, GALLERIES, st.integers(1, 30), st.integers(1, 1000))
def test_more_subjects_never_lower_the_threshold(
    table: list[OperatingPoint], fpir: float, sizes: dict[int, int], references: int, more: int
) -> None:
    thresholds = Thresholds(table, fpir)
    before = thresholds.for_gallery(sizes)
    after = thresholds.for_gallery({**sizes, references: sizes.get(references, 0) + more})
    assert before.score <= after.score
    assert after.unsafe or not before.unsafe


@given(tables(), TARGETS, GALLERIES, st.integers(1, 29), st.integers(1, 10))
def test_more_references_of_a_subject_never_lower_it(
    table: list[OperatingPoint], fpir: float, others: dict[int, int], few: int, more: int
) -> None:
    thresholds = Thresholds(table, fpir)
    before, after = (thresholds.for_gallery({**others, k: others.get(k, 0) + 1}) for k in (few, few + more))
    assert before.score <= after.score
    assert after.unsafe or not before.unsafe


@given(tables(), TARGETS, TARGETS, GALLERIES)
def test_a_stricter_target_never_lowers_the_threshold(
    table: list[OperatingPoint], a: float, b: float, sizes: Sizes
) -> None:
    strict, lax = sorted((a, b))
    assert Thresholds(table, strict).for_gallery(sizes).score >= Thresholds(table, lax).for_gallery(sizes).score


@given(tables(), TARGETS, st.integers(1, 30))
def test_the_capacity_is_where_the_refusals_begin(table: list[OperatingPoint], fpir: float, references: int) -> None:
    thresholds = Thresholds(table, fpir)
    most = thresholds.capacity(references)
    if 0 < most < 10**9:
        assert not thresholds.beyond(several(most, references))
    assert thresholds.beyond(several(2 * most + 2, references))


@given(tables(), TARGETS, GALLERIES)
def test_a_fixed_threshold_that_equals_the_chosen_one_is_as_good(
    table: list[OperatingPoint], fpir: float, sizes: Sizes
) -> None:
    chosen = Thresholds(table, fpir).for_gallery(sizes)
    fixed = Thresholds(table, fpir, chosen.score).for_gallery(sizes)
    assert (fixed.score, fixed.fpir, fixed.unsafe) == (chosen.score, chosen.fpir, chosen.unsafe)


@given(tables(), TARGETS, GALLERIES, st.floats(-1, 1))
def test_a_fixed_threshold_below_the_chosen_one_is_unsafe(
    table: list[OperatingPoint], fpir: float, sizes: Sizes, score: float
) -> None:
    chosen = Thresholds(table, fpir).for_gallery(sizes)
    fixed = Thresholds(table, fpir, score).for_gallery(sizes)
    assert fixed.score == score
    if score < chosen.score - 1e-6 and (fixed.fpir is None or fixed.fpir > fpir * (1 + 1e-6)):
        assert fixed.unsafe
    if score < table[0].score:
        assert fixed.unsafe


@given(st.lists(st.floats(1e-9, 0.01), min_size=1, max_size=20))
def test_subjects_are_taken_for_independent(rates: list[float]) -> None:
    """FPIR = 1 - product (1 - FMR): here with one subject of each of several numbers of references."""
    point = OperatingPoint(min(rates), 0.5)
    sizes = dict.fromkeys(range(1, len(rates) + 1), 1)
    expected = 1 - math.prod(1 - point.rate(k) for k in sizes)
    assert Thresholds([point], 0.5).fpir(0.5, sizes) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("subjects", "references", "score"),
    [
        (0, 1, 0.50),
        (1, 1, 0.50),
        (10, 1, 0.59),
        (100, 1, 0.64),
        (32, 1, 0.615),
        (10, 5, 0.6199),
        (20, 5, 0.64),
        (1, 5, 0.5402),
        (2, 10, 0.5933),
    ],
)
def test_thresholds_for_known_sizes_match(subjects: int, references: int, score: float) -> None:
    """Five references are 2.8 strangers' chances where that was measured, and five where it was not."""
    sizes = several(subjects, references) if subjects else {}
    assert Thresholds(TABLE, 1e-3).for_gallery(sizes).score == pytest.approx(score, abs=5e-4)


def test_it_is_never_below_the_first_score() -> None:
    chosen = Thresholds(TABLE, 0.1).for_gallery(several(1))
    assert chosen.score == 0.50
    assert chosen.fpir == pytest.approx(1e-3)


@pytest.mark.parametrize(("sizes", "carried"), [({1: 101}, "100 subjects with 1 references"), ({5: 21}, "20 subjects")])
def test_past_the_evidence_it_is_unsafe_and_says_what_to_do(sizes: Sizes, carried: str) -> None:
    chosen = Thresholds(TABLE, 1e-3).for_gallery(sizes)
    assert chosen.score == 0.68
    assert chosen.unsafe
    assert carried in chosen.caution
    assert "enrol with fewer references, install a better network" in chosen.caution


def test_a_single_measured_threshold_carries_what_it_says() -> None:
    """As `kiosk models install --threshold SCORE --fmr RATE` has it."""
    thresholds = Thresholds([OperatingPoint(1e-4, 0.6)], 1e-3)
    assert [thresholds.capacity(k) for k in (1, 5)] == [10, 2]
    assert thresholds.for_gallery({5: 2}).score == 0.6
    assert thresholds.beyond({5: 3})


def test_a_network_of_thin_evidence_alone_carries_nobody() -> None:
    thresholds = Thresholds([OperatingPoint(1e-4, 0.6, extrapolated=True)], 1e-3)
    assert thresholds.capacity(1) == 0
    assert thresholds.for_gallery({1: 1}).unsafe


@pytest.mark.parametrize(
    ("fixed", "subjects", "fpir", "unsafe", "caution"),
    [
        (0.49, 1, None, True, "below 0.5, the score of FMR 0.001"),
        (0.50, 1, 1e-3, False, ""),
        (0.50, 20, 0.0198, True, "too low for 20 subjects"),
        (0.64, 20, 2e-4, False, ""),
        (0.90, 20, 2e-4, False, ""),
        (0.90, 101, 1.01e-3, True, "too low for 101 subjects"),
    ],
)
def test_a_fixed_threshold_is_used_and_judged(
    fixed: float, subjects: int, fpir: float | None, unsafe: bool, caution: str
) -> None:
    chosen = Thresholds(TABLE, 1e-3, fixed).for_gallery(several(subjects))
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
        ([OperatingPoint(1e-3, 0.5, growth=(1.0, 2.5))], "growth"),
        ([OperatingPoint(1e-3, 0.5, growth=(1.0, 0.9))], "growth"),
        ([OperatingPoint(1e-3, 0.5, growth=(0.5,))], "growth"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(table: list[OperatingPoint], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Thresholds(table, 1e-3)
