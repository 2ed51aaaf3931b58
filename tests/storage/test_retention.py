"""Old records are cut at a checkpoint, and the rest can still be verified."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.checkpoint import Checkpoint, from_row
from kiosk.domain.errors import GalleryError
from kiosk.storage import retention
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import Signer, checkpoint_record, open_signer, tail
from kiosk.storage.database import Store, in_memory
from kiosk.storage.migrations import AUDIT_GUARDS
from kiosk.storage.retention import Plan, cut, plan
from kiosk.storage.verification import verify
from tests.storage.chains import VAULT, everything, put, unguarded
from tests.storage.conftest import NOON

DAY = timedelta(days=1)


def by_day(days: int = 5) -> tuple[Store, Signer, list[Checkpoint]]:
    """Three records a day, and a checkpoint in each evening. Record 1 is that of the key."""
    store = in_memory()
    audit, signer = Audit(store), open_signer(store, VAULT)
    put(store, [])
    made = []
    for day in range(days):
        audit.append([AuditRecord(AuditKind.DOOR, NOON + day * DAY, outcome="opened") for _ in range(3)])
        number, link = tail(store)
        made.append(signer.sign(number, link, NOON + day * DAY))
        audit.append([checkpoint_record(made[-1], NOON + day * DAY)])
    return store, signer, made


def done(store: Store, signer: Signer, before: datetime) -> Checkpoint:
    planned = plan(store, before)
    assert planned is not None
    return cut(store, signer, planned, before, NOON + 9 * DAY)


def test_it_cuts_up_to_the_newest_checkpoint_of_which_all_is_old_enough() -> None:
    store, signer, made = by_day()
    assert plan(store, NOON) is None
    assert plan(store, NOON + DAY) == Plan(made[0], 3)
    assert plan(store, NOON + DAY + timedelta(hours=1)) == Plan(made[1], 7)
    assert plan(store, NOON + 3 * DAY) == Plan(made[2], 11)
    assert plan(store, NOON + 99 * DAY) == Plan(made[4], 19)
    assert len(everything(store)) == 20, "a plan changes nothing"
    held = done(store, signer, NOON + 3 * DAY)
    records = Audit(store).records()
    assert [r.id for r in records] == list(range(12, 23))
    assert (records[0].kind, records[0].detail["number"]) == ("checkpoint", 11)
    assert (records[-2].kind, records[-2].outcome, records[-2].detail["removed"]) == ("chain", "cut", 11)
    assert records[-2].detail["before"] == "2026-03-04T12:00:00.000000+00:00"
    assert (from_row(records[-1].detail), held.number) == (held, 21)


def test_many_records_are_cut_in_parts_and_others_write_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PART", 4)
    store, signer, made = by_day()
    before, firsts = NOON + 4 * DAY, []

    def pause() -> None:
        assert verify(store, keys=[signer.public]).faults == []
        firsts.append(Audit(store).records()[0].id)
        assert not store.conn.in_transaction
        Audit(store).append([AuditRecord(AuditKind.DOOR, NOON, outcome="opened")])

    planned = plan(store, before)
    assert planned == Plan(made[3], 15)
    held = cut(store, signer, planned, before, NOON + 9 * DAY, pause)
    assert firsts == [5, 9, 13], "each part ends consistent"
    verdict = verify(store, [*made, held], [signer.public])
    assert (verdict.faults, verdict.first, verdict.compared, verdict.out_of_reach) == ([], 16, 3, 3)
    assert [r.detail["removed"] for r in Audit(store).records() if r.outcome == "cut"] == [4, 4, 4, 3]


def test_a_cut_that_is_cut_off_leaves_a_log_that_is_whole_and_can_be_cut_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PART", 4)
    store, signer, made = by_day()
    planned = plan(store, NOON + 4 * DAY)
    assert planned is not None
    with pytest.raises(KeyboardInterrupt):
        cut(store, signer, planned, NOON, NOON, _killed)
    assert verify(store, made, [signer.public]).faults == []
    assert plan(store, NOON + 4 * DAY) == Plan(made[3], 11)
    done(store, signer, NOON + 4 * DAY)
    assert Audit(store).records()[0].id == 16


def test_a_part_never_ends_with_a_record_of_before_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no hash that the cut could name."""
    monkeypatch.setattr(retention, "PART", 4)
    store, signer, made = by_day()
    with unguarded(store):
        store.execute("UPDATE audit SET hash = NULL WHERE id <= 6")
    cut(store, signer, Plan(made[3], 15), NOON, NOON, lambda: None)
    assert [r.detail["removed"] for r in Audit(store).records() if r.outcome == "cut"] == [8, 4, 3]
    assert verify(store).good


def _killed() -> None:
    raise KeyboardInterrupt


def test_the_rest_can_be_verified_and_cut_again() -> None:
    store, signer, made = by_day()
    held = done(store, signer, NOON + 3 * DAY)
    verdict = verify(store, [*made, held], [signer.public])
    assert (verdict.faults, verdict.first, verdict.last, verdict.records) == ([], 12, 22, 11)
    assert (verdict.compared, verdict.out_of_reach) == (4, 2)
    assert verdict.cut is not None
    assert verdict.cut.number == 11
    assert plan(store, NOON + 3 * DAY) is None
    done(store, signer, NOON + 4 * DAY)
    assert verify(store, made, [signer.public]).good
    assert Audit(store).records()[0].id == 16


def test_the_log_only_grows_again_after_it() -> None:
    store, signer, _ = by_day()
    done(store, signer, NOON + 3 * DAY)
    there = {row["name"]: row["sql"] for row in store.rows("SELECT * FROM sqlite_master WHERE type = 'trigger'")}
    assert {name: there.get(name) for name in AUDIT_GUARDS} == AUDIT_GUARDS
    for statement in ("DELETE FROM audit", "UPDATE audit SET reason = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.execute(statement)


def test_a_cut_that_fails_changes_nothing() -> None:
    store, signer, made = by_day()
    before = everything(store)
    with pytest.raises(ValueError, match="time zone"):
        cut(store, signer, Plan(made[0], 3), datetime(2026, 3, 2), NOON)  # noqa: DTZ001 - what must be refused
    assert everything(store) == before
    assert verify(store).good


def test_a_checkpoint_that_does_not_fit_is_no_place_to_cut() -> None:
    store, _, _ = by_day(2)
    with unguarded(store):
        store.execute("UPDATE audit SET hash = zeroblob(32) WHERE id = 3")
    with pytest.raises(GalleryError, match="the checkpoint of record 3 does not fit: nothing was cut"):
        plan(store, NOON + DAY)


def test_a_time_that_a_person_has_put_right_keeps_nothing() -> None:
    """The clock once stood in 2099. Before it was put right, those records would never have been old enough."""
    store, signer, made = by_day(1)
    audit = Audit(store)
    audit.append([AuditRecord(AuditKind.STOP, NOON + 27_000 * DAY)])
    assert plan(store, NOON + DAY) == Plan(made[0], 3)
    audit.append([AuditRecord(AuditKind.CLOCK, NOON + DAY, outcome="accepted")])
    number, link = tail(store)
    audit.append([checkpoint_record(signer.sign(number, link, NOON + DAY), NOON + DAY)])
    planned = plan(store, NOON + 2 * DAY)
    assert planned is not None
    assert planned.checkpoint.number == 6


@pytest.mark.parametrize("attack", ["unsigned", "another number", "more", "back"])
def test_a_removal_that_is_passed_off_as_a_cut_is_found(attack: str) -> None:
    store, signer, _ = by_day()
    old = everything(store)
    done(store, signer, NOON + 2 * DAY)
    rows = everything(store)
    assert rows[0][0] == 8
    if attack == "more":  # another record goes
        put(store, rows[1:])
        wanted = "record 8 is missing"
    elif attack == "back":
        put(store, [*old[:7], *rows])
        wanted = "records 1 to 7 are there, although the log says that they were cut"
    else:
        place = next(n for n, row in enumerate(rows) if row[5] == "cut")
        detail = json.loads(str(rows[place][7]))
        detail |= {"signature": "00" * 64} if attack == "unsigned" else {"number": 9}
        rows[place][7] = json.dumps(detail)
        put(store, rows)
        wanted = f"the cut in record {rows[place][0]} is not signed with the key that it names"
    assert wanted in [fault.message.split(": ")[0] for fault in verify(store).faults]


def test_a_cut_by_somebody_else_s_key_is_found_when_the_key_is_named() -> None:
    store, signer, made = by_day()
    other = open_signer(in_memory(), VAULT)
    cut(store, other, Plan(made[0], 3), NOON, NOON)
    assert "the cut in record 21 is signed with another key" in verify(store, keys=[signer.public]).faults[0].message
    assert replace(made[0], key=other.public) != made[0]
