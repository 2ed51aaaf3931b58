"""What a level of security means: never better than what was measured, and in words that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.security_level import (
    LEVELS,
    MONTH,
    YEAR,
    Level,
    Terms,
    in_words,
    level_of,
    meaning,
    terms_at,
)
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.domain.verification import Verification

TABLE = [
    OperatingPoint(1e-3, 0.36, interval=(0.35, 0.37)),
    OperatingPoint(1e-4, 0.44, interval=(0.43, 0.45)),
    OperatingPoint(1e-5, 0.50, interval=(0.49, 0.51)),
    OperatingPoint(1e-6, 0.56, interval=(0.54, 0.59)),
]


@given(st.integers(1, 2000), st.integers(1, 5))
def test_a_higher_level_never_lets_more_strangers_in(people: int, references: int) -> None:
    sizes = {references: people}
    means = [meaning(Thresholds(TABLE, terms.fpir), terms, sizes, 5 / 3) for terms in LEVELS.values()]
    assert means[0].rate >= means[1].rate >= means[2].rate
    for found, terms in zip(means, LEVELS.values(), strict=True):
        low, high = found.interval
        assert 0 < low <= found.rate <= high <= 1
        assert found.rate <= terms.fpir * 5 / 3 * 1.000001
        assert found.claim or people <= found.carries


def test_beyond_the_evidence_a_claim_is_asked_for_and_without_it_the_rate_says_so() -> None:
    many = {1: 100_000}
    terms = LEVELS[Level.STANDARD]
    asked = meaning(Thresholds(TABLE, terms.fpir), terms, many, 1.0)
    assert (asked.claim, asked.rate <= terms.fpir) == (True, True)
    alone = meaning(Thresholds(TABLE, terms.fpir), Terms(terms.fpir, Verification.SUBJECT), many, 1.0)
    assert not alone.claim
    assert alone.rate > 50 * terms.fpir


def test_the_highest_level_asks_always() -> None:
    terms = LEVELS[Level.HIGHEST]
    assert meaning(Thresholds(TABLE, terms.fpir), terms, {1: 1}, 1.0).claim
    assert terms.verification is Verification.ALWAYS


def test_days_are_those_of_the_rate() -> None:
    found = meaning(Thresholds(TABLE, 1e-3), Terms(1e-3, Verification.SUBJECT), {1: 1}, 1.0)
    days, soonest, latest = found.days(200)
    assert days == pytest.approx(1 / (200 * found.rate))
    assert soonest <= days <= latest


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0.001, "1 hour"),
        (0.4, "10 hours"),
        (1.2, "1 day"),
        (5.2, "5 days"),
        (2 * MONTH, "2 months"),
        (1.5 * YEAR, "18 months"),
        (3 * YEAR, "3 years"),
        (1e6, "2738 years"),
    ],
)
def test_times_in_words(days: float, words: str) -> None:
    assert in_words(days) == words


@pytest.mark.parametrize("claims", [True, False])
def test_a_level_is_known_by_its_terms(claims: bool) -> None:
    for level in Level:
        terms = terms_at(level, claims)
        assert terms is None or level_of(terms, claims) is level
    assert level_of(Terms(3e-4, Verification.SUBJECT), claims) is None


def test_where_only_a_face_says_who_somebody_is_the_highest_level_is_not_possible() -> None:
    assert terms_at(Level.HIGHEST, claims=False) is None
    for level in (Level.STANDARD, Level.HIGH):
        terms = terms_at(level, claims=False)
        assert terms == Terms(LEVELS[level].fpir, Verification.SUBJECT)


def test_a_gallery_larger_than_what_was_measured_gives_a_guess() -> None:
    terms = Terms(1e-3, Verification.SUBJECT)
    assert not meaning(Thresholds(TABLE, 1e-3), terms, {1: 10}, 1.0).estimated
    assert meaning(Thresholds(TABLE, 1e-3), terms, {1: 100_000}, 1.0).estimated
