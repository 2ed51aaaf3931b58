"""How many people were refused within an hour, and what follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Reason
from kiosk.domain.refusals import ABOUT_PEOPLE, HOUR, UNCLEAR, UNUSUAL, FaceAlone, Unusual


def test_an_unusual_number_of_refusals_is_told_once_an_hour() -> None:
    unusual = Unusual()
    told = [n for n in range(300) if unusual.refused(Reason.NOT_ENROLLED, 30.0 * n)]
    assert told == [UNUSUAL - 1, UNUSUAL - 1 + 120, UNUSUAL - 1 + 240]


def test_few_refusals_and_those_of_the_kiosk_itself_are_usual() -> None:
    unusual = Unusual()
    assert not any(unusual.refused(Reason.NOT_ENROLLED, 61.1 * n) for n in range(300))
    assert not any(unusual.refused(Reason.DOOR_UNAVAILABLE, 20000.0 + n) for n in range(300))


def refused(limit: int | None, *times: float) -> FaceAlone:
    alone = FaceAlone(limit)
    for at in times:
        alone.refused(Reason.NOT_ENROLLED, at)
    return alone


def test_face_alone_is_off_for_an_hour_after_the_last_refusal_of_too_many() -> None:
    alone = refused(3, 100.0, 1000.0)
    assert not alone.off(1000.0)
    alone.refused(Reason.PRESENTATION_ATTACK, 3699.0)
    assert alone.off(3699.0)
    assert alone.seconds_off(3700.0) == HOUR - 1.0
    assert alone.off(3699.0 + HOUR - 0.001)
    assert not alone.off(3699.0 + HOUR)
    assert alone.count(3699.0 + HOUR) == 0


def test_as_many_in_more_than_an_hour_are_not_too_many() -> None:
    alone = refused(3, 100.0, 1000.0, 100.0 + HOUR)
    assert not alone.off(100.0 + HOUR)
    assert alone.count(100.0 + HOUR) == 2
    alone.refused(Reason.NOT_ENROLLED, 101.0 + HOUR)
    assert alone.off(101.0 + HOUR)


def test_without_a_limit_it_is_never_off() -> None:
    assert not refused(None, *range(1000)).off(1000.0)


def test_one_refusal_may_be_too_many() -> None:
    assert refused(1, 5.0).off(5.0 + HOUR - 1)
    assert not refused(1).off(5.0)


@pytest.mark.parametrize("reason", sorted(UNCLEAR))
def test_comparisons_are_not_free_because_the_face_was_hidden_afterwards(reason: Reason) -> None:
    alone, unusual = FaceAlone(2), Unusual()
    for at in (1.0, 2.0):
        alone.refused(reason, at, compared=True)
    assert alone.off(2.0)
    assert any(unusual.refused(reason, float(at), compared=True) for at in range(UNUSUAL))


@pytest.mark.parametrize("reason", sorted(set(Reason) - ABOUT_PEOPLE))
def test_what_says_nothing_of_people_is_not_counted(reason: Reason) -> None:
    alone = FaceAlone(1)
    alone.refused(reason, 1.0)
    assert not alone.off(1.0)


def test_after_a_reset_the_count_begins_anew() -> None:
    alone = refused(2, 10.0, 20.0)
    assert alone.off(21.0)
    alone.reset()
    assert not alone.off(21.0)
    alone.refused(Reason.NOT_ENROLLED, 22.0)
    assert not alone.off(22.0)
    alone.refused(Reason.NOT_ENROLLED, 23.0)
    assert alone.off(23.0)


@given(st.integers(1, 6), st.lists(st.floats(0.0, 2000.0), max_size=60))
def test_within_any_hour_no_more_than_the_limit_are_refused_and_then_nobody_for_an_hour(
    limit: int, gaps: list[float]
) -> None:
    """Held against the definition, with all refusals that there ever were."""
    alone, every, at = FaceAlone(limit), list[float](), 0.0
    for gap in gaps:
        at += gap
        full = [t for i, t in enumerate(every) if i + 1 >= limit and t - every[i + 1 - limit] < HOUR]
        assert alone.off(at) is any(at < t + HOUR for t in full)
        if not alone.off(at):
            every.append(at)
            alone.refused(Reason.NOT_ENROLLED, at)
            assert sum(at - t < HOUR for t in every) <= limit


@given(st.integers(1, 6), st.lists(st.floats(0.0, 2000.0), max_size=30), st.floats(0.0, 2 * HOUR))
def test_who_is_told_of_the_last_refusals_judges_as_who_saw_them_all(
    limit: int, gaps: list[float], later: float
) -> None:
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    at = (times or [0.0])[-1] + later
    assert FaceAlone(limit, times[-limit:]).seconds_off(at) == refused(limit, *times).seconds_off(at)
