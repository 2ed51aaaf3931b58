"""From a decision to the door: order, deadlines, and what happens when the record cannot be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.decision import Comparison, Decision, Evidence, Outcome, Proof, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.entry import Means
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


@pytest.mark.parametrize(
    ("extended", "badge", "span"),
    [(False, None, Span.NORMAL), (True, None, Span.EXTENDED), (True, 160316, Span.NORMAL)],
)
def test_who_needs_more_time_has_a_longer_release_except_from_a_panel(
    extended: bool, badge: int | None, span: Span
) -> None:
    world = World()
    evidence = Evidence(1, world.now, NOON, frames=3)
    world.access.settle(
        Decision("d1", Outcome.GRANTED, Reason.MATCHED, "ada", evidence, badge=badge, extended=extended)
    )
    assert [grant.span for grant in world.grants] == [span]


def claimed(world: World, number: int, proof: Proof, claim_id: str = "c1") -> Decision:
    evidence = Evidence(-1, world.now, NOON)
    made = Decision(f"d{number}", Outcome.GRANTED, Reason.MATCHED, "ada", evidence)
    return replace(made, proof=proof, means=Means.NUMBER, claim_id=claim_id)


def test_a_claim_lets_in_once_and_the_record_says_by_what() -> None:
    world = World()
    first = decided(world.access.settle(claimed(world, 1, Proof.VERIFICATION)))
    second = decided(world.access.settle(claimed(world, 2, Proof.PIN)))
    assert (first.granted, second.granted, second.reason) == (True, False, Reason.CLAIM_OVER)
    assert [grant.id for grant in world.grants] == ["d1"]
    decisions = [r for r in world.records if r.kind is AuditKind.DECISION]
    assert [(r.detail["comparison"], r.detail["means"]) for r in decisions] == [("1:1", "number"), ("pin", "number")]
    assert decided(world.access.settle(claimed(world, 3, Proof.PIN, "c2"))).granted


def test_a_claim_that_was_given_up_lets_nobody_in() -> None:
    world = World()
    world.access.end_claim("c1")
    assert decided(world.access.settle(claimed(world, 1, Proof.PIN))).reason is Reason.CLAIM_OVER
    assert world.grants == []


@pytest.mark.parametrize("broken", [False, True])
def test_two_decisions_at_once_stay_whole(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other in full: its record, its release and its outcome are never mixed with the other's."""
    world = World()
    begun, come, seen = Event(), Event(), list[tuple[str | None, str]]()
    release, append = world.release, world.append

    def slow(grant: Grant) -> DoorReply:
        begun.set()
        if grant.id == "d1":
            assert come.wait(5)
            other.join(0.2)  # time for the other one to come in between, if it can
        seen.append((world.access.under_way, grant.id))
        return release(grant)

    def failing(records: Sequence[AuditRecord]) -> None:
        if broken and any(r.kind is AuditKind.OUTCOME for r in records):
            raise GalleryError("full")
        append(records)

    monkeypatch.setattr(world, "release", slow)
    monkeypatch.setattr(world, "append", failing)
    told: list[list[Update]] = [[], []]

    def settle(number: int) -> None:
        told[number - 1] = world.access.settle(claimed(world, number, Proof.PIN, f"c{number}"))

    first, other = Thread(target=settle, args=(1,)), Thread(target=settle, args=(2,))
    first.start()
    assert begun.wait(5)
    other.start()
    come.set()
    world.access.note(AuditRecord(AuditKind.START, NOON))
    for thread in (first, other):
        thread.join(5)
    assert [under_way == grant_id for under_way, grant_id in seen] == [True] * len(seen)
    assert world.access.under_way is None
    assert decided(told[0]).granted
    if broken:  # the outcome of the first one could not be recorded: nobody is let in on the second
        assert decided(told[1]).reason is Reason.AUDIT_UNAVAILABLE
        assert world.log[:2] == ["decision:granted", "door"]
    else:
        rest = [line for line in world.log if not line.startswith("start")]
        assert rest == ["decision:granted", "door", "outcome:released"] * 2


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
