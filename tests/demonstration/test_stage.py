"""The demonstration judges its decisions: by the story, by what staff did meanwhile, and none that somebody at the
window brought about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from kiosk.demonstration.stage import Score
from kiosk.demonstration.story import ENROLLED_VISIT, STORY, Visit
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.entry import Means
from kiosk.domain.staff_views import Done, Erased
from kiosk.domain.updates import Decided, StaffChanged

STRANGERS = STORY[2]


def decision(visit: Visit) -> Decision:
    """As the story asks for it. Its frame's number is the place of the visit."""
    evidence = Evidence(STORY.index(visit) if visit in STORY else 2, 1.0, datetime(2026, 1, 1, tzinfo=UTC))
    return Decision("id", visit.outcome, visit.reason, None, evidence)


def score() -> Score:
    return Score(lambda number: STORY[number])


def test_all_as_expected_is_good_and_one_other_decision_is_not() -> None:
    good, bad = score(), score()
    for visit in STORY:
        good.take(Decided(decision(visit)))
        bad.take(Decided(replace(decision(visit), outcome=Outcome.REFUSED, reason=Reason.NOT_ENROLLED)))
    assert good.good
    assert not bad.good
    assert "NOT as expected" in bad.remark(Decided(replace(decision(STORY[0]), reason=Reason.INCOMPLETE)))


def test_whom_staff_enrolled_is_let_in_until_they_are_erased() -> None:
    made, granted = score(), Decided(decision(ENROLLED_VISIT))
    assert "NOT as expected" in made.remark(granted)
    made.take(StaffChanged(Done("Somebody Else", "123456", verify=False)))
    assert made.remark(granted).endswith(f"{ENROLLED_VISIT.name}: as expected")
    assert "NOT as expected" in made.remark(Decided(decision(STRANGERS)))
    made.take(StaffChanged(Erased("0" * 16, datetime(2026, 1, 1, tzinfo=UTC), 1, 0, ())))
    assert made.remark(Decided(decision(STRANGERS))).endswith(": as expected")


def test_who_comes_in_by_a_number_is_no_part_of_the_story() -> None:
    made = score()
    typed = Decided(replace(decision(STORY[0]), means=Means.NUMBER))
    made.take(typed)
    assert made.decisions == []
    assert "number" in made.remark(typed)
