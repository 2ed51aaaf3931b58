"""The gallery: subjects and their references. Every change appends its audit record in the same transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason, AuditRecord
from kiosk.domain.errors import GalleryError, GalleryLostError, TamperedError
from kiosk.domain.people import Consent, Need, NewReference, Reference, Subject
from kiosk.domain.renewal import Enrolled
from kiosk.storage import people
from kiosk.storage.audit import encode, insert
from kiosk.storage.database import Store, in_memory, open_database, to_time
from kiosk.storage.home import Home
from kiosk.storage.people import NO_SECRETS, Record, Secrets, optional_text, the_one
from kiosk.storage.sealed import SealedRows, generation_of, new_id
from kiosk.storage.troubles import TAMPERED_TEXT
from kiosk.storage.unlock import belongs, bind, unlock
from kiosk.storage.vault import KEY_BYTES, Vault


class Gallery:
    """Subjects and references in an open store. Only one thread may use it at a time.

    Without a vault references can only be counted. Each method raises GalleryError when the database fails. It then
    changes nothing, not even in part.
    """

    def __init__(
        self, store: Store, vault: Vault | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._vault = vault
        self._rows = None if vault is None else SealedRows(store, vault)
        self._now = now
        self.by: str | None = None
        """Who makes the changes, for their records: "uid 1000"; None if that is not known."""

    @property
    def store(self) -> Store:
        """The open file, for an Audit of the same connection."""
        return self._store

    @property
    def vault(self) -> Vault:
        """The open key. Raises GalleryError for a gallery that was opened without it."""
        if self._vault is None:
            raise GalleryError(f"{self._store.path}: the gallery was opened without its key")
        return self._vault

    @property
    def lost(self) -> str | None:
        """Why the gallery must be opened again; None while it is usable."""
        return self._store.lost

    def add_subject(
        self,
        name: str,
        references: Sequence[NewReference],
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        badge: int | None = None,
        consent: Consent | None = None,
        number: str | None = None,
        secrets: Secrets = NO_SECRETS,
        needs: Sequence[Need] = (),
    ) -> Subject:
        """Enrols a subject with all references. They are on disk when this returns.

        Raises GalleryError for an impossible name or validity, or a badge, number, QR code or card that another subject
        has, VaultError when the key cannot be used.
        """
        if not references:
            raise ValueError("an enrolment without references")
        people.check_validity(valid_from, valid_until)
        name, badge, number = people.checked_name(name), people.checked_badge(badge), people.checked_number(number)
        subject = Subject(new_id(), name, self._now(), False, valid_from, valid_until, badge, consent, None, number)
        subject = replace(subject, verify=Need.VERIFY in needs, extended=Need.EXTENDED in needs)
        with self.changing() as rows:
            rows.add(subject, references, secrets)
            outcome, count, said = AuditOutcome.ENROLLED, len(references), " ".join(needs) or None
            self.note(AuditKind.ENROLMENT, subject.id, outcome, references=count, needs=said, consent=consent)
        return subject

    def renew(self, subject_id: str, references: Sequence[NewReference], consent: Consent | None = None) -> None:
        """Replaces all references of a subject, of every model, by new ones, and the consent if there is another one.
        Nothing else changes.

        Raises GalleryError for an unknown subject, VaultError when the key cannot be used.
        """
        if not references:
            raise ValueError("an enrolment without references")
        with self.changing(subject_id) as rows:
            rows.renew(subject_id, references, self._now())
            if consent is not None:
                rows.change(subject_id, lambda subject: replace(subject, consent=consent))
            outcome, count = AuditOutcome.ENROLLED_AGAIN, len(references)
            self.note(AuditKind.ENROLMENT, subject_id, outcome, references=count, consent=consent)
        self._overwrite_removed()

    def subjects(self) -> list[Subject]:
        """All subjects, in the order of enrolment."""
        return [record.subject for record in self.records()]

    def records(self) -> list[Record]:
        """The records of all subjects, in the order of enrolment: what they know and hold, too."""
        with self.believing() as rows:
            return rows.records()

    def record(self, subject_id: str) -> Record | None:
        """The record of a subject; None if it is not enrolled."""
        with self.believing() as rows:
            return rows.record(subject_id)

    def pin_of(self, subject_id: str) -> str | None:
        """The PIN of a subject as storage.pins stores it; None if it has none, or is not enrolled."""
        return record.secrets.pin if (record := self.record(subject_id)) else None

    def subject(self, subject_id: str) -> Subject | None:
        """The subject with this id; None if there is none."""
        return record.subject if (record := self.record(subject_id)) else None

    def find(self, text: str) -> Subject:
        """Finds a subject by id, exact name or the beginning of the id. Raises GalleryError unless exactly one
        matches."""
        return the_one(self.subjects(), text)

    def set_disabled(self, subject_id: str, disabled: bool) -> None:
        """Shuts a subject out, or lets it in again, without removing it."""
        with self.changing(subject_id) as rows:
            rows.change(subject_id, lambda subject: replace(subject, disabled=disabled))
            self.note(AuditKind.SUBJECT, subject_id, AuditOutcome.DISABLED if disabled else AuditOutcome.ENABLED)

    def set_validity(self, subject_id: str, valid_from: datetime | None, valid_until: datetime | None) -> None:
        """Sets the time from which and until which a subject may pass. None means no limit."""
        people.check_validity(valid_from, valid_until)
        begin, end = optional_text(valid_from), optional_text(valid_until)
        with self.changing(subject_id) as rows:
            rows.change(subject_id, lambda s: replace(s, valid_from=valid_from, valid_until=valid_until))
            self.note(AuditKind.SUBJECT, subject_id, AuditOutcome.VALIDITY_CHANGED, valid_from=begin, valid_until=end)

    def set_badge(self, subject_id: str, badge: int | None) -> None:
        """Sets the number by which a panel knows a subject, at least 1; None removes it. The audit log never holds it.
        Raises GalleryError when another subject has it."""
        people.checked_badge(badge)
        with self.changing(subject_id) as rows:
            rows.change(subject_id, lambda subject: replace(subject, badge=badge))
            self.note(
                AuditKind.SUBJECT, subject_id, AuditOutcome.BADGE_CLEARED if badge is None else AuditOutcome.BADGE_SET
            )

    def set_consent(self, subject_id: str, consent: Consent) -> None:
        """Records what somebody has agreed to."""
        with self.changing(subject_id) as rows:
            rows.change(subject_id, lambda subject: replace(subject, consent=consent))
            self.note(AuditKind.SUBJECT, subject_id, AuditOutcome.CONSENT_RECORDED, consent=consent)

    def remove(self, subject_id: str, reason: AuditReason | None = None) -> None:
        """Deletes the subject, its key and all references, and overwrites their bytes. The id is listed as erased, and
        the audit log keeps it, with the reason. What else an erasure is: storage.erasure."""
        with self.changing(subject_id) as rows:
            rows.remove(subject_id, self._now())
            self.note(AuditKind.SUBJECT, subject_id, AuditOutcome.REMOVED, why=reason)
        self._overwrite_removed()

    def erased(self) -> dict[str, datetime]:
        """Who was erased from this gallery, and when."""
        with self.believing() as rows:
            return {who: to_time(at) for who, at in rows.roster().erased.items()}

    def references(self, model_id: str) -> list[Reference]:
        """All references of one model, decrypted. Raises GalleryError as `enrolled`."""
        return list(self.enrolled(model_id).references)

    def enrolled(self, model_id: str) -> Enrolled:
        """All references of one model, and what turned them. Raises GalleryError, which names the first bad one."""
        with self.believing() as rows:
            return rows.enrolled(model_id)

    def counts(self) -> dict[str, int]:
        """Number of references by model_id."""
        rows = self._store.rows("SELECT model_id, count(*) AS n FROM reference GROUP BY model_id ORDER BY model_id")
        return {row["model_id"]: row["n"] for row in rows}

    def sizes(self, model_id: str) -> dict[int, int]:
        """Maps a number of references of this model to the number of subjects that have so many."""
        each = "SELECT count(*) AS n FROM reference WHERE model_id = ? GROUP BY subject_id"
        rows = self._store.rows(f"SELECT n, count(*) AS subjects FROM ({each}) GROUP BY n", [model_id])  # noqa: S608
        return {row["n"]: row["subjects"] for row in rows}

    def enrolled_with(self, model_id: str) -> set[str]:
        """The ids of the subjects that have a reference of this model."""
        rows = self._store.rows("SELECT DISTINCT subject_id FROM reference WHERE model_id = ?", [model_id])
        return {row["subject_id"] for row in rows}

    def unusable(self, model_id: str) -> int:
        """Number of references of other models. They are never compared with references of this model."""
        return sum(n for model, n in self.counts().items() if model != model_id)

    def data_version(self) -> int:
        """A number that grows with every change of a subject or reference by any process, and with nothing else."""
        with self._explained():
            return generation_of(self._store)

    @property
    def demonstration(self) -> bool:
        """Whether this is the demonstration's gallery, which must never be used with a real lock."""
        with self.believing() as rows:
            return rows.roster().demonstration

    def mark_demonstration(self) -> None:
        """Marks this as the demonstration's gallery, permanently."""
        with self.changing() as rows:
            rows.mark_demonstration()

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    @contextmanager
    def changing(self, subject_id: str | None = None) -> Iterator[SealedRows]:
        """A transaction for one change, for this class and others of the package. Raises GalleryError if this subject
        is not enrolled."""
        with self._store.transaction(), self.believing() as rows:
            if subject_id is not None and rows.record(subject_id) is None:
                raise GalleryError(f"{subject_id}: nobody of this id is enrolled: see `kiosk subjects list`")
            yield rows

    @contextmanager
    def believing(self) -> Iterator[SealedRows]:
        """For reading rows, for this class and others of the package. Raises TamperedError for rows that cannot be
        believed, GalleryLostError if that is because the gallery has got another key since it was opened."""
        vault = self.vault
        rows = SealedRows(self._store, vault) if self._rows is None else self._rows
        try:
            with self._explained():
                yield rows
        except TamperedError as error:
            if belongs(self._store, vault):
                raise
            self._store.lost = f"{self._store.path}: the gallery has another key by now: it has to be opened again"
            raise GalleryLostError(self._store.lost) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except TamperedError as error:
            raise TamperedError(f"{self._store.path}: {error}: nobody is let in; {TAMPERED_TEXT}") from error

    def _overwrite_removed(self) -> None:
        # The -wal file may still hold removed bytes. If another process reads now, the next checkpoint clears it.
        self._store.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def note(
        self,
        kind: AuditKind,
        subject_id: str,
        outcome: AuditOutcome,
        *,
        why: AuditReason | None = None,
        consent: Consent | None = None,
        **detail: str | int | None,
    ) -> None:
        """Appends the record of a change, inside its transaction."""
        who = {} if self.by is None else {"by": self.by}
        text = {} if consent is None else {"consent": f"{consent.text}/{consent.language}"}  # nothing personal
        record = AuditRecord(kind, self._now(), None, subject_id, outcome, why, {**detail, **text, **who})
        insert(self._store, encode([record]))


def open_gallery(home: Home, read_only: bool = False, with_key: bool = True, check: bool = True) -> Gallery:
    """Opens the gallery of a home, and makes it on first use unless `read_only`.

    `with_key=False` is for commands that only count. Raises HomeError, GalleryError, VaultError.
    """
    if not read_only:
        home.prepare()
    if home.key.exists() and (not home.database.exists() or home.database.stat().st_size == 0):
        raise GalleryError(
            f"{home.database}: the gallery is gone although its key is there: put a backup back (kiosk restore FILE), "
            f"or move {home.key.name} away to begin a new one"
        )
    store = open_database(home.database, read_only=read_only, check=check)
    try:
        return Gallery(store, unlock(store, home.keys) if with_key else None)
    except BaseException:
        store.close()
        raise


def empty_gallery() -> Gallery:
    """An empty gallery in memory."""
    store, vault = in_memory(), Vault(secrets.token_bytes(KEY_BYTES))
    bind(store, vault)
    return Gallery(store, vault)
