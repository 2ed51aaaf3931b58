"""Who is compared by which network while the embedder is being changed, and what of the false match rate each search
may use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.domain.transition import STRICT_FMR, STRICTER, WANTED, beyond, counting, shares, standing, strict

POINTS = [OperatingPoint(10.0**-k, k / 10) for k in range(3, 8)]
COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 6))
SIZES = st.dictionaries(st.integers(1, 5), st.integers(1, 30), max_size=4)


@given(COUNTS, COUNTS)
def test_earlier_references_count_until_somebody_has_current_ones_enough(
    current: dict[str, int], earlier: dict[str, int]
) -> None:
    found = counting(current, earlier)
    for who in set(current) | set(earlier):
        assert (who in found) == (earlier.get(who, 0) > 0 and current.get(who, 0) < WANTED)


@given(COUNTS, COUNTS)
def test_everybody_stands_in_one_place(current: dict[str, int], earlier: dict[str, int]) -> None:
    everybody = sorted(set(current) | set(earlier))
    far = standing(current, earlier, everybody)
    places = [*far.renewed, *far.left, *far.others]
    assert sorted(places) == [who for who in everybody if current.get(who, 0) or earlier.get(who, 0)]
    assert set(far.left) == {who for who in everybody if earlier.get(who, 0) and not current.get(who, 0)}
    assert 0 <= far.share <= 1
    assert (far.share == 1) == (not far.left)


@given(SIZES, SIZES)
def test_both_searches_together_keep_the_rate(current: dict[int, int], earlier: dict[int, int]) -> None:
    """The union bound: however the errors of the two networks depend on each other, and whatever their tables are."""
    fpir = 1e-3
    other = [OperatingPoint(p.fmr, p.score + 0.05, growth=(1.0, 1.2, 1.3)) for p in POINTS]
    share, rest = shares(current, earlier)
    rates = []
    for points, sizes, part in ((POINTS, current, share), (other, earlier, rest)):
        table = Thresholds(points, fpir).sharing(part)
        threshold = table.for_gallery(sizes)
        assert not threshold.unsafe
        rates.append(table.fpir(threshold.score, sizes) or 0.0 if sizes else 0.0)
    assert sum(rates) <= fpir * (1 + 1e-6)
    if current and earlier:
        assert share + rest == pytest.approx(1)


@given(SIZES)
def test_a_renewal_asks_for_more_than_the_door_does(sizes: dict[int, int]) -> None:
    table = Thresholds(POINTS, 1e-3)
    door = table.for_gallery(sizes).score
    assert strict(table, sizes) >= door + STRICTER
    assert strict(table, sizes) >= table.measured_for(STRICT_FMR)


def test_where_nothing_so_rare_was_measured_the_rarest_counts() -> None:
    few = Thresholds([OperatingPoint(1e-3, 0.3), OperatingPoint(1e-4, 0.4), OperatingPoint(1e-5, 0.5, True)], 1e-3)
    assert few.measured_for(STRICT_FMR) == 0.4
    assert Thresholds(POINTS, 1e-3).measured_for(STRICT_FMR) == 0.5


@given(SIZES, SIZES)
def test_what_both_searches_carry_has_no_unsafe_threshold(current: dict[int, int], earlier: dict[int, int]) -> None:
    few = Thresholds(POINTS[:2], 1e-3)
    first, second = (few.sharing(part) for part in shares(current, earlier))
    unsafe = first.for_gallery(current).unsafe or second.for_gallery(earlier).unsafe
    assert bool(beyond(few, current, few, earlier)) == unsafe
