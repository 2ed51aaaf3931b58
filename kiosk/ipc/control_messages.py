"""Messages on the kiosk's control socket: one JSON object a packet, at most MAX_PACKET bytes, in both directions.

    client -> kiosk   hello                      -> welcome: whose home this is, and what this user may do
                      unlock (a passphrase)      -> done; only from a kiosk that waits for it
                      list, then list with more  -> people, until one says that there are no more
                      find                       -> person
                      was_erased                 -> done, if it is so
                      switch, badge              -> person, as it is then
                      pin, role                  -> person; only for admins
                      erase                      -> erased: the certificate
                      backup                     -> backed_up; only for admins
                      cut                        -> cut; only for admins
                      sample, up to MOST_SAMPLES -> done; then one of the next two, which takes them
                      enrol, renew               -> enrolled
    kiosk -> client   these, or failed: nothing was changed, and why

Only who may list people gets names. Templates go to the kiosk, never back. Both sides refuse unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Base64Bytes, Field, TypeAdapter

from kiosk.domain.badge import LARGEST_BADGE
from kiosk.domain.ids import SUBJECT_ID_PATTERN
from kiosk.domain.naming import LONGEST_NAME
from kiosk.domain.people import Consent
from kiosk.domain.rights import Right, Role
from kiosk.ipc.door_messages import Message, Moment, decode

MOST_SAMPLES = 5
"""Most samples of one enrolment."""
LONGEST_TEXT = 500
LONGEST_PASSPHRASE = 200
LARGEST_SAMPLE = 1024
"""Bytes of a sample's vector at most."""

SubjectId = Annotated[str, Field(pattern=SUBJECT_ID_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Badge = Annotated[int, Field(ge=1, le=LARGEST_BADGE)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class HelloRequest(Message):
    """The first request of each client."""

    type: Literal["hello"] = "hello"


class UnlockRequest(Message):
    """Gives the passphrase of the key."""

    type: Literal["unlock"] = "unlock"
    passphrase: Annotated[str, Field(min_length=1, max_length=LONGEST_PASSPHRASE, repr=False)]


class ListRequest(Message):
    """Asks for the first people, or (`more`) for those after the ones that came last."""

    type: Literal["list"] = "list"
    more: bool = False


class WasErasedRequest(Message):
    """Asks whether this subject was erased: done if so, failed if not."""

    type: Literal["was_erased"] = "was_erased"
    subject_id: SubjectId


class FindRequest(Message):
    """Asks for a subject by id, name or the beginning of its id."""

    type: Literal["find"] = "find"
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class SwitchRequest(Message):
    """Shuts somebody out, or lets them in again."""

    type: Literal["switch"] = "switch"
    subject_id: SubjectId
    disabled: bool


class BadgeRequest(Message):
    """Sets a badge number; None removes it."""

    type: Literal["badge"] = "badge"
    subject_id: SubjectId
    badge: Badge | None = Field(repr=False)


class PinRequest(Message):
    """Gives a subject a PIN; None takes it away."""

    type: Literal["pin"] = "pin"
    subject_id: SubjectId
    pin: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")] | None = Field(repr=False)


class RoleRequest(Message):
    """Gives a subject a role; None takes it away."""

    type: Literal["role"] = "role"
    subject_id: SubjectId
    role: Role | None


class EraseRequest(Message):
    """Erases a subject."""

    type: Literal["erase"] = "erase"
    subject_id: SubjectId
    reason: Literal["asked", "withdrawn", "expired"]


class BackupRequest(Message):
    """Makes a backup in the folder of [backup], as the kiosk's own configuration says."""

    type: Literal["backup"] = "backup"


class CutRequest(Message):
    """Cuts the records of the log that are older than [retention] of the kiosk's own configuration says. `dry_run`:
    only counts them."""

    type: Literal["cut"] = "cut"
    dry_run: bool


class SampleRequest(Message):
    """One sample of a person who is to be enrolled. `picture` is only for messages."""

    type: Literal["sample"] = "sample"
    picture: Text
    vector: Annotated[Base64Bytes, Field(max_length=LARGEST_SAMPLE, repr=False)]
    quality: Annotated[float, Field(ge=0, le=1)]


class ConsentBody(Message):
    """What a person has agreed to. When, and before whom, the kiosk itself says."""

    text: Annotated[str, Field(min_length=1, max_length=40)]
    language: Annotated[str, Field(pattern="^[a-z]{2}$")]
    alternative: Annotated[str, Field(min_length=1, max_length=200)]

    @classmethod
    def of(cls, consent: Consent | None) -> Self | None:
        """The message for a consent."""
        if consent is None:
            return None
        return cls(text=consent.text, language=consent.language, alternative=consent.alternative)


class EnrolRequest(Message):
    """Enrols a person with the samples that were sent before. `once`: see station.register."""

    type: Literal["enrol"] = "enrol"
    model_id: Text
    name: Annotated[Name, Field(repr=False)]
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    badge: Badge | None = Field(default=None, repr=False)
    consent: ConsentBody | None = None
    once: bool = False


class RenewRequest(Message):
    """Gives a subject the samples that were sent before in place of its references."""

    type: Literal["renew"] = "renew"
    model_id: Text
    subject_id: SubjectId
    consent: ConsentBody | None = None


ControlRequest = (
    HelloRequest
    | UnlockRequest
    | ListRequest
    | FindRequest
    | WasErasedRequest
    | SwitchRequest
    | BadgeRequest
    | PinRequest
    | RoleRequest
    | EraseRequest
    | BackupRequest
    | CutRequest
    | SampleRequest
    | EnrolRequest
    | RenewRequest
)

_REQUESTS: TypeAdapter[ControlRequest] = TypeAdapter(Annotated[ControlRequest, Field(discriminator="type")])

_RIGHTS: dict[type[Message], Right] = {
    UnlockRequest: Right.UNLOCK,
    ListRequest: Right.LIST,
    FindRequest: Right.LIST,
    WasErasedRequest: Right.LIST,
    SwitchRequest: Right.SWITCH,
    BadgeRequest: Right.BADGE,
    PinRequest: Right.APPOINT,
    RoleRequest: Right.APPOINT,
    EraseRequest: Right.ERASE,
    BackupRequest: Right.KEEP,
    CutRequest: Right.KEEP,
    SampleRequest: Right.ENROL,
    EnrolRequest: Right.ENROL,
    RenewRequest: Right.RENEW,
}


def right_of(request: ControlRequest) -> Right | None:
    """The right that a request needs; None for the greeting."""
    return None if isinstance(request, HelloRequest) else _RIGHTS[type(request)]


def decode_control_request(packet: bytes) -> ControlRequest:
    """The request in a packet. Raises DoorError, which says what is wrong."""
    return decode(_REQUESTS, packet)
