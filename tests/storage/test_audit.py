from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.chain import FIELDS, START, digest
from kiosk.domain.errors import GalleryError
from kiosk.storage.audit import Audit, Floor, encode, insert
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.verification import verify
from kiosk.system.clock import boot_name, boottime
from tests.storage.conftest import NOON, a_decision, an_outcome


@pytest.fixture
def audit(gallery: Gallery) -> Audit:
    return Audit(gallery.store)


def test_records_come_back_as_they_were_newest_last(audit: Audit) -> None:
    records = [a_decision("g1"), an_outcome("g1"), AuditRecord(AuditKind.START, NOON)]
    audit.append(records)
    found = audit.records()
    assert [replace(r, id=None) for r in found] == records
    assert [r.id for r in found] == [1, 2, 3]


def test_they_are_chosen_by_time_kind_grant_subject_and_number(audit: Audit) -> None:
    late = replace(a_decision("g2"), wall_at=NOON + timedelta(hours=1), subject_id="subject-2")
    audit.append([a_decision("g1"), an_outcome("g1"), late])
    assert [r.grant_id for r in audit.records(since=NOON + timedelta(minutes=1))] == ["g2"]
    assert [r.kind for r in audit.records(grant_id="g1")] == ["decision", "outcome"]
    assert [r.id for r in audit.records(kinds=[AuditKind.DECISION, AuditKind.FAULT])] == [1, 3]
    assert [r.id for r in audit.records(subject_id="subject-2")] == [3]
    assert [r.id for r in audit.records(limit=2)] == [2, 3]
    assert [r.id for r in audit.records(limit=1, kinds=[AuditKind.DECISION], grant_id="g1")] == [1]
    assert audit.records(limit=0) == []


def test_they_are_read_from_the_newest_back_however_many_there_are(audit: Audit) -> None:
    audit.append([AuditRecord(AuditKind.START if n % 3 else AuditKind.STOP, NOON) for n in range(50)])
    found = [r.id for r in audit.newest_first((AuditKind.STOP, AuditKind.FAULT), page=5)]
    assert found == [n + 1 for n in reversed(range(0, 50, 3))]
    assert [r.id for r in audit.newest_first((AuditKind.STOP,), page=17)] == found
    assert list(audit.newest_first((AuditKind.FAULT,))) == []


def test_a_reset_of_attempts_is_found_once(audit: Audit) -> None:
    assert (audit.last_id(), audit.reset_since(0)) == (0, (0, False))
    audit.append(
        [
            AuditRecord(AuditKind.START, NOON, reason=AuditReason.RESET),
            AuditRecord(AuditKind.ATTEMPTS, NOON, reason="face_off"),
        ]
    )
    assert (audit.last_id(), audit.reset_since(0)) == (2, (2, False))
    audit.append([AuditRecord(AuditKind.ATTEMPTS, NOON, reason=AuditReason.RESET), AuditRecord(AuditKind.STOP, NOON)])
    assert audit.reset_since(2) == (4, True)
    assert audit.reset_since(4) == (4, False)


def test_a_record_that_is_appended_again_is_there_once(audit: Audit) -> None:
    first, second = AuditRecord(AuditKind.START, NOON), AuditRecord(AuditKind.STOP, NOON)
    audit.append([first])
    audit.append([first, second])
    audit.append([second, first, AuditRecord(AuditKind.START, NOON)])
    found = audit.records()
    assert [r.kind for r in found] == ["start", "stop", "start"]
    assert [r.record_id for r in found[:2]] == [first.record_id, second.record_id]


def test_a_grant_in_doubt_that_was_refused_is_one_decision(audit: Audit) -> None:
    """The refusal comes under the record_id of the grant: on disk it is the decision, or else its outcome."""
    for grant_id, on_disk in (("g1", True), ("g2", False)):
        granted = replace(a_decision(grant_id), record_id=grant_id)
        if on_disk:
            audit.append([granted])
        refusal = replace(granted, outcome="refused", reason="audit_unavailable")
        audit.append([refusal])
        audit.append([refusal])
    assert [(r.kind, r.grant_id, r.outcome, r.reason) for r in audit.records()] == [
        ("decision", "g1", "granted", "matched"),
        ("outcome", "g1", "refused", "audit_unavailable"),
        ("decision", "g2", "refused", "audit_unavailable"),
    ]
    assert audit.pending_grants() == []


def test_the_newest_time_is_the_latest_and_not_the_last_one_written(gallery: Gallery, audit: Audit) -> None:
    assert audit.newest() is None
    later = NOON + timedelta(hours=1, microseconds=1)
    audit.append([AuditRecord(AuditKind.START, later), AuditRecord(AuditKind.STOP, NOON)])
    assert audit.newest() == later
    plan = gallery.store.rows("EXPLAIN QUERY PLAN SELECT max(wall_at) AS newest FROM audit")
    assert "audit_wall_at" in plan[0]["detail"]


def test_the_floor_is_the_newest_time_since_the_last_word_on_the_clock(audit: Audit) -> None:
    assert audit.floor() == Floor(None)
    never = NOON + timedelta(days=30_000)
    audit.append([AuditRecord(AuditKind.START, never), AuditRecord(AuditKind.STOP, NOON)])
    assert audit.floor() == Floor(never)
    audit.append([AuditRecord(AuditKind.CLOCK, NOON, outcome="accepted")])
    assert audit.floor() == Floor(NOON, accepted=3)
    later = NOON + timedelta(hours=1)
    audit.append([AuditRecord(AuditKind.START, later), AuditRecord(AuditKind.STOP, NOON)])
    assert audit.floor() == Floor(later, accepted=3)


def test_decision_and_outcome_are_one_story(audit: Audit) -> None:
    refused = a_decision("g2", "refused")
    audit.append([a_decision("g1"), an_outcome("g1"), refused])
    first, second = audit.stories()
    assert audit.story("g1") == first
    assert first.decision.detail == {"score": 0.5, "pad": None}
    assert first.outcome is not None
    assert (first.outcome.kind, first.outcome.grant_id, first.outcome.outcome) == ("outcome", "g1", "released")
    assert first.outcome.wall_at == NOON + timedelta(seconds=1)
    assert (second.decision.outcome, second.outcome) == ("refused", None)
    assert audit.story("g3") is None
    assert audit.stories(limit=1) == [second]
    assert audit.stories(since=NOON + timedelta(seconds=1)) == []


def test_a_grant_without_outcome_is_settled_once(audit: Audit) -> None:
    audit.append([a_decision("g1"), an_outcome("g1"), a_decision("g2"), a_decision("g3", "refused")])
    assert [r.grant_id for r in audit.pending_grants()] == ["g2"]
    settled = audit.settle_pending(NOON + timedelta(minutes=1))
    assert [(r.grant_id, r.outcome, r.reason) for r in settled] == [("g2", "unknown", "kiosk_restarted")]
    story = audit.story("g2")
    assert story is not None
    assert story.outcome is not None
    assert (story.outcome.outcome, story.outcome.reason, story.outcome.subject_id) == (
        "unknown",
        "kiosk_restarted",
        "subject-1",
    )
    assert audit.pending_grants() == []
    assert audit.settle_pending(NOON) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'nothing'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit (id, kind, wall_at, detail) VALUES (1, 'start', 'now', '{}')",
    ],
)
def test_the_log_only_grows(gallery: Gallery, audit: Audit, statement: str) -> None:
    audit.append([a_decision("g1")])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        gallery.store.execute(statement)
    assert [replace(r, id=None) for r in audit.records()] == [a_decision("g1")]


@pytest.mark.parametrize(
    "bad",
    [
        replace(a_decision("g2"), wall_at=NOON.replace(tzinfo=None)),
        replace(a_decision("g2"), detail={"template": np.zeros(128, np.int8)}),
        replace(a_decision("g2"), detail={"template": b"bytes"}),
        replace(a_decision("g2"), subject_id="\udc80"),
        replace(a_decision("g2"), subject_id=7),
    ],
)
def test_a_record_that_cannot_be_written_takes_its_neighbours_with_it(audit: Audit, bad: AuditRecord) -> None:
    with pytest.raises(GalleryError, match="of kind decision cannot be written"):
        audit.append([a_decision("g1"), bad])
    assert audit.records() == []


def test_a_score_that_is_no_number_is_recorded_as_such(audit: Audit) -> None:
    audit.append([replace(a_decision("g1"), detail={"score": float("nan"), "pad": float("-inf")})])
    assert audit.records()[0].detail == {"score": "nan", "pad": "-inf"}


def test_a_record_without_kind_is_refused_by_the_table(audit: Audit) -> None:
    with pytest.raises(GalleryError):
        audit.append([replace(a_decision("g1"), kind=None)])  # type: ignore[arg-type]


details = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text())


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(details)
def test_any_detail_comes_back(audit: Audit, detail: dict[str, str | int | float | bool | None]) -> None:
    record = AuditRecord(AuditKind.FAULT, NOON, detail=detail)
    expected = {k: str(v) if v in (float("inf"), float("-inf")) else v for k, v in detail.items()}
    assert len(encode([record])) == 1
    audit.append([record])
    assert audit.records(limit=1)[0].detail == expected


def test_a_record_of_a_later_version_is_no_damage(gallery: Gallery, home: Home) -> None:
    """As after a rollback."""
    with closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute(
            "INSERT INTO audit (id, record_id, kind, wall_at, detail, hash) VALUES (1, ?, 'fleet', ?, '{}', ?)",
            ["0" * 32, NOON.isoformat(), bytes(32)],
        )
    with pytest.raises(GalleryError, match="of a kind that this version does not know"):
        list(Audit(gallery.store).records())


def test_each_record_says_when_it_was_written_and_continues_the_one_before(gallery: Gallery, audit: Audit) -> None:
    before = boottime()
    audit.append([a_decision("g1"), an_outcome("g1")])
    audit.append([AuditRecord(AuditKind.STOP, NOON)])
    records = audit.records()
    assert {r.boot for r in records} == {boot_name()}
    times = [r.boot_at for r in records if r.boot_at is not None]
    assert times == sorted(times)
    assert before - 1e-5 <= times[0] <= times[-1] <= boottime()
    columns = ", ".join(f"CAST({name} AS BLOB)" for name in FIELDS)
    previous = START
    for number, link, *fields in gallery.store.execute(f"SELECT id, hash, {columns} FROM audit ORDER BY id"):
        previous = digest(previous, number, fields)
        assert link == previous
    assert records[-1].hash == previous.hex()


def test_a_record_that_is_not_stored_again_leaves_no_gap(gallery: Gallery, audit: Audit) -> None:
    record = replace(a_decision("g1"), record_id="g1")
    audit.append([record])
    audit.append([record, AuditRecord(AuditKind.START, NOON), record, replace(record, outcome="refused", reason="x")])
    audit.append([record])
    assert [(r.id, r.kind) for r in audit.records()] == [(1, "decision"), (2, "start"), (3, "outcome")]
    assert verify(gallery.store).good


def test_nobody_continues_the_chain_outside_a_transaction(gallery: Gallery) -> None:
    with pytest.raises(ValueError, match="outside a transaction"):
        insert(gallery.store, encode([a_decision("g1")]))


def test_all_are_read_oldest_first_within_two_times(audit: Audit) -> None:
    audit.append([AuditRecord(AuditKind.START, NOON + timedelta(hours=n)) for n in range(12)])
    begin, end = NOON + timedelta(hours=3), NOON + timedelta(hours=9)
    assert [r.id for r in audit.oldest_first(page=5)] == list(range(1, 13))
    assert [r.id for r in audit.oldest_first(begin, end, page=2)] == [4, 5, 6, 7, 8, 9]
    assert [r.id for r in audit.oldest_first(until=begin)] == [1, 2, 3]


APPENDING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database

store, own, other = open_database(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
seen = "SELECT count(*) AS n FROM audit WHERE reason = ?"
while store.rows(seen, [other])[0]["n"] < 50 or store.rows(seen, [own])[0]["n"] < 50:
    Audit(store).append([AuditRecord(AuditKind.FAULT, datetime.now(UTC), reason=own) for _ in range(2)])
"""


def test_two_processes_that_append_at_once_keep_one_chain(home: Home, gallery: Gallery) -> None:
    """Each goes on until it has seen 50 records of the other, so that they do it at once."""
    names = ("one", "other")
    commands = [[sys.executable, "-c", APPENDING, str(home.database), *each] for each in (names, names[::-1])]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in processes] == [0, 0]
    records = Audit(gallery.store).records()
    assert [r.id for r in records] == list(range(1, len(records) + 1))
    assert min(sum(r.reason == name for r in records) for name in names) >= 50
    assert verify(gallery.store).good
