"""From a decision to the door: order, deadlines, and what happens when the record cannot be made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Comparison, Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.errors import GalleryError
from kiosk.domain.face import Flaw, Hint, Quality
from kiosk.domain.updates import Decided, DoorAnswered, Faulted, Recovered, Update
from kiosk.station.access import BACKLOG, Access

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class World:
    """An audit log, a door and a clock that write down in which order they were used."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.records: list[AuditRecord] = []
        self.grants: list[Grant] = []
        self.now = 100.0
        self.full = False
        self.commit_seconds = 0.0
        self.answer = DoorResult.RELEASED
        self.access = Access(self, self, 1.5, lambda: self.now)

    def append(self, records: Sequence[AuditRecord]) -> None:
        self.now += self.commit_seconds
        if self.full:
            raise GalleryError("the disk is full")
        self.log += [f"{r.kind}:{r.outcome}" for r in records]
        self.records += records

    def ready(self) -> bool:
        return True

    def release(self, grant: Grant) -> DoorReply:
        self.log.append("door")
        self.grants.append(grant)
        return DoorReply(grant.id, self.answer, "" if self.answer is DoorResult.RELEASED else "because")

    def settle(self, granted: bool = True, age: float = 0.1, number: int = 1) -> list[Update]:
        outcome, reason = (Outcome.GRANTED, Reason.MATCHED) if granted else (Outcome.REFUSED, Reason.NOT_ENROLLED)
        evidence = Evidence(number, self.now - age, NOON, frames=3)
        return self.access.settle(Decision(f"d{number}", outcome, reason, "ada" if granted else None, evidence))


def decided(events: list[Update]) -> Decision:
    (decision,) = [e.decision for e in events if isinstance(e, Decided)]
    return decision


def test_the_record_comes_before_the_door_and_the_outcome_after_it() -> None:
    world = World()
    events = world.settle()
    assert world.log == ["decision:granted", "door", "outcome:released"]
    assert decided(events).granted
    assert [e.reply.result for e in events if isinstance(e, DoorAnswered)] == [DoorResult.RELEASED]
    assert {r.grant_id for r in world.records} == {"d1"}


def test_the_record_says_why_a_score_above_the_threshold_counts_for_nobody_and_keeps_no_hint() -> None:
    world = World()
    evidence = Evidence(
        1, world.now, NOON, 2, Comparison(None, 0.8, 0.5, "m"), Quality(0.0, Flaw.TURNED_OVER), 0.9, Hint.MOUTH_COVERED
    )
    world.access.settle(Decision("d1", Outcome.REFUSED, Reason.INCOMPLETE, None, evidence))
    (record,) = world.records
    assert (record.subject_id, record.detail["score"], record.detail["flaw"]) == (None, 0.8, "turned_over")
    assert "mouth" not in repr(record)


def test_a_door_that_fails_unexpectedly_leaves_no_grant_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    seen: list[str | None] = []

    def broken(grant: Grant) -> DoorReply:
        seen.append(world.access.under_way)
        raise RuntimeError

    monkeypatch.setattr(world, "release", broken)
    with pytest.raises(RuntimeError):
        world.settle()
    assert (seen, world.access.under_way) == (["d1"], None)


def test_the_grant_carries_the_frames_time_and_its_deadline() -> None:
    world = World()
    world.settle(age=0.4)
    (grant,) = world.grants
    assert (grant.id, grant.captured_at, grant.deadline) == ("d1", pytest.approx(99.6), pytest.approx(101.1))


def test_a_badge_goes_to_the_door_and_into_no_record() -> None:
    world = World()
    world.answer = DoorResult.PRESENTED
    evidence = Evidence(1, world.now, NOON, frames=3)
    world.access.settle(Decision("d1", Outcome.GRANTED, Reason.MATCHED, "ada", evidence, badge=160316))
    assert [grant.badge for grant in world.grants] == [160316]
    assert world.log == ["decision:granted", "door", "outcome:presented"]
    assert "160316" not in repr(world.records)


def test_a_refusal_never_reaches_the_door() -> None:
    world = World()
    assert not decided(world.settle(granted=False)).granted
    assert world.log == ["decision:refused"]


@pytest.mark.parametrize("age", [1.5, 1.6, 3600.0])
def test_a_late_decision_is_refused(age: float) -> None:
    world = World()
    decision = decided(world.settle(age=age))
    assert (decision.granted, decision.reason) == (False, Reason.STALE_FRAME)
    assert world.log == ["decision:refused"]


def test_a_commit_that_takes_until_the_deadline_releases_nothing() -> None:
    world = World()
    world.commit_seconds = 2.0
    events = world.settle()
    assert "door" not in world.log
    assert [e.reply.result for e in events if isinstance(e, DoorAnswered)] == [DoorResult.REFUSED]


def test_what_cannot_be_recorded_is_not_granted_and_is_recorded_later() -> None:
    world = World()
    world.full = True
    events = world.settle(number=1)
    assert (decided(events).granted, decided(events).reason) == (False, Reason.AUDIT_UNAVAILABLE)
    assert events[0] == Faulted(Reason.AUDIT_UNAVAILABLE, "the disk is full")
    assert world.log == []
    assert not any(isinstance(e, Faulted) for e in world.settle(number=2)), "told once"
    world.full = False
    events = world.settle(granted=False, number=3)
    assert Recovered(Reason.AUDIT_UNAVAILABLE) in events
    assert [(r.grant_id, r.outcome, r.reason) for r in world.records] == [
        ("d1", "refused", "audit_unavailable"),
        ("d2", "refused", "audit_unavailable"),
        ("d3", "refused", "not_enrolled"),
    ]


@pytest.mark.parametrize("result", [DoorResult.REFUSED, DoorResult.UNAVAILABLE])
def test_what_the_door_did_not_do_is_recorded(result: DoorResult) -> None:
    world = World()
    world.answer = result
    world.settle()
    assert world.log == ["decision:granted", "door", f"outcome:{result.value}"]
    assert world.records[-1].reason == "because"


def test_how_many_records_there_was_no_room_for_is_recorded() -> None:
    world = World()
    world.full = True
    for number in range(BACKLOG + 5):
        world.settle(granted=False, number=number)
    world.full = False
    world.settle(granted=False, number=5000)
    assert len(world.records) == BACKLOG + 1
    assert world.records[0].grant_id == "d6"
    assert (world.records[-1].reason, world.records[-1].detail) == ("records_dropped", {"count": 6})
    world.settle(granted=False, number=5001)
    assert world.records[-1].grant_id == "d5001"
