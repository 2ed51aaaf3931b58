"""Faults of a gallery that its templates tell: duplicates, mixtures, look-alikes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.clusters import MARGIN, RHO, Limits, Templates, agglomerated, check
from kiosk.domain.matching import Cohort, quantize
from kiosk.domain.people import Reference
from kiosk.domain.thresholds import OperatingPoint

LIMITS = Limits(joined=0.25, same=0.5, alike=0.36)
NO_COHORT = Cohort()


def person(seed: int) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=128)
    return v / np.linalg.norm(v)


def reference(subject: str, name: str, vector: np.ndarray) -> Reference:
    return Reference(
        name, subject, "m-1", quantize(vector.astype(np.float32), 317.5), 1.0, datetime(2026, 1, 1, tzinfo=UTC)
    )


def pictures(subject: str, who: int, count: int = 3, closeness: float = 0.65, first: int = 0) -> list[Reference]:
    """References of one person whose scores with one another are about `closeness`."""
    found = []
    for i in range(first, first + count):
        noise = person(1_000_000 + 100 * who + i)
        found.append(
            reference(subject, f"{subject}-{i}", np.sqrt(closeness) * person(who) + np.sqrt(1 - closeness) * noise)
        )
    return found


def several(number: int, start: int = 0) -> list[Reference]:
    return [r for who in range(start, start + number) for r in pictures(f"s{who:04}", who)]


def test_a_gallery_of_different_people_has_no_fault() -> None:
    found = check(several(100), NO_COHORT, LIMITS)
    assert (found.subjects, found.references) == (100, 300)
    assert (found.mixtures, found.duplicates, found.look_alikes) == ([], [], [])


def test_nobody_is_enrolled_and_one_is() -> None:
    assert check([], NO_COHORT, LIMITS).references == 0
    assert check(pictures("ada", 1, 1), NO_COHORT, LIMITS).duplicates == []


def test_one_person_under_two_names_and_under_three() -> None:
    twice = (
        several(20) + pictures("again", 3, first=5) + pictures("once-more", 3, first=10) + pictures("other", 7, first=5)
    )
    found = check(twice, NO_COHORT, LIMITS)
    assert {d.subjects for d in found.duplicates} == {("again", "once-more", "s0003"), ("other", "s0007")}
    assert all(d.score >= LIMITS.same and d.stray == () for d in found.duplicates)
    assert found.look_alikes == [], "they are told once"


def test_two_people_under_one_name() -> None:
    mixed = several(20) + pictures("mixed", 30, 2) + pictures("mixed", 31, 1, first=5)
    [found] = check(mixed, NO_COHORT, LIMITS).mixtures
    assert found.subject_id == "mixed"
    assert found.groups == (("mixed-0", "mixed-1"), ("mixed-5",))
    assert found.score < LIMITS.joined


def test_somebody_elses_picture_is_told_with_its_owner() -> None:
    found = check([*several(20), *pictures("s0004", 9, 1, first=5)], NO_COHORT, LIMITS)
    assert [m.subject_id for m in found.mixtures] == ["s0004"]
    [duplicate] = found.duplicates
    assert (duplicate.subjects, duplicate.stray) == (("s0004", "s0009"), ("s0004",))


def test_people_who_could_be_taken_for_one_another() -> None:
    between = 0.44 * person(1) + 0.9 * person(50)
    found = check([*several(5), reference("like", "like-0", between)], NO_COHORT, LIMITS)
    assert found.duplicates == []
    assert [(pair.first, pair.second) for pair in found.look_alikes] == [("like", "s0001")]
    assert LIMITS.alike <= found.look_alikes[0].score < LIMITS.same


def test_the_limits_rise_with_the_number_of_people_up_to_what_was_measured() -> None:
    table = [OperatingPoint(1e-3, 0.36), OperatingPoint(1e-4, 0.44), OperatingPoint(1e-6, 0.56)]
    assert Limits.of(table, 1, 0.4) == Limits(0.18, 0.36, 0.4 - MARGIN)
    assert Limits.of(table, 142, 0.4).same == pytest.approx(0.44, abs=1e-3), "10,011 pairs"
    assert Limits.of(table, 30_000, 0.6).same == 0.56
    with pytest.raises(ValueError, match="nothing was measured"):
        Limits.of([], 3, 0.4)


def naive(templates: Templates, groups: Sequence[tuple[int, ...]], least: float) -> set[frozenset[int]]:
    """UPGMA as books write it, over all pairs."""
    left = [tuple(g) for g in groups]
    while len(left) > 1:
        score, a, b = max((templates.linkage(a, b), a, b) for a, b in combinations(left, 2))
        if score < least:
            break
        left = [g for g in left if g not in (a, b)] + [a + b]
    return {frozenset(g) for g in left}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 10_000), st.floats(0.1, 0.6))
def test_it_joins_what_the_plain_algorithm_over_all_pairs_joins(who: list[int], seed: int, least: float) -> None:
    rng = np.random.default_rng(seed)
    references = [
        reference(f"s{i:02}", f"r{i:02}", 0.7 * person(seed + w) + 0.7 * rng.normal(size=128) / np.sqrt(128))
        for i, w in enumerate(who)
    ]
    templates = Templates(references, NO_COHORT)
    singles = [(i,) for i in range(len(templates))]
    near = [(a, b) for a, b, _ in templates.near(RHO * least)]
    found = {frozenset(group.rows) for group in agglomerated(templates, singles, near, least)}
    assert found == naive(templates, singles, least)


def test_the_cohort_lowers_scores_here_as_in_a_search() -> None:
    references = pictures("ada", 1, 2)
    cohort = Cohort(np.stack([references[0].template]), usual=0.2)
    a, b = (r.template for r in references)
    assert Templates(references, cohort).linkage((0,), (1,)) == pytest.approx(cohort.score(a, b), abs=1e-6)


def test_no_matrix_of_all_pairs_is_made() -> None:
    rng = np.random.default_rng(1)
    templates = Templates([reference(f"s{i:05}", f"r{i:05}", rng.normal(size=128)) for i in range(4000)], NO_COHORT)
    tracemalloc.start()
    assert list(templates.near(0.4))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4000 * 4000 * 4 / 3, "a third of it in float32"
