"""Audit records as rows of the table, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kiosk.domain.audit import AuditKind, AuditRecord, FreeText
from kiosk.domain.errors import GalleryError
from kiosk.storage.database import to_text, to_time

Row = tuple[str | None, ...]
"""The columns of a record that its writer gives: kind, wall_at, grant_id, subject_id, outcome, reason, detail and
record_id."""


@dataclass(frozen=True, slots=True)
class Story:
    """One person at the door: the decision, and what the door did (None while that is not known)."""

    decision: AuditRecord
    outcome: AuditRecord | None


def row_of(record: AuditRecord) -> Row:
    """A record as a row. Raises GalleryError for a record that cannot be written."""
    try:
        detail = json.dumps({key: _plain(value) for key, value in record.detail.items()}, separators=(",", ":"))
        texts = (
            record.kind.value,
            to_text(record.wall_at),
            record.grant_id,
            record.subject_id,
            None if record.outcome is None else str(record.outcome),
            None if record.reason is None else str(record.reason),
        )
        for text in texts:
            if text is not None:
                text.encode("utf-8")
        return (*texts, detail, record.record_id or None)
    except (AttributeError, TypeError, ValueError) as error:
        raise GalleryError(f"an audit record of kind {record.kind} cannot be written: {error}") from error


def record_of(row: dict[str, Any]) -> AuditRecord:
    """A row of the table as a record. A log that is only looked at may lack the newest columns. Raises GalleryError."""
    if row["kind"] not in set(AuditKind):
        raise GalleryError(f"audit record {row['id']} is of a kind that this version does not know: use a newer one")
    try:
        kind, detail = AuditKind(row["kind"]), json.loads(row["detail"])
    except (TypeError, ValueError) as error:
        raise GalleryError(f"the gallery is damaged: audit record {row['id']} cannot be read") from error
    boot_us, link = row.get("boot_us"), row.get("hash")
    return AuditRecord(
        kind=kind,
        wall_at=to_time(row["wall_at"]),
        grant_id=row["grant_id"],
        subject_id=row["subject_id"],
        outcome=_free(row["outcome"]),
        reason=_free(row["reason"]),
        detail=detail,
        id=row["id"],
        record_id=row.get("record_id") or "",
        boot=row.get("boot"),
        boot_at=None if boot_us is None else boot_us / 1e6,
        hash=None if link is None else link.hex(),
    )


def story_of(row: dict[str, Any]) -> Story:
    """A row of the view audit_story. Raises GalleryError."""
    door = {name.removeprefix("door_"): value for name, value in row.items() if name.startswith("door_")}
    return Story(record_of(row), None if door["id"] is None else record_of(door))


def conditions(
    since: datetime | None,
    grant_id: str | None,
    kinds: Sequence[AuditKind],
    subject_id: str | None,
    until: datetime | None = None,
) -> tuple[str, list[object]]:
    """The WHERE of a query with its values; "" where nothing is asked for."""
    parts: list[str] = []
    values: list[object] = []
    if since is not None:
        parts.append("wall_at >= ?")
        values.append(to_text(since))
    if until is not None:
        parts.append("wall_at < ?")
        values.append(to_text(until))
    if grant_id is not None:
        parts.append("grant_id = ?")
        values.append(grant_id)
    if kinds:
        parts.append(f"kind IN ({', '.join('?' for _ in kinds)})")
        values.extend(kinds)
    if subject_id is not None:
        parts.append("subject_id = ?")
        values.append(subject_id)
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def _free(text: str | None) -> FreeText | None:
    return None if text is None else FreeText(text)


def _plain(value: str | float | bool | None) -> str | float | bool | None:
    """Turns NaN and infinity into text, which JSON does not have, so that the record of a fault with such a number is
    not lost."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
