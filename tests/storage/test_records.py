"""Audit records as rows of the table, and back."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason, AuditRecord, Command, OutcomeWord, ReasonWord
from kiosk.domain.decision import Outcome, Reason
from kiosk.domain.door.events import DoorEventKind, SecuredBy
from kiosk.domain.door.grants import DoorResult, Span
from kiosk.domain.door.state import Alarm, DoorFault, DoorState
from kiosk.domain.errors import GalleryError
from kiosk.storage.records import conditions, record_of, row_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OUTCOMES: list[OutcomeWord] = [*AuditOutcome, *Outcome, *DoorResult, *DoorEventKind, *DoorState]
REASONS: list[ReasonWord] = [*AuditReason, *Command, *Reason, *Span, *SecuredBy, *Alarm, *DoorFault]


def stored(record: AuditRecord) -> dict[str, object]:
    """The row as the table gives it back."""
    names = ("kind", "wall_at", "grant_id", "subject_id", "outcome", "reason", "detail", "record_id")
    return {"id": 1, **dict(zip(names, row_of(record), strict=True))}


def test_a_row_holds_plain_texts() -> None:
    record = AuditRecord(
        AuditKind.DECISION, NOON, "g", "s", Outcome.GRANTED, Reason.MATCHED, {"score": 0.5}, record_id="r"
    )
    row = row_of(record)
    assert row == ("decision", "2026-03-01T12:00:00.000000+00:00", "g", "s", "granted", "matched", '{"score":0.5}', "r")
    assert {type(value) for value in row} == {str}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_each_outcome_is_the_same_when_it_is_read(outcome: OutcomeWord) -> None:
    record = AuditRecord(AuditKind.OUTCOME, NOON, outcome=outcome)
    assert record_of(stored(record)).outcome == outcome == outcome.value  # type: ignore[union-attr]


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_is_the_same_when_it_is_read(reason: ReasonWord) -> None:
    record = AuditRecord(AuditKind.OUTCOME, NOON, reason=reason)
    assert record_of(stored(record)).reason == reason == reason.value  # type: ignore[union-attr]


def test_words_of_another_version_can_be_read() -> None:
    row = stored(AuditRecord(AuditKind.SUBJECT, NOON)) | {"outcome": "beamed up", "reason": "no more room below"}
    record = record_of(row)
    assert (record.outcome, record.reason) == ("beamed up", "no more room below")
    assert record_of(stored(record)) == record


def test_a_record_without_outcome_and_reason_has_none() -> None:
    record = record_of(stored(AuditRecord(AuditKind.START, NOON)))
    assert (record.outcome, record.reason) == (None, None)


def test_a_kind_of_another_version_is_refused() -> None:
    with pytest.raises(GalleryError, match="use a newer one"):
        record_of(stored(AuditRecord(AuditKind.START, NOON)) | {"kind": "dream"})


def test_a_number_that_json_does_not_have_becomes_text() -> None:
    found = record_of(stored(AuditRecord(AuditKind.FAULT, NOON, detail={"score": math.nan, "pad": math.inf})))
    assert found.detail == {"score": "nan", "pad": "inf"}


def test_what_cannot_be_written_is_one_error() -> None:
    with pytest.raises(GalleryError, match="cannot be written"):
        row_of(AuditRecord(AuditKind.FAULT, NOON, subject_id="\ud800"))


def test_conditions_name_only_what_is_asked_for() -> None:
    assert conditions(None, None, (), None) == ("", [])
    where, values = conditions(NOON, "g", (AuditKind.FAULT, AuditKind.STOP), "s", NOON + timedelta(days=1))
    assert where.count("?") == len(values) == 6
    assert values[-1] == "s"
