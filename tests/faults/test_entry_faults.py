"""A number and a PIN at the whole kiosk: real gallery, networks, log and threads, and kiosk-door as a process. Whatever
is broken, the PIN opens nothing that it should not, and opens while the camera is dead."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.decision import Decision, Outcome, Proof, Reason
from kiosk.domain.door.grants import DoorResult
from kiosk.domain.entry import Claim, Claimed, GaveUp, Means, PinTyped, Step, Ways
from kiosk.domain.updates import Decided, DoorAnswered, EntryChanged, Faulted, Observed
from kiosk.storage import pins
from kiosk.storage.audit import Audit
from kiosk.storage.claims import set_number
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.pins import set_pin
from kiosk.ways import EntryConfig
from tests.faults.test_faults import Bench, bench, break_audit, enrolled, models, run

__all__ = ["bench", "enrolled", "models"]
NUMBER, PIN, DURESS, WRONG = "4711", "739154", "280461", "111222"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "MEMORY_KIB", 64)


@pytest.fixture
def ada(bench: Bench) -> str:
    """The first subject has a number and PINs; before the camera there is nobody."""
    entry = EntryConfig(number=True, look_seconds=0.0)
    bench.config = bench.config.model_copy(update={"entry": entry})
    bench.camera.broken = True
    with closing(open_gallery(bench.home)) as gallery:
        subject_id = gallery.subjects()[0].id
        set_number(gallery, subject_id, NUMBER)
        set_pin(gallery, subject_id, PIN, DURESS)
    return subject_id


def claim(number: str = NUMBER) -> Claimed:
    return Claimed(Claim(Means.NUMBER, number))


def until(bench: Bench, step: Step) -> None:
    while True:
        update = bench.next(EntryChanged)
        assert isinstance(update, EntryChanged)
        if update.step is step:
            return


def by_pin(bench: Bench) -> Decision:
    """The next decision that is no camera's."""
    while True:
        decision = bench.decision()
        if decision.proof is Proof.PIN:
            return decision


def test_a_pin_opens_while_the_camera_is_dead(bench: Bench, ada: str) -> None:
    with run(bench) as kiosk:
        assert kiosk.entrance.ways == Ways(frozenset({Means.NUMBER}), pin=True)
        bench.next(Faulted)
        kiosk.entrance.ask(claim())
        until(bench, Step.PIN)
        kiosk.entrance.ask(PinTyped(PIN))
        decision = by_pin(bench)
        answer = bench.next(DoorAnswered)
        until(bench, Step.OVER)
    assert (decision.granted, decision.subject_id) == (True, ada)
    assert isinstance(answer, DoorAnswered)
    assert answer.reply.result is DoorResult.RELEASED
    story = [r for r in bench.records() if r.grant_id == decision.id]
    assert [(r.kind, r.outcome) for r in story] == [("decision", "granted"), ("outcome", "released")]
    assert (story[0].detail["comparison"], story[0].detail["means"]) == ("pin", "number")


def damage_gallery(bench: Bench) -> None:
    bench.sql("UPDATE subject SET sealed = zeroblob(200)")


def drop_tries(bench: Bench) -> None:
    bench.sql("DROP TABLE pin_try")


def kill_door(bench: Bench) -> None:
    os.kill(bench.door, signal.SIGKILL)
    os.waitpid(bench.door, os.WNOHANG)


def freeze_door(bench: Bench) -> None:
    os.kill(bench.door, signal.SIGSTOP)


def end_right(bench: Bench) -> None:
    bench.valid_until(datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        (break_audit, {Reason.AUDIT_UNAVAILABLE}),
        (damage_gallery, {Reason.GALLERY_FAULT, Reason.WRONG_PIN}),
        (drop_tries, {Reason.GALLERY_FAULT}),
        (kill_door, {Reason.DOOR_UNAVAILABLE}),
        (freeze_door, {Reason.DOOR_UNAVAILABLE}),
        (end_right, {Reason.VALIDITY_ENDED}),
    ],
)
@pytest.mark.parametrize("when", ["before the claim", "before the PIN"])
def test_while_log_gallery_or_door_are_broken_no_pin_opens(
    bench: Bench, ada: str, fault: Callable[[Bench], None], reasons: set[Reason], when: str
) -> None:
    del ada
    try:
        with run(bench) as kiosk:
            bench.next(Faulted)
            if when == "before the claim":
                fault(bench)
            kiosk.entrance.ask(claim())
            update = bench.next(EntryChanged)
            while isinstance(update, EntryChanged) and update.step is Step.CHECKING:
                update = bench.next(EntryChanged)
            if update == EntryChanged(Step.PIN, 30.0):
                if when == "before the PIN":
                    fault(bench)
                kiosk.entrance.ask(PinTyped(PIN))
                until(bench, Step.OVER)
    finally:
        if fault is freeze_door:
            os.kill(bench.door, signal.SIGCONT)
    said = [r for r in bench.records() if r.kind is AuditKind.DECISION and r.outcome == Outcome.REFUSED]
    assert {Reason(str(r.reason)) for r in said} & reasons
    assert not any(r.outcome == Outcome.GRANTED for r in bench.records())


def test_the_face_of_whoever_was_claimed_lets_in_by_comparison_with_that_one_only(bench: Bench, ada: str) -> None:
    bench.camera.broken = False
    bench.config = bench.config.model_copy(
        update={"entry": EntryConfig(number=True, look_seconds=20.0, verification="always")}
    )
    with run(bench) as kiosk:
        while not bench.next(Observed).claim_first:  # type: ignore[union-attr]
            pass  # a face alone is compared with nobody: there is nothing to decide
        kiosk.entrance.ask(claim())
        decision = bench.decision()
        while decision.proof is not Proof.VERIFICATION or not decision.granted:
            if decision.proof is Proof.VERIFICATION:
                kiosk.entrance.ask(GaveUp())
                kiosk.entrance.ask(claim())
            decision = bench.decision()
    assert {r.detail["comparison"] for r in bench.records() if r.kind is AuditKind.DECISION} == {"1:1"}
    assert (decision.granted, decision.subject_id) == (True, ada)
    granted = [r for r in bench.records() if r.outcome == Outcome.GRANTED]
    assert {r.detail["comparison"] for r in granted} == {"1:1"}


def test_of_a_duress_pin_only_a_record_of_its_own_kind_tells(bench: Bench, ada: str) -> None:
    told = []
    with run(bench) as kiosk:
        bench.next(Faulted)
        for pin in (PIN, DURESS):
            seen: list[object] = []
            kiosk.entrance.ask(claim())
            until(bench, Step.PIN)
            kiosk.entrance.ask(PinTyped(pin))
            while not seen or seen[-1] != EntryChanged(Step.OVER):
                update = bench.events.get(timeout=60)
                match update:
                    case Decided(decision) if decision.proof is Proof.PIN:
                        seen.append(decision.outcome)
                    case DoorAnswered(_, reply):
                        seen.append(reply.result)
                    case EntryChanged():
                        seen.append(update)
            told.append(seen)
    assert told[0] == told[1]
    with closing(Audit(open_database(bench.home.database, read_only=True))) as audit:
        (record,) = audit.records(kinds=(AuditKind.DURESS,))
        everything = list(audit.oldest_first())
        listed = audit.records()
    assert (record.subject_id, record.kind) == (ada, AuditKind.DURESS)
    assert [r for r in everything if r not in listed] == [record]


def test_a_wrong_pin_and_an_unknown_number_open_nothing_and_are_told_alike(bench: Bench, ada: str) -> None:
    del ada
    records: list[AuditRecord] = []
    with run(bench) as kiosk:
        bench.next(Faulted)
        for number in (NUMBER, "9999"):
            kiosk.entrance.ask(claim(number))
            until(bench, Step.PIN)
            kiosk.entrance.ask(PinTyped(WRONG))
            assert by_pin(bench).reason is Reason.WRONG_PIN
            until(bench, Step.OVER)
    records = [r for r in bench.records() if r.detail.get("comparison") == "pin"]
    assert [r.reason for r in records] == ["wrong_pin", "wrong_pin"]
    assert records[1].subject_id is None
