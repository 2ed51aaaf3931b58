"""Writes an enrolment from the kiosk's own camera: who somebody is, their references and what they know, with the
record, in one transaction. Before it nothing of them is in the gallery, after it everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.people import Consent, NewReference, Subject
from kiosk.storage import people
from kiosk.storage.audit import encode, insert
from kiosk.storage.gallery import Gallery
from kiosk.storage.people import Secrets
from kiosk.storage.sealed import new_id

Detail = Mapping[str, str | int | float | bool | None]
SOURCE = "camera"
"""How the record names this kind of enrolment."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who is to be enrolled. Times in UTC. `verify`: a face alone is not enough, because somebody looks
    alike."""

    name: str
    number: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    consent: Consent | None = None
    verify: bool = False


def enrol(
    gallery: Gallery,
    who: Newcomer,
    references: Sequence[NewReference],
    secrets: Secrets,
    detail: Detail,
    check: Callable[[], None],
) -> Subject:
    """Enrols somebody. `detail`: what else the record says. `check` is called inside the transaction, when nobody else
    can enrol anybody any more; what it raises ends it with nothing written.

    Raises GalleryError for an impossible name, number or validity, and for a number or QR code that somebody else has.
    """
    if not references:
        raise ValueError("an enrolment without references")
    people.check_validity(who.valid_from, who.valid_until)
    subject = Subject(
        new_id(),
        people.checked_name(who.name),
        datetime.now(UTC),
        valid_from=who.valid_from,
        valid_until=who.valid_until,
        consent=who.consent,
        number=people.checked_number(who.number),
        verify=who.verify,
    )
    with gallery.changing() as rows:
        check()
        rows.add(subject, references, secrets)
        said: Detail = {"consent": None if who.consent is None else f"{who.consent.text}/{who.consent.language}"}
        ways: Detail = {"pin": secrets.pin is not None, "qr": secrets.qr is not None, "verify": who.verify}
        _append(gallery, subject.id, AuditOutcome.ENROLLED, {**_of(references), **said, **ways, **detail})
    return subject


def renew(
    gallery: Gallery,
    subject_id: str,
    references: Sequence[NewReference],
    consent: Consent | None,
    detail: Detail,
    check: Callable[[], None],
) -> None:
    """Gives somebody new references in place of the old ones, and the consent that they gave again. `check`: see
    `enrol`. Raises GalleryError."""
    with gallery.changing(subject_id) as rows:
        check()
        rows.renew(subject_id, references, datetime.now(UTC))
        if consent is not None:
            rows.change(subject_id, lambda subject: replace(subject, consent=consent))
        said: Detail = {"consent": None if consent is None else f"{consent.text}/{consent.language}"}
        _append(gallery, subject_id, AuditOutcome.ENROLLED_AGAIN, {**_of(references), **said, **detail})
    gallery.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # the -wal file may still hold what was replaced


def note(gallery: Gallery, record: AuditRecord) -> None:
    """Appends a record about staff mode, with who is signed in. Raises GalleryError."""
    with gallery.store.transaction():
        _insert(gallery, record)


def _of(references: Sequence[NewReference]) -> Detail:
    return {"references": len(references), "source": SOURCE}


def _append(gallery: Gallery, subject_id: str, outcome: AuditOutcome, detail: Detail) -> None:
    told: dict[str, str | int | float | bool | None] = {
        key: value for key, value in detail.items() if value is not None
    }
    _insert(gallery, AuditRecord(AuditKind.ENROLMENT, datetime.now(UTC), None, subject_id, outcome, None, told))


def _insert(gallery: Gallery, record: AuditRecord) -> None:
    who = {} if gallery.by is None else {"by": gallery.by}
    insert(gallery.store, encode([replace(record, detail={**record.detail, **who})]))
