"""The demonstration judges its decisions: by the story, by what staff did meanwhile, and none that somebody at the
window brought about."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.demonstration import stage
from kiosk.demonstration.camera import SimulatedOptions
from kiosk.demonstration.stage import LOOK_SECONDS, SLOWEST, Score, pace_for
from kiosk.demonstration.story import ENROLLED_VISIT, STORY, Visit
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.entry import Means
from kiosk.domain.ids import new_id
from kiosk.domain.staff_views import Done, Erased
from kiosk.domain.updates import Decided, StaffChanged
from kiosk.station.door_client import DoorClient
from kiosk.station.loop import FRAME_TIMEOUT
from kiosk.system.clock import boottime
from kiosk.vision.models import Models

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


@pytest.mark.parametrize("seconds", [0.01, LOOK_SECONDS])
def test_a_machine_that_is_quick_enough_plays_the_story_at_its_pace(seconds: float) -> None:
    assert pace_for(seconds) == 1.0


@given(st.floats(0.16, 1.7))
def test_by_the_slowed_clock_a_slow_machine_is_quick_enough(seconds: float) -> None:
    assert SLOWEST <= pace_for(seconds) < 1
    assert seconds * pace_for(seconds) < LOOK_SECONDS / 2


def test_the_storys_pictures_never_come_later_than_a_camera_counts_as_failed() -> None:
    assert 1 / SimulatedOptions().fps / pace_for(1000.0) < FRAME_TIMEOUT


@pytest.mark.parametrize(("seconds", "lines"), [(0.01, 0), (3.7, 1), (3.8, 2)])
def test_a_machine_that_is_too_slow_even_for_the_slowed_story_says_so(
    seconds: float, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "look_seconds", lambda _: seconds)
    monkeypatch.setattr(stage, "enrol_visitors", lambda *_: None)
    monkeypatch.setattr(stage, "_door", lambda *_: nullcontext())
    said: list[str] = []
    with stage.stage(said.append):
        assert len(said) == lines


def loaded_models() -> list[Models]:
    """All sets of networks in this process's memory."""
    return [o for o in gc.get_objects() if isinstance(o, Models)]


def test_the_door_on_stage_has_the_same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would refuse each grant as too late."""
    monkeypatch.setattr(stage, "look_seconds", lambda _: 0.35)
    monkeypatch.setattr(stage, "enrol_visitors", lambda *_: None)
    said: list[str] = []
    before, of_others = boottime(), loaded_models()
    with stage.stage(said.append) as (config, _), DoorClient(config.door.socket) as door:
        assert boottime() < before / 2
        now = boottime()
        assert door.release(Grant(new_id(), now, now + 1.0)).result is DoorResult.RELEASED
        gc.collect()
        assert len(loaded_models()) == len(of_others)  # the kiosk that plays here loads its own
    assert boottime() >= before
    assert len(said) == 1
