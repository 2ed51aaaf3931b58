"""False matches of a site: the same as by comparing all with all, and intervals that hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.matching import Cohort, ReferenceMatrix
from kiosk.domain.people import Reference
from kiosk.domain.security_level import Level
from kiosk.evaluation import site
from kiosk.evaluation.figures import Rate
from kiosk.evaluation.site import Faces, Kept, advise, false_matches, false_non_matches, mated_scores, searched

SIDE = 4
NOW = datetime(2026, 11, 29, tzinfo=UTC)
COHORT = Cohort(np.array([[90, 20, 10, 5], [-90, 30, 20, 0]], np.int8), 1, 0.3)
ROWS = st.lists(st.lists(st.integers(-127, 127), min_size=SIDE, max_size=SIDE).filter(any), min_size=2, max_size=12)
SCORES = st.lists(st.floats(-0.5, 1.0), min_size=1, max_size=3, unique=True)


def faces(rows: Sequence[Sequence[int]], owners: Sequence[int]) -> Faces:
    return Faces(np.array(rows, np.int8).reshape(-1, SIDE), np.array(owners, np.intp))


@st.composite
def some_faces(draw: st.DrawFn) -> Faces:
    rows = draw(ROWS)
    return faces(rows, draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows))))


def door(rows: Faces, chosen: Sequence[int]) -> ReferenceMatrix:
    """What the door compares with."""
    made = [Reference(str(i), str(rows.owners[i]), "m", rows.rows[i], 1.0, NOW) for i in chosen]
    return ReferenceMatrix("m", SIDE, COHORT, made)


def by_the_door(probes: Faces, references: Faces, score: float) -> tuple[int, int, int, int]:
    """(matching comparisons, all, matching searches, all) of all with all."""
    single, all_, searches, tries = 0, 0, 0, 0
    for probe, owner in zip(probes.rows, probes.owners, strict=True):
        for other in set(references.owners.tolist()) - {int(owner)}:
            his = np.flatnonzero(references.owners == other).tolist()
            single += sum(door(references, [i]).best(probe, str(other))[0] >= score for i in his)
            all_ += len(his)
            searches += door(references, his).best(probe, str(other))[0] >= score
            tries += 1
    return single, all_, searches, tries


def counts(at: site.AtScore) -> tuple[int, int, int, int]:
    return at.comparisons.errors, at.comparisons.trials, at.searches.errors, at.searches.trials


@given(some_faces(), some_faces(), SCORES)
def test_it_counts_what_the_door_would_take_for_a_match(probes: Faces, references: Faces, scores: list[float]) -> None:
    found = false_matches(probes, references, COHORT, scores)
    for at in found.points:
        assert counts(at) == by_the_door(probes, references, at.score)


@given(some_faces(), st.randoms(use_true_random=False))
def test_a_score_that_is_reached_exactly_matches_as_at_the_door(all_: Faces, random: object) -> None:
    probe = all_.rows[0]
    others = [i for i in range(len(all_.owners)) if all_.owners[i] != all_.owners[0]]
    for other in others:
        score, _ = door(all_, [other]).best(probe, str(all_.owners[other]))
        (at,) = false_matches(all_, all_, COHORT, [score]).points
        assert counts(at) == by_the_door(all_, all_, score)


@given(some_faces(), SCORES, st.permutations(range(5)))
def test_neither_the_order_nor_who_is_who_changes_anything(
    all_: Faces, scores: list[float], names: Sequence[int]
) -> None:
    order = np.random.default_rng(1).permutation(len(all_.owners))
    others = np.array([names[owner] for owner in all_.owners[order]], np.intp)
    turned = Faces(all_.rows[order], others)
    found, again = (false_matches(each, each, COHORT, scores) for each in (all_, turned))
    assert (found.people, found.pairs) == (again.people, again.pairs)
    for at, other in zip(found.points, again.points, strict=True):
        assert counts(at) == counts(other)
        assert at.people == other.people
        for a, b in ((at.comparisons, other.comparisons), (at.searches, other.searches)):
            assert (a.low, a.high) == pytest.approx((b.low, b.high))


@given(some_faces(), SCORES)
def test_each_interval_contains_its_rate_and_less_never_says_more(all_: Faces, scores: list[float]) -> None:
    found = false_matches(all_, all_, COHORT, scores)
    for at in found.points:
        for rate in (at.comparisons, at.searches):
            assert 0 <= rate.low <= rate.high <= 1
            if rate.trials:
                assert rate.low <= rate.rate <= rate.high
                assert rate.high >= found.least, "one false match or more never says more than none"


def test_steps_of_any_size_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    all_ = faces(rng.integers(-127, 128, (40, SIDE)).tolist(), rng.integers(0, 9, 40).tolist())
    moved: list[int] = []
    found = false_matches(all_, all_, COHORT, [0.2, 0.6], moved.append)
    assert moved == [40]
    monkeypatch.setattr(site, "STEP", 7)
    monkeypatch.setattr(site, "PART", 5)
    moved.clear()
    assert false_matches(all_, all_, COHORT, [0.2, 0.6], moved.append) == found
    assert moved == [7, 7, 7, 7, 7, 5]


def strangers(people: int, each: int, seed: int) -> Faces:
    """People some of whom look like many others, so that comparisons that share a person are far from independent."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 16)) + rng.exponential(0.8, people)[:, np.newaxis] * np.eye(16)[0]
    rows = np.repeat(centres, each, axis=0) + 0.3 * rng.normal(size=(people * each, 16))
    rows *= 127 / np.abs(rows).max(axis=1, keepdims=True)
    return Faces(np.rint(rows).astype(np.int8), np.repeat(np.arange(people), each).astype(np.intp))


def test_intervals_hold_the_true_rate_though_pairs_depend_on_one_another() -> None:
    score, free = 0.62, Cohort()
    (truth,) = false_matches(strangers(1500, 1, 7), strangers(1500, 1, 7), free, [score]).points
    true = truth.comparisons.rate
    inside = narrow = 0
    for seed in range(200):
        some = strangers(40, 1, 1000 + seed)
        rate = false_matches(some, some, free, [score]).points[0].comparisons
        inside += rate.low <= true <= rate.high
        alone = site.clopper_pearson(rate.errors // 2, 40 * 39 // 2)
        narrow += alone.low <= true <= alone.high
    assert 0.002 < true < 0.2
    assert inside >= 190, "95 of 100"
    assert narrow < inside, "as if all pairs were independent they would be too narrow"


def test_five_pictures_of_a_person_say_no_more_than_one() -> None:
    one, five = strangers(30, 1, 1), strangers(30, 5, 1)
    least = false_matches(five, five, Cohort(), [0.999]).least
    assert least == false_matches(one, one, Cohort(), [0.999]).least
    assert least == site.clopper_pearson(0, 217).high, "half of 435 pairs"


def test_nobody_to_compare_says_nothing() -> None:
    alone = faces([[1, 2, 3, 4], [4, 3, 2, 1]], [0, 0])
    found = false_matches(alone, alone, COHORT, [0.5])
    assert (found.people, found.pairs, found.least) == (1, 0, 1.0)
    assert found.points[0].comparisons == Rate(0, 0, 0.0, 1.0)


@given(some_faces(), some_faces())
def test_mated_scores_are_those_of_a_verification(probes: Faces, references: Faces) -> None:
    found = mated_scores(probes, references, COHORT)
    for score, probe, owner in zip(found, probes.rows, probes.owners, strict=True):
        there = np.flatnonzero(references.owners == owner).tolist()
        if not there:
            assert math.isnan(score)
        else:
            assert score == door(references, there).best(probe, str(owner))[0]


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), max_size=20), st.floats(0, 1))
def test_false_non_matches_are_below_the_threshold(trials: list[tuple[float, int]], threshold: float) -> None:
    scores, owners = np.array([s for s, _ in trials]), np.array([o for _, o in trials], np.intp)
    rate = false_non_matches(scores, owners, threshold)
    assert (rate.errors, rate.trials) == (sum(s < threshold for s, _ in trials), len(trials))
    assert 0 <= rate.low <= rate.high <= 1
    if rate.trials:
        assert rate.low <= rate.rate <= rate.high
    apart = false_non_matches(np.append(scores, np.nan), np.append(owners, 0), threshold)
    assert apart == rate, "who has no reference is no trial"


def test_who_is_missed_again_and_again_is_one_person() -> None:
    owners = np.repeat(np.arange(10), 10).astype(np.intp)
    one, spread = np.ones(100), np.ones(100)
    one[:10] = 0.0
    spread[::10] = 0.0
    assert false_non_matches(one, owners, 0.5).high > false_non_matches(spread, owners, 0.5).high


@given(st.integers(0, 50), st.integers(50, 1000), st.integers(1, 500))
def test_a_search_among_more_people_meets_somebody_more_often(errors: int, trials: int, people: int) -> None:
    rate = site.clopper_pearson(errors, trials)
    met, low, high = searched(rate, people)
    assert 0 <= low <= met <= high <= 1
    assert met == pytest.approx(1 - (1 - rate.rate) ** people, abs=1e-12)
    assert searched(rate, people + 1)[2] >= high


def kept(level: Level | None, fpir: float, low: float, now: bool = False) -> Kept:
    return Kept(level, now, fpir, (low, low, 1.0))


def test_the_advice_is_never_a_laxer_level() -> None:
    standard = kept(Level.STANDARD, 1e-3, 2e-3, now=True)
    high, highest = kept(Level.HIGH, 1e-4, 2e-4), kept(Level.HIGHEST, 1e-5, 0.0)
    assert advise([standard, high, highest]) == highest
    assert advise([standard, kept(Level.HIGH, 1e-4, 5e-5), highest]).level is Level.HIGH
    assert advise([standard, high]) == high, "the strictest, if none keeps its promise"
    assert advise([kept(Level.STANDARD, 1e-3, 1e-4, now=True), high]).level is Level.STANDARD
    strict = kept(Level.HIGHEST, 1e-5, 1e-3, now=True)
    assert advise([kept(Level.STANDARD, 1e-3, 0.0), strict]) == strict
    assert advise([kept(None, 1e-6, 1e-3, now=True), high, highest]).level is None
    with pytest.raises(ValueError, match="no level"):
        advise([high, highest])
