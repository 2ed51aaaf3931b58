"""What is kept about a person, as it goes over the control socket: in parts, without any template."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Literal, Self

from pydantic import Base64Bytes, Field, ValidationError

from kiosk.domain.audit import AuditKind, AuditRecord, FreeText
from kiosk.domain.errors import DoorError
from kiosk.domain.kept import Kept, KeptReference
from kiosk.domain.people import Consent
from kiosk.ipc.control_answers import PassBody, SubjectBody
from kiosk.ipc.control_messages import SubjectId
from kiosk.ipc.door_messages import Message, Moment

PART = 2_800
"""Bytes of a part: in base64 it fits into a packet."""


class ExportRequest(Message):
    """Asks what is kept about a subject: for the first part, or (`more`) for the one after the last that came."""

    type: Literal["export"] = "export"
    subject_id: SubjectId
    more: bool = False


class ExportedMessage(Message):
    """A part of a KeptBody; `more`: others follow when they are asked for."""

    type: Literal["exported"] = "exported"
    part: Annotated[Base64Bytes, Field(repr=False)]
    more: bool


class ConsentGiven(Message):
    """A domain.people.Consent as a message, with what only the kiosk knows."""

    text: str
    language: str
    at: Moment
    staff: str
    alternative: str

    @classmethod
    def of(cls, given: Consent | None) -> Self | None:
        """The message for a consent."""
        return None if given is None else cls(**asdict(given))


class ReferenceBody(Message):
    """A domain.kept.KeptReference as a message."""

    made_at: Moment
    network: str
    quality: float
    size: int
    light: float | None


class RecordBody(Message):
    """A domain.audit.AuditRecord as a message."""

    id: int | None
    kind: AuditKind
    wall_at: Moment
    grant_id: str | None
    subject_id: str | None
    outcome: str | None
    reason: str | None
    detail: dict[str, str | int | float | bool | None]
    record_id: str
    boot: str | None
    boot_at: float | None
    hash: str | None

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        """The message for a record."""
        return cls(
            id=record.id,
            kind=record.kind,
            wall_at=record.wall_at,
            grant_id=record.grant_id,
            subject_id=record.subject_id,
            outcome=None if record.outcome is None else str(record.outcome),
            reason=None if record.reason is None else str(record.reason),
            detail=record.detail,
            record_id=record.record_id,
            boot=record.boot,
            boot_at=record.boot_at,
            hash=record.hash,
        )

    def record(self) -> AuditRecord:
        """The record of this message."""
        return AuditRecord(
            self.kind,
            self.wall_at,
            self.grant_id,
            self.subject_id,
            None if self.outcome is None else FreeText(self.outcome),
            None if self.reason is None else FreeText(self.reason),
            self.detail,
            self.id,
            self.record_id,
            self.boot,
            self.boot_at,
            self.hash,
        )


class KeptBody(Message):
    """A domain.kept.Kept as a message."""

    subject: SubjectBody
    consent: ConsentGiven | None
    references: tuple[ReferenceBody, ...]
    records: tuple[RecordBody, ...]
    passes: tuple[PassBody, ...]
    pin: bool
    duress: bool
    qr: bool
    card: bool
    visits: tuple[Moment, ...] = ()

    @classmethod
    def of(cls, kept: Kept) -> Self:
        """The message for what is kept."""
        return cls(
            subject=SubjectBody.of(kept.subject),
            consent=ConsentGiven.of(kept.subject.consent),
            references=tuple(
                ReferenceBody(made_at=r.made_at, network=r.network, quality=r.quality, size=r.size, light=r.light)
                for r in kept.references
            ),
            records=tuple(map(RecordBody.of, kept.records)),
            passes=tuple(map(PassBody.of, kept.passes)),
            pin=kept.pin,
            duress=kept.duress,
            qr=kept.qr,
            card=kept.card,
            visits=kept.visits,
        )

    def kept(self) -> Kept:
        """What is kept, of this message. Raises PassError."""
        c = self.consent
        consent = None if c is None else Consent(c.text, c.language, c.at, c.staff, c.alternative)
        return Kept(
            replace(self.subject.subject(), consent=consent),
            tuple(KeptReference(r.made_at, r.network, r.quality, r.size, r.light) for r in self.references),
            tuple(each.record() for each in self.records),
            tuple(each.issued() for each in self.passes),
            self.pin,
            self.duress,
            self.qr,
            self.card,
            self.visits,
        )


def decode_kept(data: bytes) -> Kept:
    """What all parts together say. Raises DoorError."""
    try:
        return KeptBody.model_validate_json(data).kept()
    except ValidationError as error:
        raise DoorError("the kiosk has sent what is no export: are both of one version?") from error
