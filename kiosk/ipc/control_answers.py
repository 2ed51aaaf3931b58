"""What the kiosk answers on its control socket (ipc.control_messages)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import Annotated, Literal, Self

from pydantic import Field

from kiosk.domain.certificate import OutOfReach, Remains
from kiosk.domain.entry import LONGEST_CLAIM
from kiosk.domain.passes import Issued, Pass
from kiosk.domain.people import Subject
from kiosk.domain.rights import Role
from kiosk.ipc.control_messages import Badge, DoorName, SubjectId
from kiosk.ipc.door_messages import Message, Moment

LONGEST_REMAINS = 200
"""Characters of a path, or of what was wrong with it."""


class SubjectBody(Message):
    """A domain.people.Subject as a message."""

    id: SubjectId
    name: Annotated[str, Field(repr=False)]
    created_at: Moment
    disabled: bool
    valid_from: Moment | None
    valid_until: Moment | None
    badge: Badge | None = Field(repr=False)
    role: Role | None
    number: Annotated[str, Field(pattern=r"^[0-9]{4,8}$")] | None = Field(repr=False)
    verify: bool
    extended: bool

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """The message for a subject."""
        return cls(
            id=subject.id,
            name=subject.name,
            created_at=subject.created_at,
            disabled=subject.disabled,
            valid_from=subject.valid_from,
            valid_until=subject.valid_until,
            badge=subject.badge,
            role=subject.role,
            number=subject.number,
            verify=subject.verify,
            extended=subject.extended,
        )

    def subject(self) -> Subject:
        """The Subject of this message, without its consent."""
        return Subject(
            id=self.id,
            name=self.name,
            created_at=self.created_at,
            disabled=self.disabled,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            badge=self.badge,
            role=self.role,
            number=self.number,
            verify=self.verify,
            extended=self.extended,
        )


class ListedBody(Message):
    """A station.register.Listed as a message."""

    subject: SubjectBody
    enrol_again: bool | None


class WelcomeMessage(Message):
    """The kiosk's home and the user's role. `locked`: the kiosk waits for the passphrase of its key."""

    type: Literal["welcome"] = "welcome"
    home: str
    role: Role
    locked: bool


class PeopleMessage(Message):
    """Some subjects; `more`: others follow when they are asked for."""

    type: Literal["people"] = "people"
    people: tuple[ListedBody, ...]
    more: bool


class PersonMessage(Message):
    """One subject."""

    type: Literal["person"] = "person"
    subject: SubjectBody


class EnrolledMessage(Message):
    """A station.register.Enrolled as a message."""

    type: Literal["enrolled"] = "enrolled"
    subject: SubjectBody
    already: bool
    unusable: Annotated[int, Field(ge=0)]


class RemainsBody(Message):
    """A domain.certificate.Remains as a message."""

    kind: OutOfReach
    count: Annotated[int, Field(ge=0)] = 0
    place: str = ""
    day: str = ""
    trouble: str = ""

    @classmethod
    def of(cls, remains: Remains) -> Self:
        """The message; long texts are cut."""
        place, trouble = remains.place[:LONGEST_REMAINS], remains.trouble[:LONGEST_REMAINS]
        return cls(kind=remains.kind, count=remains.count, place=place, day=remains.day, trouble=trouble)

    def remains(self) -> Remains:
        """The Remains of this message."""
        return Remains(self.kind, self.count, self.place, self.day, self.trouble)


class ErasedMessage(Message):
    """A storage.erasure.Certificate as a message."""

    type: Literal["erased"] = "erased"
    subject: SubjectId
    at: Moment
    reason: str
    references: Annotated[int, Field(ge=0)]
    visits: Annotated[int, Field(ge=0)] = 0
    backups: Annotated[int, Field(ge=0)]
    remains: tuple[RemainsBody, ...]


class BackedUpMessage(Message):
    """Where the backup is, and whether that is on another file system than the gallery."""

    type: Literal["backed_up"] = "backed_up"
    path: str
    off_card: bool


class CutMessage(Message):
    """How many records were cut, or would be."""

    type: Literal["cut"] = "cut"
    records: Annotated[int, Field(ge=0)]


class DroppedMessage(Message):
    """How many references were erased."""

    type: Literal["dropped"] = "dropped"
    references: Annotated[int, Field(ge=0)]


class PassBody(Message):
    """A domain.passes.Issued as a message."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    sponsor: SubjectId
    begins: Moment
    ends: Moment
    doors: tuple[DoorName, ...]
    uses: int
    used: dict[DoorName, int]
    revoked: Moment | None

    @classmethod
    def of(cls, issued: Issued) -> Self:
        """The message for a pass."""
        return cls(**asdict(issued.told), used=dict(issued.used), revoked=issued.revoked)

    def issued(self) -> Issued:
        """The pass of this message. Raises PassError."""
        begins, ends = self.begins.astimezone(UTC), self.ends.astimezone(UTC)
        return Issued(Pass(self.id, self.sponsor, begins, ends, self.doors, self.uses), self.used, self.revoked)


class IssuedMessage(Message):
    """A new visitor pass, and what its QR code holds."""

    type: Literal["issued"] = "issued"
    issued: PassBody
    text: Annotated[str, Field(max_length=LONGEST_CLAIM, repr=False)]


class PassesMessage(Message):
    """Some visitor passes; `more`: others follow when they are asked for."""

    type: Literal["passes"] = "passes"
    passes: tuple[PassBody, ...]
    more: bool


class RevokedMessage(Message):
    """The visitor pass that is void now."""

    type: Literal["revoked"] = "revoked"
    revoked: PassBody


class StudyMessage(Message):
    """Templates of visits are kept until `ends`, or were erased: so many `visits`."""

    type: Literal["study"] = "study"
    ends: Moment | None
    visits: Annotated[int, Field(ge=0)]


class DoneMessage(Message):
    """It is done."""

    type: Literal["done"] = "done"


class FailedMessage(Message):
    """Nothing was changed. `error`: what kind of trouble it is, so that the client raises the same."""

    type: Literal["failed"] = "failed"
    error: Literal["gallery", "sample", "unsafe", "not_allowed"]
    text: str
