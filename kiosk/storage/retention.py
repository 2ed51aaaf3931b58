"""Cuts old records from the audit log, at a checkpoint, so that the rest can still be verified.

The checkpoint stays in the log and holds the hash with which the rest begins. The cut is a record itself, signed like a
checkpoint: nobody without the key can pass a removal off as one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.checkpoint import CUT, Checkpoint
from kiosk.domain.errors import GalleryError
from kiosk.storage.audit import encode, insert, newest_link
from kiosk.storage.checkpoints import Signer, checkpoint_record, genuine, open_signer, recorded
from kiosk.storage.database import Store, to_text
from kiosk.storage.migrations import AUDIT_GUARDS
from kiosk.storage.vault import Vault
from kiosk.storage.verification import verify

PART = 2_000
"""Records that are cut in one transaction."""
PAUSE = 0.2
"""Seconds between two of them: a writer that waits asks again every tenth of a second (SQLite's busy handler)."""
_NO_DELETE = "audit_no_delete"

# A time that the clock showed wrongly, before a person confirmed it, does not keep what is older.
_FIRST_KEPT = (
    "SELECT min(id) AS id FROM audit WHERE wall_at >= ? AND id >= "
    "(SELECT coalesce(max(id), 0) FROM audit WHERE kind = 'clock')"
)
_CHECKPOINT = (
    "SELECT detail FROM audit WHERE kind = 'checkpoint' AND json_extract(detail, '$.number') < ? "
    "ORDER BY id DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The records up to `checkpoint.number` would be cut, `records` of them."""

    checkpoint: Checkpoint
    records: int


def plan(store: Store, before: datetime) -> Plan | None:
    """The most that can be cut of what is older than `before`; None if nothing can. Raises GalleryError."""
    first_kept = store.rows(_FIRST_KEPT, [to_text(before)])[0]["id"]
    found = store.rows(_CHECKPOINT, [2**63 - 1 if first_kept is None else first_kept])
    if not found:
        return None
    checkpoint = recorded(found[0]["detail"])
    rows = store.rows("SELECT hash, (SELECT min(id) FROM audit) AS first FROM audit WHERE id = ?", [checkpoint.number])
    if not rows:
        return None  # it was cut there before
    if not genuine(checkpoint) or rows[0]["hash"] != bytes.fromhex(checkpoint.hash):
        raise GalleryError(f"{store.path}: the checkpoint of record {checkpoint.number} does not fit: nothing was cut")
    return Plan(checkpoint, checkpoint.number - rows[0]["first"] + 1)


def cut(
    store: Store,
    signer: Signer,
    planned: Plan,
    before: datetime,
    now: datetime,
    pause: Callable[[], None] = lambda: time.sleep(PAUSE),
) -> Checkpoint:
    """Cuts what was planned, and returns a checkpoint that covers the record of it.

    Many records are cut in parts, each in a transaction with a signed record of its own, with a `pause` in between in
    which the running kiosk writes: one that waits too long for its record refuses. Raises GalleryError; then the log is
    whole, and shorter by the parts that were cut.
    """
    first = planned.checkpoint.number - planned.records + 1
    for number in range(first + PART - 1, planned.checkpoint.number, PART):
        _cut_to(store, signer, number, before, now)
        pause()
    link = bytes.fromhex(planned.checkpoint.hash)
    after = _cut_to(store, signer, planned.checkpoint.number, before, now, link)
    assert after is not None
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the -wal file keeps no removed bytes
    return after


def cut_older(store: Store, vault: Vault, days: int, now: datetime, dry_run: bool) -> int:
    """Cuts what is older than so many days, if the whole log can be believed. Returns the number of records that were
    cut; with `dry_run` of those that would be. Raises GalleryError."""
    before = now - timedelta(days=days)
    planned = plan(store, before)
    if planned is None:
        return 0
    if not dry_run:
        verdict = verify(store)
        if not verdict.good:
            raise GalleryError(f"{verdict.faults[0].message}: nothing was cut; see `kiosk audit verify`")
        cut(store, open_signer(store, vault), planned, before, now)
    return planned.records


def _cut_to(
    store: Store, signer: Signer, number: int, before: datetime, now: datetime, last: bytes | None = None
) -> Checkpoint | None:
    """Cuts all records up to this one. `last`: its hash, if the cut ends there; then a checkpoint follows. A part that
    would end with a record of before the chain, which has no hash, is left for the next part."""
    with store.transaction():
        rows = store.conn.execute("SELECT hash FROM audit WHERE id = ?", (number,)).fetchall()
        link = last or (rows[0][0] if rows else None)
        if link is None:
            return None
        signed = signer.sign(number, link, now, CUT)
        store.conn.execute(f"DROP TRIGGER {_NO_DELETE}")
        removed = store.conn.execute("DELETE FROM audit WHERE id <= ?", (number,)).rowcount
        store.conn.execute(AUDIT_GUARDS[_NO_DELETE])
        detail = {**signed.row(), "removed": removed, "before": to_text(before)}
        insert(store, encode([AuditRecord(AuditKind.CHAIN, now, outcome=AuditOutcome.CHAIN_CUT, detail=dict(detail))]))
        if last is None:
            return None
        newest, newest_hash = newest_link(store)
        after = signer.sign(newest, newest_hash, now)
        insert(store, encode([checkpoint_record(after, now)]))
    return after
