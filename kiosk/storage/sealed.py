"""The sealed rows of subjects and references, and the roster that says which of them count."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from kiosk.domain.errors import TamperedError
from kiosk.domain.people import NewReference, Reference, Subject
from kiosk.domain.renewal import UNTURNED, Enrolled, Turning
from kiosk.storage.database import Store, to_text
from kiosk.storage.people import (
    NO_SECRETS,
    Record,
    Secrets,
    check_own,
    expect,
    record_of,
    reference_of,
    seal_reference,
)
from kiosk.storage.roster import Roster, unsealed
from kiosk.storage.turning import new_turning, read_turning, write_turning
from kiosk.storage.vault import Vault

_HEAD = "SELECT (SELECT value FROM meta WHERE key = 'gallery_version') AS generation"
_ROSTER = "SELECT value FROM meta WHERE key = 'roster'"


def generation_of(store: Store) -> int:
    """The number of the last change, as it stands in clear. Raises TamperedError when there is none."""
    generation = store.rows(_HEAD)[0]["generation"]
    if not isinstance(generation, int):
        raise TamperedError("the number of the last change is missing")
    return generation


def write_roster(store: Store, vault: Vault, roster: Roster) -> None:
    """Stores the roster of a change. Call it inside a transaction."""
    roster = replace(roster, mark=secrets.token_hex(8))
    for key, value in (("gallery_version", roster.generation), ("roster", roster.seal(vault))):
        store.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [key, value])


def begin(store: Store, vault: Vault, demonstration: bool = False, epoch: str | None = None) -> None:
    """Gives an empty gallery its roster and its matrix. Call it inside a transaction. `epoch`: a random one by
    default."""
    try:
        generation = generation_of(store) + 1
    except TamperedError:
        generation = 1
    write_turning(store, vault, new_turning(), generation)
    write_roster(store, vault, Roster(epoch or secrets.token_hex(8), generation, {}, demonstration, turning=generation))


class SealedRows:
    """Reads the rows only as the roster says, and raises TamperedError for any other row. Each method that changes them
    must be called inside a transaction of the store."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._kept: Roster | None = None

    def roster(self) -> Roster:
        """The present roster."""
        generation = generation_of(self._store)
        if self._kept is not None and self._kept.generation == generation:
            return self._kept
        found = self._store.rows(_ROSTER)
        if not found:
            if self._store.rows("SELECT 1 FROM subject LIMIT 1"):
                raise TamperedError("the roster is missing")
            return Roster("", generation)
        roster = unsealed(found[0]["value"], self._vault)
        if roster.generation != generation:
            raise TamperedError(f"the roster is of change {roster.generation}, but the last change was {generation}")
        self._kept = None if self._store.writing else roster
        return roster

    def turning(self) -> Turning:
        """What turns this gallery's templates."""
        version = self.roster().turning
        if not version:
            raise TamperedError("the matrix of the templates is missing")
        return read_turning(self._store, self._vault, version)

    def record(self, subject_id: str) -> Record | None:
        """The record of a subject; None if it is not enrolled."""
        return self._store.snapshot(lambda: self._record(subject_id))

    def records(self) -> list[Record]:
        """All records, in the order of enrolment."""
        return self._store.snapshot(lambda: [record for record, _ in self._records()])

    def enrolled(self, model_id: str) -> Enrolled:
        """All references of one model, in the order of enrolment, and what turned them."""

        def one_moment() -> Enrolled:
            turning = self.turning() if self.roster().epoch else UNTURNED  # nobody has opened it for writing yet
            return Enrolled(turning, list(self._references(model_id)))

        return self._store.snapshot(one_moment)

    def add(self, subject: Subject, new: Sequence[NewReference], secrets: Secrets = NO_SECRETS) -> None:
        """Stores a new subject with its references. Raises ValueError for what is no template, GalleryError for a
        badge, number, QR code or card that somebody else has."""
        own, wrapped = self._vault.new_key(subject.id)
        if subject.badge or subject.number or secrets.qr or secrets.card:
            check_own(Record(subject, (), secrets), self.records())
        self._store.execute("INSERT INTO subject (id, key, sealed) VALUES (?, ?, x'')", [subject.id, wrapped])
        self._put(Record(subject, self._insert(subject.id, new, subject.created_at, own), secrets), own)

    def change(self, subject_id: str, change: Callable[[Subject], Subject]) -> None:
        """Stores a changed subject. Raises KeyError for an unknown one, GalleryError for a badge or number that
        somebody else has."""
        record, own = self._open(subject_id)
        changed = replace(record, subject=change(record.subject))
        if (changed.subject.badge, changed.subject.number) != (record.subject.badge, record.subject.number):
            check_own(changed, self.records())
        self._put(changed, own)

    def change_secrets(self, subject_id: str, change: Callable[[Secrets], Secrets]) -> None:
        """Stores changed secrets of a subject. Raises KeyError for an unknown one, GalleryError for a QR code or card
        that somebody else has."""
        record, own = self._open(subject_id)
        changed = replace(record, secrets=change(record.secrets))
        if changed.secrets.qr or changed.secrets.card:
            check_own(changed, self.records())
        self._put(changed, own)

    def renew(self, subject_id: str, new: Sequence[NewReference], now: datetime) -> None:
        """Replaces all references of a subject. Raises KeyError for an unknown one, ValueError for what is no
        template."""
        record, own = self._open(subject_id)
        self._store.execute("DELETE FROM reference WHERE subject_id = ?", [subject_id])
        self._put(replace(record, references=self._insert(subject_id, new, now, own)), own)

    def exchange(self, subject_id: str, out: Collection[str], new: Sequence[NewReference], now: datetime) -> None:
        """Adds references to a subject, and deletes those whose ids are in `out`. Raises as `renew`."""
        record, own = self._open(subject_id)
        kept = tuple(one for one in record.references if one not in out)
        for one in out:
            self._store.execute("DELETE FROM reference WHERE id = ? AND subject_id = ?", [one, subject_id])
        self._put(replace(record, references=(*kept, *self._insert(subject_id, new, now, own))), own)

    def of(self, subject_id: str) -> list[Reference]:
        """The references of one subject. Raises KeyError for an unknown one."""
        record, own = self._open(subject_id)
        turning = self.roster().turning
        rows = self._store.rows("SELECT * FROM reference WHERE subject_id = ? ORDER BY rowid", [subject_id])
        expect([row["id"] for row in rows], record.references, "reference")
        return [reference_of(row, own, turning) for row in rows]

    def remove(self, subject_id: str, now: datetime) -> None:
        """Deletes a subject, its key, its references and its tries of PINs, and lists the id as erased."""
        roster = self.roster().without(subject_id, to_text(now))
        self._store.execute("DELETE FROM subject WHERE id = ?", [subject_id])
        self._store.execute("DELETE FROM pin_try WHERE who = ?", [subject_id])
        write_roster(self._store, self._vault, roster)

    def rekey(self, other: Vault, everything: bool) -> None:
        """Seals the keys of all subjects and the roster with another vault. `everything`: gives each subject a new key,
        and seals its record and references anew."""
        before = self.roster()
        generation = before.generation + 1
        versions = dict(before.versions)
        rows = self._store.rows("SELECT * FROM subject ORDER BY rowid")
        expect([row["id"] for row in rows], before.versions, "subject")
        for row in rows:
            wrapped = self._vault.rewrap(row["key"], row["id"], other)
            if everything:
                wrapped = self._reseal(row, versions[row["id"]], generation, other)
                versions[row["id"]] = generation
            self._store.execute("UPDATE subject SET key = ? WHERE id = ?", [wrapped, row["id"]])
        write_turning(self._store, other, self.turning(), before.turning)
        write_roster(self._store, other, replace(before, generation=generation, versions=versions))

    def _reseal(self, row: dict[str, Any], version: int, generation: int, other: Vault) -> bytes:
        record, old = self._read(row, version)
        turning = self.roster().turning
        own, wrapped = other.new_key(row["id"])
        self._store.execute("UPDATE subject SET sealed = ? WHERE id = ?", [record.seal(own, generation), row["id"]])
        for found in self._store.rows("SELECT * FROM reference WHERE subject_id = ?", [row["id"]]):
            sealed = seal_reference(reference_of(found, old, turning), own, turning)
            self._store.execute("UPDATE reference SET sealed = ? WHERE id = ?", [sealed, found["id"]])
        return wrapped

    def turn(self) -> None:
        """Turns all templates to a new matrix, and seals them anew. Those of a gallery of before are turned for the
        first time."""
        before = self.roster()
        generation = before.generation + 1
        new = new_turning()
        step = (self.turning() if before.turning else UNTURNED).onto(new)
        for row, own in self._all_references():
            reference = reference_of(row, own, before.turning)
            template = step.template(reference.template.astype(np.float32))
            sealed = seal_reference(replace(reference, template=template), own, generation)
            self._store.execute("UPDATE reference SET sealed = ? WHERE id = ?", [sealed, reference.id])
        write_turning(self._store, self._vault, new, generation)
        write_roster(self._store, self._vault, replace(before, generation=generation, turning=generation))

    def mark_demonstration(self) -> None:
        """Marks the gallery permanently as that of the demonstration."""
        roster = self.roster()
        write_roster(self._store, self._vault, replace(roster, generation=roster.generation + 1, demonstration=True))

    def _put(self, record: Record, own: Vault) -> None:
        roster = self.roster().with_subject(record.subject.id)
        sealed = record.seal(own, roster.generation)
        self._store.execute("UPDATE subject SET sealed = ? WHERE id = ?", [sealed, record.subject.id])
        write_roster(self._store, self._vault, roster)

    def _insert(
        self, subject_id: str, new: Sequence[NewReference], created_at: datetime, own: Vault
    ) -> tuple[str, ...]:
        turning, version = self.turning(), self.roster().turning
        ids = tuple(new_id() for _ in new)
        for reference_id, given in zip(ids, new, strict=True):
            template = turning.template(given.vector)
            made = (given.model_id, template, given.quality, created_at, given.light)
            reference = Reference(reference_id, subject_id, *made)
            self._store.execute(
                "INSERT INTO reference (id, subject_id, model_id, sealed) VALUES (?, ?, ?, ?)",
                [reference_id, subject_id, given.model_id, seal_reference(reference, own, version)],
            )
        return ids

    def _record(self, subject_id: str) -> Record | None:
        rows = self._store.rows("SELECT * FROM subject WHERE id = ?", [subject_id])
        version = self.roster().versions.get(subject_id)
        expect([row["id"] for row in rows], [] if version is None else [subject_id], "subject")
        return None if version is None else self._read(rows[0], version)[0]

    def _open(self, subject_id: str) -> tuple[Record, Vault]:
        rows = self._store.rows("SELECT * FROM subject WHERE id = ?", [subject_id])
        version = self.roster().versions[subject_id]
        expect([row["id"] for row in rows], [subject_id], "subject")
        return self._read(rows[0], version)

    def _records(self) -> list[tuple[Record, Vault]]:
        versions = self.roster().versions
        rows = self._store.rows("SELECT * FROM subject ORDER BY rowid")
        expect([row["id"] for row in rows], versions, "subject")
        opened = [self._read(row, versions[row["id"]]) for row in rows]
        return sorted(opened, key=lambda item: item[0].subject.created_at)

    def _read(self, row: dict[str, Any], version: int) -> tuple[Record, Vault]:
        own = self._vault.of_subject(row["key"], row["id"])
        return record_of(row, version, own), own

    def _references(self, model_id: str) -> Iterator[Reference]:
        turning = self.roster().turning
        for row, own in self._all_references(model_id):
            yield reference_of(row, own, turning)

    def _all_references(self, model_id: str | None = None) -> Iterator[tuple[dict[str, Any], Vault]]:
        """The rows of all references, or of one model, each with its subject's key."""
        owners = {known: own for record, own in self._records() for known in record.references}
        expect([row["id"] for row in self._store.rows("SELECT id FROM reference")], owners, "reference")
        sql = "SELECT * FROM reference WHERE model_id = coalesce(?, model_id) ORDER BY rowid"
        for row in self._store.rows(sql, [model_id]):
            # The query before may have read an index that is whole, and this one a row that is damaged.
            expect([row["id"]] if row["id"] not in owners else [], [], "reference")
            yield row, owners[row["id"]]


def new_id() -> str:
    """A random id of 64 bits. It reveals nothing about the person."""
    return secrets.token_hex(8)
