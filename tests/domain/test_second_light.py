"""Light: when more pictures are offered, and which five of all stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.second_light import APART, MOST, is_other, least_useful, of_one_light

LIGHTS = st.lists(st.one_of(st.none(), st.floats(0, 255)), max_size=6)


@given(LIGHTS, st.floats(0, 255))
def test_a_light_that_is_other_than_all_makes_two(lights: list[float | None], seen: float) -> None:
    if is_other(seen, lights):
        assert not of_one_light([*lights, seen])
        assert all(abs(seen - light) >= APART for light in lights if light is not None)


def test_what_is_not_known_is_offered_nothing_and_counts_as_one_light() -> None:
    assert not is_other(10.0, [None, None])
    assert not is_other(None, [120.0])
    assert of_one_light([None, 120.0, 121.0])
    assert of_one_light([])
    assert not of_one_light([60.0, 120.0])


COUNTS = st.tuples(st.integers(0, 5), st.integers(0, 5))


@given(COUNTS, st.randoms(use_true_random=False))
def test_five_stay_of_both_kinds(counts: tuple[int, int], random: object) -> None:
    old, new = counts
    total = old + new
    alike = [[random.random() for _ in range(total)] for _ in range(total)]  # type: ignore[attr-defined]
    kinds = [False] * old + [True] * new
    gone = least_useful(alike, [0.5] * total, kinds)
    kept = [kinds[i] for i in range(total) if i not in gone]
    assert len(kept) == min(total, MOST)
    assert len(set(gone)) == len(gone)
    assert not old or False in kept
    assert not new or True in kept


def test_of_two_that_resemble_each_other_the_worse_one_goes() -> None:
    alike = [[1.0 if i == j else 0.2 for j in range(6)] for i in range(6)]
    alike[1][4] = alike[4][1] = 0.9
    kinds = [False] * 3 + [True] * 3
    assert least_useful(alike, [0.9, 0.4, 0.9, 0.9, 0.8, 0.9], kinds) == [1]
    assert least_useful(alike, [0.9, 0.8, 0.9, 0.9, 0.4, 0.9], kinds) == [4]
