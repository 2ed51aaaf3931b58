"""A grant must be fresh, single and bounded."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.door.freshness import FUTURE_TOLERANCE, MAX_GRANT_SECONDS, REMEMBERED_GRANTS, Freshness
from kiosk.domain.door.grants import Grant, Refusal, Span

STARTED, NOW = 1000.0, 1010.0
GOOD = Grant("g", NOW - 0.1, NOW + 0.5)
seconds = st.floats(-10, 10) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(captured=seconds, due=seconds)
def test_only_a_grant_of_now_and_of_this_door_is_good(captured: float, due: float) -> None:
    grant = Grant("g", NOW + captured, NOW + due)
    if Freshness(STARTED).refusal(grant, NOW) is None:
        assert STARTED <= grant.captured_at <= NOW + FUTURE_TOLERANCE
        assert NOW <= grant.deadline <= grant.captured_at + MAX_GRANT_SECONDS + 0.001


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": ""}, Refusal.INVALID),
        ({"deadline": NOW - 0.2}, Refusal.INVALID),
        ({"renews": "another"}, Refusal.INVALID),
        ({"captured_at": NOW + 0.06, "deadline": NOW + 1}, Refusal.FROM_FUTURE),
        ({"deadline": NOW + 1.5}, Refusal.DEADLINE_TOO_FAR),
        ({"captured_at": STARTED - 0.1, "deadline": STARTED + 1}, Refusal.BEFORE_START),
        ({"deadline": NOW - 0.01}, Refusal.LATE),
    ],
)
def test_what_is_wrong_with_a_grant_is_said(change: dict[str, float], why: Refusal) -> None:
    assert Freshness(STARTED).refusal(replace(GOOD, **change), NOW) is why  # type: ignore[arg-type]


def test_an_id_is_good_once_whoever_sends_it() -> None:
    fresh = Freshness(STARTED)
    assert fresh.refusal(GOOD, NOW, 1) is None
    assert fresh.refusal(GOOD, NOW, 1) is Refusal.REPEATED
    assert fresh.refusal(replace(GOOD, span=Span.EXTENDED), NOW, 2) is Refusal.REPEATED


def test_one_user_that_sends_too_many_keeps_no_other_out() -> None:
    fresh = Freshness(STARTED)
    for n in range(REMEMBERED_GRANTS):
        assert fresh.refusal(replace(GOOD, id=f"{n}"), NOW, 1) is None
    assert fresh.refusal(replace(GOOD, id="more"), NOW, 1) is Refusal.TOO_MANY
    assert fresh.refusal(replace(GOOD, id="other"), NOW, 2) is None
    later = GOOD.deadline + 0.1
    assert fresh.refusal(Grant("later", later, later + 1), later, 1) is None
