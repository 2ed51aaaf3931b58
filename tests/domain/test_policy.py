"""Who may pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.attempt import Verdict
from kiosk.domain.decision import Evidence, Outcome, Reason
from kiosk.domain.people import Subject
from kiosk.domain.policy import decide, entitlement, passable

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def subject(**changes: object) -> Subject:
    return Subject("s1", "Ada", NOW - 100 * HOUR, **changes)  # type: ignore[arg-type]


def verdict(reason: Reason = Reason.MATCHED, subject_id: str | None = "s1") -> Verdict:
    return Verdict(reason, subject_id, Evidence(1, 0.0, NOW))


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (None, Reason.NOT_ENROLLED),
        (subject(), Reason.MATCHED),
        (subject(disabled=True), Reason.SUBJECT_DISABLED),
        (subject(valid_from=NOW + HOUR), Reason.VALIDITY_NOT_BEGUN),
        (subject(valid_from=NOW), Reason.MATCHED),
        (subject(valid_until=NOW), Reason.VALIDITY_ENDED),
        (subject(valid_until=NOW + HOUR), Reason.MATCHED),
        (subject(disabled=True, valid_until=NOW - HOUR), Reason.SUBJECT_DISABLED),
    ],
)
def test_entitlement_gives_the_right_reason(who: Subject | None, reason: Reason) -> None:
    assert entitlement(who, NOW) is reason


@pytest.mark.parametrize("clock", [Reason.CLOCK_BEHIND, Reason.CLOCK_UNSYNCHRONISED])
@pytest.mark.parametrize(
    ("who", "refused"),
    [
        (subject(), False),
        (subject(valid_from=NOW - HOUR), True),
        (subject(valid_until=NOW + HOUR), True),
        (subject(valid_until=NOW - HOUR), True),
    ],
)
def test_without_the_time_only_rights_that_depend_on_it_are_refused(who: Subject, refused: bool, clock: Reason) -> None:
    outcome, reason = decide(verdict(), who, door_ready=True, clock=clock)
    assert (outcome, reason) == ((Outcome.REFUSED, clock) if refused else (Outcome.GRANTED, Reason.MATCHED))


def test_who_is_disabled_is_that_whatever_the_time() -> None:
    assert entitlement(subject(disabled=True, valid_until=NOW), NOW, Reason.CLOCK_BEHIND) is Reason.SUBJECT_DISABLED


def test_a_door_that_does_not_answer_refuses_everybody() -> None:
    assert decide(verdict(), subject(), door_ready=False) == (Outcome.REFUSED, Reason.DOOR_UNAVAILABLE)


def test_while_face_alone_is_off_nobody_is_let_in_by_it() -> None:
    assert decide(verdict(), subject(), door_ready=True, face_off=True) == (Outcome.REFUSED, Reason.FACE_OFF)
    stranger = verdict(Reason.NOT_ENROLLED, None)
    assert decide(stranger, None, True, face_off=True) == (Outcome.REFUSED, Reason.NOT_ENROLLED)


def test_another_subject_than_the_matched_one_is_never_granted() -> None:
    assert decide(verdict(subject_id="s2"), subject(), door_ready=True) == (Outcome.REFUSED, Reason.INTERNAL_FAULT)


@pytest.mark.parametrize(
    ("badge", "reason"),
    [(None, Reason.NO_BADGE), (101, Reason.NO_BADGE), (100, Reason.MATCHED), (1, Reason.MATCHED)],
)
def test_a_panel_needs_a_badge_number_that_it_can_be_told(badge: int | None, reason: Reason) -> None:
    outcome, said = decide(verdict(), subject(badge=badge), door_ready=True, largest_badge=100)
    assert (said, outcome is Outcome.GRANTED) == (reason, reason is Reason.MATCHED)


def test_without_a_panel_no_badge_number_is_needed() -> None:
    assert decide(verdict(), subject(badge=None), door_ready=True) == (Outcome.GRANTED, Reason.MATCHED)


@given(
    st.sampled_from(Reason),
    st.one_of(st.none(), st.builds(subject, disabled=st.booleans())),
    st.booleans(),
)
def test_granted_only_when_everything_is_right(reason: Reason, who: Subject | None, ready: bool) -> None:
    outcome, said = decide(verdict(reason), who, ready)
    right = reason is Reason.MATCHED and who is not None and not who.disabled and ready
    assert (outcome is Outcome.GRANTED) == right
    assert (said is Reason.MATCHED) == right


@pytest.mark.parametrize(
    ("who", "ready", "reason"),
    [
        (subject(), True, Reason.VERIFICATION_REQUIRED),
        (subject(), False, Reason.VERIFICATION_REQUIRED),
        (subject(disabled=True), True, Reason.SUBJECT_DISABLED),
        (None, True, Reason.NOT_ENROLLED),
    ],
)
def test_where_a_face_alone_is_not_enough_it_is_refused_after_whatever_else_is_wrong(
    who: Subject | None, ready: bool, reason: Reason
) -> None:
    assert decide(verdict(), who, ready, face_alone=False) == (Outcome.REFUSED, reason)
    assert decide(verdict(), who, ready, 99, face_alone=False) == (Outcome.REFUSED, reason)
    assert decide(verdict(Reason.NOT_ENROLLED, None), who, ready, face_alone=False)[1] is Reason.NOT_ENROLLED


@given(st.booleans(), st.booleans(), st.none() | st.integers(0, 9), st.none() | st.integers(0, 9), st.booleans())
def test_without_the_camera_the_door_asks_for_the_same(
    disabled: bool, ready: bool, badge: int | None, largest: int | None, known: bool
) -> None:
    who = subject(disabled=disabled, badge=badge) if known else None
    assert passable(who, NOW, ready, largest, None) is decide(verdict(), who, ready, largest)[1]
