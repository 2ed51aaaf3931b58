"""The gallery while the embedder is being changed (domain.transition): who has references of which network, what is
added at the door, and what is erased when the change is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import GalleryError
from kiosk.domain.people import NewReference
from kiosk.domain.transition import Counts, Standing, standing
from kiosk.storage.audit import Audit, encode, insert
from kiosk.storage.database import Store
from kiosk.storage.gallery import Gallery

SOURCE = "renewed"
"""How the record names references that were made at the door."""
CHANGES = frozenset({AuditOutcome.NETWORK_SWITCHED, AuditOutcome.NETWORK_BACK, AuditOutcome.NETWORK_FINISHED})

Detail = Mapping[str, str | int | float | bool | None]


def held(store: Store, model_id: str) -> Counts:
    """Number of references of this model, by subject id. Needs no key. Raises GalleryError."""
    rows = store.rows(
        "SELECT subject_id, count(*) AS n FROM reference WHERE model_id = ? GROUP BY subject_id", [model_id]
    )
    return {row["subject_id"]: row["n"] for row in rows}


def standing_of(store: Store, current: str, earlier: str) -> Standing:
    """How far the change between these two model_ids is, in the order in which people were stored. Needs no key. Raises
    GalleryError."""

    def one_moment() -> Standing:
        everybody = [row["id"] for row in store.rows("SELECT id FROM subject ORDER BY rowid")]
        return standing(held(store, current), held(store, earlier), everybody)

    return store.snapshot(one_moment)


def begun(audit: Audit, current: str, earlier: str) -> datetime | None:
    """When the change between these two was begun; None if the log does not say. Raises GalleryError."""
    for record in audit.newest_first((AuditKind.ENROLMENT,)):
        if record.outcome in CHANGES:
            same = (record.detail.get("to"), record.detail.get("from")) == (current, earlier)
            return record.wall_at if same and record.outcome == AuditOutcome.NETWORK_SWITCHED else None
    return None


def add_current(
    gallery: Gallery,
    subject_id: str,
    new: Sequence[NewReference],
    detail: Detail,
    check: Callable[[], None],
    *,
    named: bool,
) -> None:
    """Gives somebody these references beside all that they have, with the record, in one transaction. `check` is called
    inside it, when nobody else can change anything any more; what it raises ends it with nothing written. `named`:
    whether the record says who it is. Raises GalleryError."""
    if not new:
        raise ValueError("a renewal without references")
    with gallery.changing(subject_id) as rows:
        check()
        now = datetime.now(UTC)
        rows.exchange(subject_id, (), new, now)
        told = {"references": len(new), "source": SOURCE, **detail}
        who = subject_id if named else None
        record = AuditRecord(AuditKind.ENROLMENT, now, None, who, AuditOutcome.REFERENCES_ADDED, None, told)
        insert(gallery.store, encode([record]))


def drop(gallery: Gallery, model_id: str) -> int:
    """Erases all references of a model, and overwrites their bytes. Returns how many they were; the people stay. In one
    transaction, without a record where there were none. Raises GalleryError."""
    with gallery.changing() as rows:
        found = gallery.store.rows("SELECT id, subject_id FROM reference WHERE model_id = ?", [model_id])
        of: dict[str, set[str]] = {}
        for row in found:
            of.setdefault(row["subject_id"], set()).add(row["id"])
        now = datetime.now(UTC)
        for subject_id, ids in of.items():
            if rows.record(subject_id) is None:
                raise GalleryError(f"{subject_id}: nobody of this id is enrolled, but a reference says so")
            rows.exchange(subject_id, ids, (), now)
        if found:
            told: dict[str, str | int | float | bool | None] = {"from": model_id, "references": len(found)}
            if gallery.by is not None:
                told["by"] = gallery.by
            outcome = AuditOutcome.REFERENCES_ERASED
            insert(gallery.store, encode([AuditRecord(AuditKind.ENROLMENT, now, None, None, outcome, None, told)]))
    gallery.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # the -wal file may still hold what was erased
    return len(found)
