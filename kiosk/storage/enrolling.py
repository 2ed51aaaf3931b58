"""Writes an enrolment from the kiosk's own camera: who somebody is, their references and what they know, with the
record, in one transaction. Before it nothing of them is in the gallery, after it everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from kiosk.domain import second_light
from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.people import Consent, NewReference, Reference, Subject
from kiosk.domain.renewal import Turning
from kiosk.storage import people
from kiosk.storage.audit import encode, insert
from kiosk.storage.gallery import Gallery
from kiosk.storage.people import Secrets
from kiosk.storage.sealed import SealedRows, new_id

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
        said = _agreed(rows, subject_id, consent)
        _append(gallery, subject_id, AuditOutcome.ENROLLED_AGAIN, {**_of(references), **said, **detail})
    gallery.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # the -wal file may still hold what was replaced


def add(
    gallery: Gallery,
    subject_id: str,
    new: Sequence[NewReference],
    consent: Consent | None,
    detail: Detail,
    check: Callable[[], None],
) -> None:
    """Gives somebody these references beside those of the same network that they have, at most second_light.MOST in
    all: the least useful go. Those of other networks stay. `check`: see `enrol`. Raises GalleryError."""
    with gallery.changing(subject_id) as rows:
        check()
        models = {reference.model_id for reference in new}
        old = [reference for reference in rows.of(subject_id) if reference.model_id in models]
        out = second_light.least_useful(
            _alike(rows.turning(), old, new),
            [*(r.quality for r in old), *(r.quality for r in new)],
            [False] * len(old) + [True] * len(new),
        )
        gone = {old[i].id for i in out if i < len(old)}
        kept = [reference for i, reference in enumerate(new, len(old)) if i not in out]
        rows.exchange(subject_id, gone, kept, datetime.now(UTC))
        said = _agreed(rows, subject_id, consent)
        _append(
            gallery, subject_id, AuditOutcome.REFERENCES_ADDED, {**_of(kept), "replaced": len(gone), **said, **detail}
        )
    gallery.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # the -wal file may still hold what was replaced


def lights(gallery: Gallery, who: Iterable[str]) -> dict[str, tuple[float | None, ...]]:
    """The light of each reference of these subjects, by id; nothing of somebody who is not enrolled."""
    with gallery.believing() as rows:

        def one_moment() -> dict[str, tuple[float | None, ...]]:
            return {one: tuple(r.light for r in rows.of(one)) for one in who if rows.record(one) is not None}

        return gallery.store.snapshot(one_moment)


def note(gallery: Gallery, record: AuditRecord) -> None:
    """Appends a record about staff mode, with who is signed in. Raises GalleryError."""
    with gallery.store.transaction():
        _insert(gallery, record)


def _agreed(rows: SealedRows, subject_id: str, consent: Consent | None) -> Detail:
    """Keeps the consent that somebody gave again, if they did. Returns what the record says of it."""
    if consent is None:
        return {}
    rows.change(subject_id, lambda subject: replace(subject, consent=consent))
    return {"consent": f"{consent.text}/{consent.language}"}


def _alike(turning: Turning, old: Sequence[Reference], new: Sequence[NewReference]) -> list[list[float]]:
    """How alike each two are, as cosines: turned by the same matrix, templates compare as vectors do."""
    templates = [r.template for r in old] + [turning.template(r.vector) for r in new]
    scaled = [t.astype(np.float32) / max(float(np.linalg.norm(t.astype(np.float32))), 1e-6) for t in templates]
    return [[float(a @ b) for b in scaled] for a in scaled]


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
