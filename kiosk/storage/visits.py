"""Templates of visits, kept for some days to measure how often the site's own people are not recognised.

They lie in a file of their own beside the gallery, which no backup takes along and whose locks no decision waits for.
Each is sealed with its subject's own key, so that it ends with that person, and bound to the gallery's epoch and to the
matrix that turned it. Where a study is over, or is of another epoch, matrix or master key, all that is kept goes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason, AuditRecord
from kiosk.domain.decision import Proof
from kiosk.domain.errors import GalleryError, TamperedError, os_trouble
from kiosk.domain.face import Vector
from kiosk.domain.ids import new_id
from kiosk.domain.people import Subject, Template
from kiosk.storage.audit import Audit
from kiosk.storage.database import to_text, to_time
from kiosk.storage.gallery import Gallery
from kiosk.storage.roster import Roster
from kiosk.storage.vault import TEMPLATE_BYTES, Vault, template_bytes
from kiosk.system import sqlite_file

FILE = "visits.db"
MOST_EACH = 20
"""Visits that are kept of one person."""
MOST = 5_000
"""And of all."""
LONGEST_DAYS = 90
BUSY_SECONDS = 2.0
T = TypeVar("T")
_BOUND = "the study of visits"
# DELETE: between two changes there is this one file. secure_delete: what goes is overwritten with zeros.
_PRAGMAS = ("journal_mode=DELETE", "synchronous=FULL", "secure_delete=ON", "trusted_schema=OFF")
_TABLES = (
    "CREATE TABLE IF NOT EXISTS study (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL, "
    "unproven INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE TABLE IF NOT EXISTS visit (id TEXT PRIMARY KEY NOT NULL, subject_id TEXT NOT NULL, sealed BLOB NOT NULL) "
    "STRICT",
)


@dataclass(frozen=True, slots=True)
class Study:
    """A measurement. `text`: the text of consent that covers it; None where everybody was told in another way."""

    begun: datetime
    ends: datetime
    text: str | None

    def covers(self, subject: Subject) -> bool:
        """Whether visits of this person are kept."""
        return self.text is None or (subject.consent is not None and subject.consent.text == self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A visit. `template`: of the first frame that counted, whatever its score. `proof`: what showed who it was.
    `granted`: whether the face was recognised."""

    subject_id: str
    at: datetime
    model_id: str
    proof: Proof
    granted: bool
    template: Template


class Visits:
    """What is kept beside one gallery, for one thread. The file is opened for each call. Methods raise GalleryError."""

    def __init__(self, gallery: Gallery, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._gallery = gallery
        self._now = now
        self.path = gallery.store.path.with_name(FILE)

    def begin(self, days: int, text: str | None) -> Study:
        """Begins a study of so many days. Raises GalleryError when one is under way."""
        self.end_if_over()
        if self.study() is not None:
            raise GalleryError("visits are kept already: see `kiosk calibrate faces show`, or stop it first")
        if not 1 <= days <= LONGEST_DAYS:
            raise GalleryError(f"visits are kept for 1 to {LONGEST_DAYS} days")
        begun = self._moment()
        study = Study(begun, begun + timedelta(days=days), text)
        self._erase_all()
        self._note(AuditOutcome.STUDY_BEGUN, None, days=days, text=text)
        value = {"begun": to_text(begun), "ends": to_text(study.ends), "text": text}
        sealed = self._gallery.vault.wrap(json.dumps(value).encode(), _BOUND, *self._place())

        def store(db: sqlite3.Connection) -> None:
            for table in _TABLES:
                db.execute(table)
            db.execute("INSERT INTO study (id, sealed) VALUES (1, ?)", (sealed,))

        try:
            with _explained(self.path):
                sqlite_file.make(self.path)
            self._write(store)
        except GalleryError:
            self._note(AuditOutcome.STUDY_ENDED, AuditReason.BROKEN_OFF, visits=0)
            raise
        return study

    def end(self, reason: AuditReason) -> int:
        """Ends a study and erases all that is kept. Returns how many visits that were."""
        try:
            number = self.count()
        except GalleryError:
            number = 0  # a damaged file goes as a whole
        if self._erase_all():
            self._note(AuditOutcome.STUDY_ENDED, reason, visits=number)
        return number

    def end_if_over(self) -> None:
        """Erases all where the study's time is over, it is not of this gallery as it is now, or the file is damaged:
        nobody knows its end then. A clock that was set back keeps nothing longer: the log's newest record counts."""
        reason = AuditReason.EXPIRED
        try:
            if (study := self.study()) is not None and self._runs(study):
                self._sweep(study)
                return
        except GalleryError as error:
            # Damage has no class of its own; a busy, full or unreadable file has, and may be looked at again.
            if type(error.__cause__) is not sqlite3.DatabaseError:
                raise
            reason = AuditReason.BROKEN_OFF
        self.end(reason)

    def study(self) -> Study | None:
        """The study that is under way, of this gallery as it is now; None if there is none. It may be over."""
        if not self._there():
            return None
        rows = self._read(lambda db: db.execute("SELECT sealed FROM study").fetchall())
        try:
            value = json.loads(self._gallery.vault.unwrap(rows[0][0], _BOUND, *self._place())) if rows else None
        except TamperedError:
            return None
        return value and Study(to_time(value["begun"]), to_time(value["ends"]), value["text"])

    def keep(self, subject_id: str, vector: Vector, at: datetime, model_id: str, proof: Proof, granted: bool) -> bool:
        """Keeps the template of a visit. False if it does not: no study, one that is over, no consent, or enough."""
        study, subject = self.study(), self._gallery.subject(subject_id)
        if study is None or not self._runs(study) or subject is None or not study.covers(subject):
            return False
        with self._gallery.believing() as rows:
            template = rows.turning().template(vector)
        visit, place = new_id(), self._place()
        words = json.dumps([to_text(at), model_id, proof.value, granted]).encode()
        sealed = self._own(subject_id).wrap(template_bytes(template) + words, *_bound(visit, subject_id), *place)

        def store(db: sqlite3.Connection) -> bool:
            # Once more, in the transaction: whoever ends a study meanwhile has erased all that is kept.
            there = db.execute("SELECT count(*) FROM study").fetchone()[0]
            each = db.execute("SELECT count(*) FROM visit WHERE subject_id = ?", (subject_id,)).fetchone()[0]
            all_ = db.execute("SELECT count(*) FROM visit").fetchone()[0]
            if not there or each >= MOST_EACH or all_ >= MOST:
                return False
            db.execute("INSERT INTO visit VALUES (?, ?, ?)", (visit, subject_id, sealed))
            return True

        return self._write(store)

    def unproven(self) -> None:
        """Counts a claim that was refused, and of which nothing showed afterwards whose face it was."""
        self._write(lambda db: db.execute("UPDATE study SET unproven = unproven + 1"))

    def counted(self) -> int:
        """How many such claims there were."""
        rows = self._read(lambda db: db.execute("SELECT unproven FROM study").fetchall()) if self._there() else []
        return int(rows[0][0]) if rows else 0

    def count(self, subject_id: str | None = None) -> int:
        """How many visits are kept, of one person or of all."""
        sql = "SELECT count(*) FROM visit WHERE subject_id = coalesce(?, subject_id)"
        return self._read(lambda db: int(db.execute(sql, (subject_id,)).fetchone()[0])) if self._there() else 0

    def kept(self, subject_id: str | None = None) -> list[Visit]:
        """The visits that are kept of who is enrolled, of one person or of all, in no order."""
        if self.study() is None:
            return []
        sql = "SELECT id, subject_id, sealed FROM visit WHERE subject_id = coalesce(?, subject_id) ORDER BY id"
        rows = self._read(lambda db: db.execute(sql, (subject_id,)).fetchall())
        enrolled = {subject.id for subject in self._gallery.subjects()}
        return [self._visit(*row) for row in rows if row[1] in enrolled]

    def forget(self, subject_ids: Sequence[str]) -> dict[str, int]:
        """Erases what is kept of these people, or all if it must. Returns how many visits that were of each."""
        sql, numbers = "DELETE FROM visit WHERE subject_id = ?", dict.fromkeys(subject_ids, 0)
        try:
            numbers = {one: self.count(one) for one in subject_ids}
            if any(numbers.values()):
                self._write(lambda db: db.executemany(sql, [(one,) for one in subject_ids]))
        except GalleryError:
            self._erase_all()
        return numbers

    def _sweep(self, study: Study) -> None:
        """Erases what is kept of who is not enrolled any more, or has not agreed to it any more."""
        known = self._read(lambda db: [row[0] for row in db.execute("SELECT DISTINCT subject_id FROM visit")])
        covered = {subject.id for subject in self._gallery.subjects() if study.covers(subject)} if known else set()
        self.forget([one for one in known if one not in covered])

    def _visit(self, visit: str, subject_id: str, sealed: bytes) -> Visit:
        data = self._own(subject_id).unwrap(sealed, *_bound(visit, subject_id), *self._place())
        at, model_id, proof, granted = json.loads(data[TEMPLATE_BYTES:])
        template = np.frombuffer(data, np.int8, TEMPLATE_BYTES)
        return Visit(subject_id, to_time(at), model_id, Proof(proof), granted, template)

    def _own(self, subject_id: str) -> Vault:
        for row in self._gallery.store.rows("SELECT key FROM subject WHERE id = ?", [subject_id]):
            return self._gallery.vault.of_subject(row["key"], subject_id)
        raise GalleryError(f"{subject_id}: was erased meanwhile: do it again")

    def _place(self) -> tuple[str, ...]:
        with self._gallery.believing() as rows:
            roster: Roster = rows.roster()
        return ("of epoch", roster.epoch, "turned by", str(roster.turning))

    def _runs(self, study: Study) -> bool:
        """Whether its time is not over. One from a future that `kiosk clock accept` has taken back is."""
        return study.begun <= self._moment() < study.ends

    def _moment(self) -> datetime:
        newest = Audit(self._gallery.store).floor().at
        return self._now() if newest is None else max(self._now(), newest)

    def _note(self, outcome: AuditOutcome, reason: AuditReason | None, **detail: str | int | None) -> None:
        who = {} if self._gallery.by is None else {"by": self._gallery.by}
        record = AuditRecord(AuditKind.STUDY, self._now(), outcome=outcome, reason=reason, detail={**detail, **who})
        Audit(self._gallery.store).append([record])

    def _there(self) -> bool:
        """An empty file is that of a study that was cut off before it began."""
        try:
            return self.path.stat().st_size > 0
        except FileNotFoundError:
            return False
        except OSError as error:
            raise GalleryError(f"{self.path}: {os_trouble(error)}") from error

    def _erase_all(self) -> bool:
        """Whether there was anything. A file that cannot be emptied is removed."""
        if not self._there():
            return False

        def empty(db: sqlite3.Connection) -> bool:
            return sum(db.execute(f"DELETE FROM {table}").rowcount for table in ("visit", "study")) > 0  # noqa: S608

        try:
            return self._write(empty)
        except GalleryError:
            with _explained(self.path):
                self.path.unlink(missing_ok=True)
                self.path.with_name(f"{FILE}-journal").unlink(missing_ok=True)
            return True

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with _explained(self.path), closing(_opened(self.path)) as db:
            return read(db)

    def _write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a transaction."""
        with _explained(self.path), closing(_opened(self.path)) as db:
            db.execute("BEGIN IMMEDIATE")
            found = write(db)
            db.execute("COMMIT")
            return found


def _opened(path: Path) -> sqlite3.Connection:
    """The file, which must be there; without transactions of its own. A change that was cut off is taken back."""
    db = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    for pragma in _PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    return db


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeError) as error:
        raise GalleryError(f"{path}: the visits cannot be used ({error}): kiosk calibrate faces stop") from error
    except OSError as error:
        raise GalleryError(f"{path}: the visits cannot be used: {os_trouble(error)}") from error


def _bound(visit: str, subject_id: str) -> tuple[str, ...]:
    return ("visit", visit, "of subject", subject_id)
