"""The audit log: who was let in or not, and why. It holds subject ids, never names, templates or pictures.

Append-only, and chained (domain.chain): all records of all processes are written by `insert`, inside a transaction that
no other writer can enter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason, AuditRecord
from kiosk.domain.chain import START, digest
from kiosk.domain.decision import Outcome
from kiosk.storage.database import Store, to_time
from kiosk.storage.records import Row, Story, conditions, record_of, row_of, story_of
from kiosk.system.clock import boot_name, boottime

LARGEST_ID = 2**63 - 1
"""The largest id of SQLite."""

# Not INSERT OR IGNORE, which would also drop a record that the table refuses.
_INSERT = (
    "INSERT INTO audit (id, kind, wall_at, grant_id, subject_id, outcome, reason, detail, record_id, boot, boot_us, "
    "hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (record_id) DO NOTHING"
)
_NEWEST = "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1"
_GRANT_OF = (
    "SELECT wall_at, grant_id, subject_id FROM audit WHERE record_id = ? AND kind = 'decision' AND outcome = 'granted'"
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
        """The newest `limit` matching records, newest last; those of kind DURESS only if they are asked for. Raises
        GalleryError."""
        where, values = conditions(since, grant_id, kinds, subject_id)
        if not kinds:
            where, values = f"{where or ' WHERE true'} AND kind <> ?", [*values, AuditKind.DURESS]
        rows = self._store.rows(
            f"SELECT * FROM audit{where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - only fixed texts and question marks
            [*values, -1 if limit is None else limit],
        )
        return [record_of(row) for row in reversed(rows)]

    def stories(self, limit: int | None = None, since: datetime | None = None) -> list[Story]:
        """Decisions, each with its outcome, newest last. Raises GalleryError."""
        where, values = conditions(since, None, (), None)
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
            yield from map(record_of, rows)
            before = rows[-1]["id"]

    def oldest_first(
        self, since: datetime | None = None, until: datetime | None = None, page: int = 500
    ) -> Iterator[AuditRecord]:
        """All records from `since` on and before `until`, oldest first, read while the caller iterates. Raises
        GalleryError."""
        where, values = conditions(since, None, (), None, until)
        sql = f"SELECT * FROM audit{where or ' WHERE true'} AND id > ? ORDER BY id LIMIT ?"  # noqa: S608 - fixed texts
        after = 0
        while rows := self._store.rows(sql, [*values, after, page]):
            yield from map(record_of, rows)
            after = rows[-1]["id"]

    def reset_since(self, seen: int) -> tuple[int, bool]:
        """The id of the newest record, and whether attempts were reset after the record `seen`. Reads only records
        after `seen`. Raises GalleryError."""
        found = self._store.rows(
            "SELECT max(id) AS id, max(kind = ? AND reason = ?) AS reset FROM audit WHERE id > ?",
            [AuditKind.ATTEMPTS, AuditReason.RESET, seen],
        )[0]
        return found["id"] or seen, bool(found["reset"])

    def last_id(self) -> int:
        """The id of the newest record; 0 for an empty log. Raises GalleryError."""
        return int(self._store.rows("SELECT coalesce(max(id), 0) AS id FROM audit")[0]["id"])

    def pending_grants(self) -> list[AuditRecord]:
        """Granted decisions without an outcome. The kiosk died before it recorded the door's answer."""
        return [record_of(row) for row in self._store.rows(_PENDING, [Outcome.GRANTED.value])]

    def settle_pending(self, wall_at: datetime) -> list[AuditRecord]:
        """Gives each pending grant the outcome `unknown`, and returns these records. Call it at start, before any
        decision."""
        with self._store.transaction():
            settled = [
                AuditRecord(
                    AuditKind.OUTCOME,
                    wall_at,
                    d.grant_id,
                    d.subject_id,
                    outcome=AuditOutcome.UNKNOWN,
                    reason=AuditReason.RESTARTED,
                )
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
        return [story_of(row) for row in reversed(rows)]


def insert(store: Store, rows: Sequence[Row]) -> None:
    """Appends records inside the caller's transaction (Store.transaction), each chained to the one before. A record
    with a known record_id is not stored again.

    If it is in doubt whether a grant was recorded, the kiosk refuses the grant and records that refusal under the same
    record_id. If the grant is on disk after all, the refusal becomes its outcome. So there is one decision with one
    outcome.
    """
    if not rows:
        return
    if not store.conn.in_transaction:
        raise ValueError("an audit record outside a transaction: two writers could continue the same record")
    number, newest = newest_link(store)
    boot, boot_us = this_boot(), int(boottime() * 1e6)

    def append(row: Row) -> None:
        nonlocal number, newest
        values = (*row, boot, str(boot_us))
        link = digest(newest, number + 1, [None if value is None else value.encode() for value in values])
        if store.conn.execute(_INSERT, (number + 1, *row, boot, boot_us, link)).rowcount == 1:
            number, newest = number + 1, link

    for row in rows:
        append(row)
        if row[0] == AuditKind.DECISION and row[4] == Outcome.REFUSED.value:
            for granted in store.conn.execute(_GRANT_OF, (row[7],)).fetchall():
                append((AuditKind.OUTCOME.value, *granted, row[4], row[5], "{}", f"{row[7]}.refused"))


def newest_link(store: Store) -> tuple[int, bytes]:
    """Number and hash of the newest record; (0, START) for an empty log."""
    found = store.conn.execute(_NEWEST).fetchone()
    return (0, START) if found is None else (found[0], found[1] or START)


@cache
def this_boot() -> str:
    """The name of this start of the machine (system.clock.boot_name), read once."""
    return boot_name()


def encode(records: Sequence[AuditRecord]) -> list[Row]:
    """Converts records to rows of the table. Raises GalleryError for a record that cannot be written."""
    return [row_of(record) for record in records]
