"""The audit log: who was let in or not, and why. It holds subject ids, never names, templates or pictures.
Append-only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.decision import Outcome
from kiosk.domain.errors import GalleryError
from kiosk.storage.database import Store, to_text, to_time

RESET = "reset"
"""The reason of an ATTEMPTS record: earlier refusals no longer count, because a person reset them."""
UNKNOWN = "unknown"
"""The outcome of a grant for which no outcome was recorded."""
RESTARTED = "kiosk_restarted"

_KINDS = frozenset(AuditKind)
LARGEST_ID = 2**63 - 1
"""The largest id of SQLite."""

# Not INSERT OR IGNORE, which would also drop a record that the table refuses.
_INSERT = (
    "INSERT INTO audit (kind, wall_at, grant_id, subject_id, outcome, reason, detail, record_id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (record_id) DO NOTHING"
)
_TAKEN_BACK = (
    "INSERT INTO audit (kind, wall_at, grant_id, subject_id, outcome, reason, detail, record_id) "
    "SELECT 'outcome', wall_at, grant_id, subject_id, ?, ?, '{}', record_id || '.refused' FROM audit "
    "WHERE record_id = ? AND kind = 'decision' AND outcome = 'granted' ON CONFLICT (record_id) DO NOTHING"
)
_PENDING = (
    "SELECT * FROM audit AS decision WHERE kind = 'decision' AND outcome = ? AND grant_id IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM audit AS door WHERE door.grant_id = decision.grant_id AND door.kind = 'outcome') ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Floor:
    """The newest time that is known to have passed; None for an empty log. `accepted`: id of the last record by which a
    person confirmed the clock, 0 without one."""

    at: datetime | None
    accepted: int = 0


Row = tuple[str | None, ...]
"""The columns of _INSERT."""


@dataclass(frozen=True, slots=True)
class Story:
    """One person at the door: the decision, and what the door did (None while that is not known)."""

    decision: AuditRecord
    outcome: AuditRecord | None


class Audit:
    """The audit log in an open store. Implements the port AuditTrail."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Writes records in one transaction; they are on disk when this returns. Raises GalleryError when they are not,
        or when that is not known. Appending the same records again does not store them twice."""
        self.write(encode(records))

    def write(self, rows: Sequence[Row]) -> None:
        """Like `append`, for records that `encode` has converted."""
        with self._store.transaction():
            insert(self._store, rows)

    def records(
        self,
        limit: int | None = None,
        since: datetime | None = None,
        grant_id: str | None = None,
        kinds: Sequence[AuditKind] = (),
        subject_id: str | None = None,
    ) -> list[AuditRecord]:
        """The newest `limit` matching records, newest last. Raises GalleryError."""
        where, values = _conditions(since, grant_id, kinds, subject_id)
        rows = self._store.rows(
            f"SELECT * FROM audit{where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - only fixed texts and question marks
            [*values, -1 if limit is None else limit],
        )
        return [_record(row) for row in reversed(rows)]

    def stories(self, limit: int | None = None, since: datetime | None = None) -> list[Story]:
        """Decisions, each with its outcome, newest last. Raises GalleryError."""
        where, values = _conditions(since, None, (), None)
        return self._stories(f"{where} ORDER BY id DESC LIMIT ?", [*values, -1 if limit is None else limit])

    def story(self, grant_id: str) -> Story | None:
        """The decision of this grant with its outcome; None if there is none. Raises GalleryError."""
        found = self._stories(" WHERE grant_id = ?", [grant_id])
        return found[-1] if found else None

    def foresees(self, grant_id: str) -> bool:
        """Whether the log explains this grant: by a decision that granted it, or by a command by hand. Raises
        GalleryError."""
        found = self.records(grant_id=grant_id, kinds=(AuditKind.DECISION, AuditKind.COMMAND))
        return any(record.kind is AuditKind.COMMAND or record.outcome == Outcome.GRANTED for record in found)

    def newest(self) -> datetime | None:
        """The latest time of any record; None for an empty log. Needs only one look into an index. Raises
        GalleryError."""
        found = self._store.rows("SELECT max(wall_at) AS newest FROM audit")[0]["newest"]
        return None if found is None else to_time(found)

    def floor(self) -> Floor:
        """The newest time that counts: of the last confirmation of the clock (`kiosk clock accept`) and all records
        after it. Raises GalleryError."""
        accepted = self._store.rows("SELECT coalesce(max(id), 0) AS id FROM audit WHERE kind = ?", [AuditKind.CLOCK])[
            0
        ]["id"]
        sql = "SELECT max(wall_at) AS newest FROM audit WHERE id >= ?"
        newest = self._store.rows(sql, [accepted])[0]["newest"]
        return Floor(None if newest is None else to_time(newest), accepted)

    def newest_first(self, kinds: Sequence[AuditKind], page: int = 500) -> Iterator[AuditRecord]:
        """All records of these kinds, newest first, read while the caller iterates. Raises GalleryError."""
        before = LARGEST_ID
        marks = ", ".join("?" for _ in kinds)
        sql = f"SELECT * FROM audit WHERE id < ? AND kind IN ({marks}) ORDER BY id DESC LIMIT ?"  # noqa: S608 - marks
        while rows := self._store.rows(sql, [before, *kinds, page]):
            yield from map(_record, rows)
            before = rows[-1]["id"]

    def reset_since(self, seen: int) -> tuple[int, bool]:
        """The id of the newest record, and whether attempts were reset after the record `seen`. Reads only records
        after `seen`. Raises GalleryError."""
        found = self._store.rows(
            "SELECT max(id) AS id, max(kind = ? AND reason = ?) AS reset FROM audit WHERE id > ?",
            [AuditKind.ATTEMPTS, RESET, seen],
        )[0]
        return found["id"] or seen, bool(found["reset"])

    def last_id(self) -> int:
        """The id of the newest record; 0 for an empty log. Raises GalleryError."""
        return int(self._store.rows("SELECT coalesce(max(id), 0) AS id FROM audit")[0]["id"])

    def pending_grants(self) -> list[AuditRecord]:
        """Granted decisions without an outcome. The kiosk died before it recorded the door's answer."""
        return [_record(row) for row in self._store.rows(_PENDING, [Outcome.GRANTED.value])]

    def settle_pending(self, wall_at: datetime) -> list[AuditRecord]:
        """Gives each pending grant the outcome `unknown`, and returns these records. Call it at start, before any
        decision."""
        with self._store.transaction():
            settled = [
                AuditRecord(AuditKind.OUTCOME, wall_at, d.grant_id, d.subject_id, outcome=UNKNOWN, reason=RESTARTED)
                for d in self.pending_grants()
            ]
            insert(self._store, encode(settled))
        return settled

    def confirm(self) -> None:
        """Raises GalleryLostError when the file at the path is no longer the one that was opened."""
        self._store.confirm()

    def complete(self) -> None:
        """Call it after GalleryLostError: completes the moved file and leaves nothing that could harm another file.
        Never raises."""
        self._store.complete()

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    def _stories(self, tail: str, values: list[object]) -> list[Story]:
        rows = self._store.rows(f"SELECT * FROM audit_story{tail}", values)  # noqa: S608 - `tail` is a fixed text
        return [_story(row) for row in reversed(rows)]


def insert(store: Store, rows: Sequence[Row]) -> None:
    """Appends records inside the caller's transaction. A record with a known record_id is not stored again.

    If it is in doubt whether a grant was recorded, the kiosk refuses the grant and records that refusal under the same
    record_id. If the grant is on disk after all, the refusal becomes its outcome. So there is one decision with one
    outcome.
    """
    store.conn.executemany(_INSERT, rows)
    refusals = [row for row in rows if row[0] == AuditKind.DECISION and row[4] == Outcome.REFUSED.value]
    store.conn.executemany(_TAKEN_BACK, [(row[4], row[5], row[7]) for row in refusals])


def encode(records: Sequence[AuditRecord]) -> list[Row]:
    """Converts records to rows of the table. Raises GalleryError for a record that cannot be written."""
    return [_row(record) for record in records]


def _conditions(
    since: datetime | None, grant_id: str | None, kinds: Sequence[AuditKind], subject_id: str | None
) -> tuple[str, list[object]]:
    parts: list[str] = []
    values: list[object] = []
    if since is not None:
        parts.append("wall_at >= ?")
        values.append(to_text(since))
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


def _row(record: AuditRecord) -> Row:
    try:
        detail = json.dumps({key: _plain(value) for key, value in record.detail.items()}, separators=(",", ":"))
        texts = (
            record.kind.value,
            to_text(record.wall_at),
            record.grant_id,
            record.subject_id,
            record.outcome,
            record.reason,
        )
        for text in texts:
            if text is not None:
                text.encode("utf-8")
        return (*texts, detail, record.record_id or None)
    except (AttributeError, TypeError, ValueError) as error:
        raise GalleryError(f"an audit record of kind {record.kind} cannot be written: {error}") from error


def _plain(value: str | float | bool | None) -> str | float | bool | None:
    """Turns NaN and infinity into text, which JSON does not have, so that the record of a fault with such a number is
    not lost."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _story(row: dict[str, Any]) -> Story:
    door = {name.removeprefix("door_"): value for name, value in row.items() if name.startswith("door_")}
    return Story(_record(row), None if door["id"] is None else _record(door))


def _record(row: dict[str, Any]) -> AuditRecord:
    if row["kind"] not in _KINDS:
        raise GalleryError(f"audit record {row['id']} is of a kind that this version does not know: use a newer one")
    try:
        kind, detail = AuditKind(row["kind"]), json.loads(row["detail"])
    except (TypeError, ValueError) as error:
        raise GalleryError(f"the gallery is damaged: audit record {row['id']} cannot be read") from error
    return AuditRecord(
        kind=kind,
        wall_at=to_time(row["wall_at"]),
        grant_id=row["grant_id"],
        subject_id=row["subject_id"],
        outcome=row["outcome"],
        reason=row["reason"],
        detail=detail,
        id=row["id"],
        record_id=row.get("record_id") or "",
    )
