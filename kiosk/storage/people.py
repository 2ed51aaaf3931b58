"""Subjects and references as sealed rows of the gallery, and the checks before they are stored."""

from __future__ import annotations

import json
import struct
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from kiosk.domain.errors import GalleryError, TamperedError
from kiosk.domain.naming import cleaned
from kiosk.domain.number import checked
from kiosk.domain.people import Consent, Reference, Subject
from kiosk.domain.rights import Role
from kiosk.storage.database import to_text, to_time
from kiosk.storage.vault import TEMPLATE_BYTES, Vault, template_bytes

SHORTEST_PREFIX = 4
"""Shortest beginning of an id that may be used instead of the id."""
_QUALITY = struct.Struct(">d")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a person knows or holds, as it is sealed beside the subject. It never leaves the storage."""

    pin: str | None = field(default=None, repr=False)
    """As storage.pins makes it."""
    duress: str | None = field(default=None, repr=False)
    """The same for the PIN that this person types when somebody makes them."""
    qr: str | None = field(default=None, repr=False)
    """Of the QR code's text, as storage.claims makes it (SHA-256, hexadecimal)."""
    card: str | None = field(default=None, repr=False)
    """The same of the text that a reader types for this person's card."""


NO_SECRETS = Secrets()


@dataclass(frozen=True, slots=True)
class Record:
    """What is sealed of a subject: the subject, the ids of its references, so that an old one cannot return, and its
    secrets."""

    subject: Subject
    references: tuple[str, ...]
    secrets: Secrets = NO_SECRETS

    def seal(self, own: Vault, version: int) -> bytes:
        """The record as it is stored. `own`: the vault of the subject's key."""
        s = self.subject
        value = {
            "name": s.name,
            "created_at": to_text(s.created_at),
            "disabled": s.disabled,
            "valid_from": optional_text(s.valid_from),
            "valid_until": optional_text(s.valid_until),
            "badge": s.badge,
            "consent": _consent_value(s.consent),
            "role": s.role,
            "number": s.number,
            "verify": s.verify,
            "extended": s.extended,
            **asdict(self.secrets),
            "references": list(self.references),
        }
        return own.wrap(json.dumps(value, separators=(",", ":")).encode(), "subject", s.id, "version", str(version))


def record_of(row: dict[str, Any], version: int, own: Vault) -> Record:
    """The inverse of `Record.seal`, for a row of the table `subject`. Raises TamperedError."""
    value = json.loads(own.unwrap(row["sealed"], "subject", row["id"], "version", str(version)))
    return Record(
        Subject(
            id=row["id"],
            name=value["name"],
            created_at=to_time(value["created_at"]),
            disabled=value["disabled"],
            valid_from=_optional_time(value["valid_from"]),
            valid_until=_optional_time(value["valid_until"]),
            badge=value["badge"],
            consent=_consent(value.get("consent")),  # none in a record of before there was consent
            role=Role(value["role"]) if value.get("role") else None,  # nor roles and PINs
            number=value.get("number"),  # nor other ways in
            verify=bool(value.get("verify")),
            extended=bool(value.get("extended")),
        ),
        tuple(value["references"]),
        Secrets(value.get("pin"), value.get("duress"), value.get("qr"), value.get("card")),
    )


def seal_reference(reference: Reference, own: Vault, turning: int) -> bytes:
    """Template, quality, time and light of a reference as they are stored. `turning`: the version of the matrix that
    the template is turned by, so that one of an earlier matrix cannot be put beside a later one. Raises ValueError for
    what is no template."""
    data = template_bytes(reference.template) + _QUALITY.pack(reference.quality)
    data += to_text(reference.created_at).encode()
    if reference.light is not None:
        data += f" {reference.light:.1f}".encode()
    return own.wrap(data, *_bound(reference.id, reference.subject_id, reference.model_id, turning))


def reference_of(row: dict[str, Any], own: Vault, turning: int) -> Reference:
    """The inverse of `seal_reference`, for a row of the table `reference`. Raises TamperedError."""
    data = own.unwrap(row["sealed"], *_bound(row["id"], row["subject_id"], row["model_id"], turning))
    at, _, light = data[TEMPLATE_BYTES + _QUALITY.size :].decode().partition(" ")
    return Reference(
        id=row["id"],
        subject_id=row["subject_id"],
        model_id=row["model_id"],
        template=np.frombuffer(data, np.int8, TEMPLATE_BYTES),
        quality=_QUALITY.unpack_from(data, TEMPLATE_BYTES)[0],
        created_at=to_time(at),
        light=float(light) if light else None,  # none in a reference of before, or of a photograph
    )


def _bound(reference_id: str, subject_id: str, model_id: str, turning: int) -> tuple[str, ...]:
    """What a sealed reference is bound to. The words of a gallery of before name no matrix."""
    words = ("reference", reference_id, "of subject", subject_id, "of model", model_id)
    return (*words, "turned by", str(turning)) if turning else words


def expect(found: Collection[str], known: Collection[str], what: str) -> None:
    """Raises TamperedError unless exactly the known ones were found."""
    for odd in sorted(set(found) ^ set(known))[:1]:
        how = "is missing" if odd in known else "was put there by something else"
        raise TamperedError(f"{what} {odd} {how}")


def as_written(text: str) -> str:
    """A name or id to find, in the form in which it would be stored."""
    try:
        return cleaned(text)
    except ValueError:
        return unicodedata.normalize("NFC", text.strip())


def the_one(everybody: Sequence[Subject], text: str) -> Subject:
    """The subject of this id, exact name or beginning of an id. Raises GalleryError unless exactly one matches."""
    wanted = as_written(text)
    found = [s for s in everybody if s.id == wanted] or [s for s in everybody if s.name == wanted]
    if not found and len(wanted) >= SHORTEST_PREFIX:
        found = [s for s in everybody if s.id.startswith(wanted.lower())]
    if not found:
        raise GalleryError(f"{text}: nobody of this name or id is enrolled: see `kiosk subjects list`")
    if len(found) > 1:
        raise GalleryError(f"{text}: {len(found)} subjects fit, name one by id: {', '.join(s.id for s in found)}")
    return found[0]


def checked_name(name: str) -> str:
    try:
        return cleaned(name)
    except ValueError as error:
        raise GalleryError(str(error)) from error


def checked_badge(badge: int | None) -> int | None:
    if badge is not None and badge < 1:
        raise GalleryError(f"{badge}: a badge number is 1 or more")
    return badge


def checked_number(number: str | None) -> str | None:
    try:
        return None if number is None else checked(number)
    except ValueError as error:
        raise GalleryError(str(error)) from error


def check_validity(valid_from: datetime | None, valid_until: datetime | None) -> None:
    if valid_from is not None and valid_until is not None and valid_from >= valid_until:
        raise GalleryError("the validity ends before it begins")


def check_own(new: Record, everybody: Iterable[Record]) -> None:
    """Raises GalleryError for a badge, number, QR code or card that somebody else has. The error names the id, because
    it may end in a journal, which must not hold names."""
    for other in everybody:
        if other.subject.id == new.subject.id:
            continue
        for what, mine, theirs in (
            (f"badge {new.subject.badge}", new.subject.badge, other.subject.badge),
            (f"number {new.subject.number}", new.subject.number, other.subject.number),
            ("this QR code", new.secrets.qr, other.secrets.qr),
            ("this card", new.secrets.card, other.secrets.card),
        ):
            if mine is not None and mine == theirs:
                raise GalleryError(f"{what} is that of {other.subject.id}: clear it there first")


def optional_text(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def _consent_value(consent: Consent | None) -> dict[str, str] | None:
    if consent is None:
        return None
    c = consent
    return {"text": c.text, "language": c.language, "at": to_text(c.at), "staff": c.staff, "alternative": c.alternative}


def _consent(value: dict[str, str] | None) -> Consent | None:
    return None if value is None else Consent(**{**value, "at": to_time(value["at"])})  # type: ignore[arg-type]


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else to_time(text)
