"""Messages on the door's command socket: one JSON object a packet, at most MAX_PACKET bytes, in both directions.

    client -> door    release (a grant)      -> reply, with the same grant id
                      status                 -> status
                      secure                 -> status, after the lock was secured
                      lockdown (on or off)   -> status, after that
                      simulate (a hand)      -> status, after that; refused by a lock that is not simulated
                      watch                  -> event with the present state, then one for each change
                      witness (a generation) -> witnessed: whether this gallery may be believed
                      forget_gallery         -> status, after that
    door -> client    reply, status, event, witnessed, disbelieved, refused (this user may
                      not ask for that: domain.door.roles)

Answers come in the order of the requests. If a panel owns the lock, the reply to a grant comes when the panel has
asked, or at the grant's deadline. Both sides refuse unknown keys and types, because both ends always have the same
version. See deploy/decisions/0001-door-protocol.md. The door's events go over another socket: ipc.door_event_messages.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kiosk.domain.badge import LARGEST_BADGE
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.door.roles import Verb
from kiosk.domain.door.state import Alarm, DoorFault, DoorMode, DoorState, DoorStatus, Hand, Leaf
from kiosk.domain.door.witness import Disbelief
from kiosk.domain.errors import DoorError
from kiosk.domain.ids import ID_PATTERN

MAX_PACKET = 4096
"""Largest packet in bytes. A longer packet ends the connection."""

T = TypeVar("T")
Id = Annotated[str, Field(pattern=ID_PATTERN)]
"""An id (domain.ids), checked on every socket."""
Sequence = Annotated[int, Field(ge=0, lt=2**63)]
"""The number of an event. SQLite, which keeps it, holds no larger one."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # the first or last day of the calendar, in another time zone
        raise ValueError("this time does not exist in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time of the wall clock. In UTC, so that whoever keeps or prints it can convert it."""


class Message(BaseModel):
    """One packet."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class GrantBody(Message):
    """A domain.door.grants.Grant as a message. Times are in seconds of CLOCK_BOOTTIME."""

    id: Id
    captured_at: float
    deadline: float
    span: Span = Span.NORMAL
    renews: Id | None = None
    badge: Annotated[int, Field(ge=1, le=LARGEST_BADGE)] | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """The message for a Grant. Raises ValidationError for values that cannot be sent: no id (domain.ids), NaN,
        infinity."""
        return cls(
            id=grant.id,
            captured_at=grant.captured_at,
            deadline=grant.deadline,
            span=grant.span,
            renews=grant.renews,
            badge=grant.badge,
        )

    def grant(self) -> Grant:
        """The Grant of this message."""
        return Grant(self.id, self.captured_at, self.deadline, self.span, self.renews, self.badge)


class ReleaseRequest(Message):
    """Asks the door to release the lock on this grant."""

    type: Literal["release"] = "release"
    grant: GrantBody


class StatusRequest(Message):
    """Asks for the door's status."""

    type: Literal["status"] = "status"


class SecureRequest(Message):
    """Asks the door to secure the lock now."""

    type: Literal["secure"] = "secure"


class LockdownRequest(Message):
    """Begins or ends a lockdown, in which no grant releases the lock. It lasts across restarts of the door."""

    type: Literal["lockdown"] = "lockdown"
    on: bool


class SimulateRequest(Message):
    """Moves an input of a simulated door."""

    type: Literal["simulate"] = "simulate"
    hand: Hand


class WatchRequest(Message):
    """Asks for the present state and every later change."""

    type: Literal["watch"] = "watch"


class WitnessRequest(Message):
    """Tells which state the kiosk's gallery is in (storage.roster), and asks whether a later one was seen."""

    type: Literal["witness"] = "witness"
    epoch: Annotated[str, Field(min_length=1, max_length=64)]
    generation: Sequence
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the sealed list. A kiosk of before sends none."""


class ForgetGalleryRequest(Message):
    """Asks the door to forget which generations it was told, because an older gallery was put back on purpose."""

    type: Literal["forget_gallery"] = "forget_gallery"


class ReplyMessage(Message):
    """The result of a grant. `reason` is a domain.door.grants.Refusal unless the door acted on the grant."""

    type: Literal["reply"] = "reply"
    grant_id: Id
    result: DoorResult
    reason: str
    released_until: float | None

    @classmethod
    def of(cls, reply: DoorReply) -> Self:
        """The message for the state machine's answer."""
        return cls.model_validate(
            {
                "grant_id": reply.grant_id,
                "result": reply.result,
                "reason": str(reply.reason),
                "released_until": reply.released_until,
            }
        )

    def reply(self) -> DoorReply:
        """The DoorReply of this message."""
        return DoorReply(self.grant_id, self.result, self.reason, self.released_until)


class StatusMessage(Message):
    """A domain.door.state.DoorStatus as a message."""

    type: Literal["status"] = "status"
    state: DoorState
    simulated: bool
    started_at: float
    released_until: float | None
    mode: DoorMode
    leaf: Leaf
    alarm: Alarm
    tamper: bool
    faults: tuple[DoorFault, ...]

    @classmethod
    def of(cls, status: DoorStatus) -> Self:
        """The message for the state machine's status."""
        return cls(
            state=status.state,
            simulated=status.simulated,
            started_at=status.started_at,
            released_until=status.released_until,
            mode=status.mode,
            leaf=status.leaf,
            alarm=status.alarm,
            tamper=status.tamper,
            faults=status.faults,
        )

    def status(self) -> DoorStatus:
        """The DoorStatus of this message."""
        return DoorStatus(
            self.state,
            self.simulated,
            self.started_at,
            self.released_until,
            self.mode,
            self.leaf,
            self.alarm,
            self.tamper,
            self.faults,
        )


class RefusedMessage(Message):
    """Answer to a user who may not make this request. Nothing was done, and the connection stays usable."""

    type: Literal["refused"] = "refused"
    verb: Verb


class StateMessage(Message):
    """The door's state: at the begin of watching, and after each change."""

    type: Literal["event"] = "event"
    state: DoorState


class WitnessedMessage(Message):
    """Whether the gallery may be believed."""

    type: Literal["witnessed"] = "witnessed"
    believed: bool


class DisbelievedMessage(Message):
    """Why the gallery must not be believed. Only for a kiosk that has shown a digest: one of before does not know it,
    and is sent a WitnessedMessage."""

    type: Literal["disbelieved"] = "disbelieved"
    why: Disbelief


Request = (
    ReleaseRequest
    | StatusRequest
    | SecureRequest
    | LockdownRequest
    | SimulateRequest
    | WatchRequest
    | WitnessRequest
    | ForgetGalleryRequest
)
Answer = ReplyMessage | StatusMessage | StateMessage | RefusedMessage | WitnessedMessage | DisbelievedMessage

_REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])
_ANSWERS: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="type")])


def verb_of(request: Request) -> Verb:
    """The verb of a request, for checking the user's rights."""
    match request:
        case ReleaseRequest():
            return {Span.NORMAL: Verb.RELEASE, Span.EXTENDED: Verb.EXTEND, Span.HOLD_OPEN: Verb.HOLD_OPEN}[
                request.grant.span
            ]
        case LockdownRequest():
            return Verb.LOCKDOWN if request.on else Verb.LOCKDOWN_END
        case _:
            return Verb(request.type)


def encode(message: Message) -> bytes:
    """A message as a packet. Raises DoorError when it would be too long."""
    packet = message.model_dump_json().encode()
    if len(packet) > MAX_PACKET:
        raise DoorError(f"a message of {len(packet)} bytes is too long for the door's socket")
    return packet


def decode_request(packet: bytes) -> Request:
    """The request in a packet. Raises DoorError, which says what is wrong, unless it is well formed."""
    return decode(_REQUESTS, packet)


def decode_answer(packet: bytes) -> Answer:
    """The answer in a packet. Raises DoorError, which says what is wrong, unless it is well formed."""
    return decode(_ANSWERS, packet)


def decode(adapter: TypeAdapter[T], packet: bytes) -> T:
    """The packet as one of the adapter's messages. Raises DoorError, which says what is wrong."""
    if len(packet) > MAX_PACKET:
        raise DoorError("a packet is too long")
    try:
        return adapter.validate_json(packet)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        raise DoorError(f"a packet is no message of this socket's protocol: {where}: {first['msg']}") from error
