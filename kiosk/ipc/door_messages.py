"""What is said over the door's socket: one JSON object a packet, at most MAX_PACKET bytes, both ways.

    client -> door    release (a grant)      -> reply, with the same grant id
                      status                 -> status
                      secure                 -> status, after the lock was secured
                      lockdown (on or off)   -> status, after that
                      simulate (a hand)      -> status, after that; refused by a lock that is not simulated
                      watch                  -> event with the present state, then one for each change
    door -> client    reply, status, event, refused (this user may not ask for that: domain.door.roles)

Answers come in the order of the requests; where a panel owns the lock, the reply to a grant comes when the panel has
asked, at the grant's deadline at the latest. Unknown keys and types are refused on both sides: the two ends are always
of one version. See deploy/decisions/0001-door-protocol.md. What the door has to tell of itself is another socket's:
ipc.door_event_messages.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kiosk.domain.badge import LARGEST_BADGE
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.door.roles import Verb
from kiosk.domain.door.state import Alarm, DoorFault, DoorMode, DoorState, DoorStatus, Hand, Leaf
from kiosk.domain.errors import DoorError
from kiosk.domain.ids import ID_PATTERN

MAX_PACKET = 4096
"""Bytes. A longer packet ends the connection."""

T = TypeVar("T")
Id = Annotated[str, Field(pattern=ID_PATTERN)]
"""domain.ids, as every socket takes it."""


class Message(BaseModel):
    """One packet."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class GrantBody(Message):
    """domain.door.grants.Grant; times in seconds of CLOCK_BOOTTIME."""

    id: Id
    captured_at: float
    deadline: float
    span: Span = Span.NORMAL
    renews: Id | None = None
    badge: Annotated[int, Field(ge=1, le=LARGEST_BADGE)] | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """Raises ValidationError for what cannot be sent: what is no id (domain.ids), NaN, infinity."""
        return cls(
            id=grant.id,
            captured_at=grant.captured_at,
            deadline=grant.deadline,
            span=grant.span,
            renews=grant.renews,
            badge=grant.badge,
        )

    def grant(self) -> Grant:
        """As the domain has it."""
        return Grant(self.id, self.captured_at, self.deadline, self.span, self.renews, self.badge)


class ReleaseRequest(Message):
    """Release the lock on this grant."""

    type: Literal["release"] = "release"
    grant: GrantBody


class StatusRequest(Message):
    """Say how you are."""

    type: Literal["status"] = "status"


class SecureRequest(Message):
    """Secure the lock now."""

    type: Literal["secure"] = "secure"


class LockdownRequest(Message):
    """From now on no grant releases the lock; or no longer so. It outlasts the door's own restart."""

    type: Literal["lockdown"] = "lockdown"
    on: bool


class SimulateRequest(Message):
    """Somebody does something to a simulated door."""

    type: Literal["simulate"] = "simulate"
    hand: Hand


class WatchRequest(Message):
    """Send me events from now on."""

    type: Literal["watch"] = "watch"


class ReplyMessage(Message):
    """What became of a grant. `reason` is a domain.door.grants.Refusal unless it was acted on."""

    type: Literal["reply"] = "reply"
    grant_id: Id
    result: DoorResult
    reason: str
    released_until: float | None

    @classmethod
    def of(cls, reply: DoorReply) -> Self:
        """From the state machine's answer."""
        return cls.model_validate(
            {
                "grant_id": reply.grant_id,
                "result": reply.result,
                "reason": str(reply.reason),
                "released_until": reply.released_until,
            }
        )

    def reply(self) -> DoorReply:
        """As the domain has it."""
        return DoorReply(self.grant_id, self.result, self.reason, self.released_until)


class StatusMessage(Message):
    """domain.door.state.DoorStatus."""

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
        """From the state machine's status."""
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
        """As the domain has it."""
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
    """In place of a status: whoever asks may not. Nothing was done, and the connection is as good as before."""

    type: Literal["refused"] = "refused"
    verb: Verb


class StateMessage(Message):
    """The state has changed, or is this when the watching began."""

    type: Literal["event"] = "event"
    state: DoorState


Request = ReleaseRequest | StatusRequest | SecureRequest | LockdownRequest | SimulateRequest | WatchRequest
Answer = ReplyMessage | StatusMessage | StateMessage | RefusedMessage

_REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])
_ANSWERS: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="type")])


def verb_of(request: Request) -> Verb:
    """What a request asks for."""
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
    """One packet. Raises DoorError when it would be too long."""
    packet = message.model_dump_json().encode()
    if len(packet) > MAX_PACKET:
        raise DoorError(f"a message of {len(packet)} bytes is too long for the door's socket")
    return packet


def decode_request(packet: bytes) -> Request:
    """Raises DoorError, saying what is wrong, for anything but a well-formed request."""
    return decode(_REQUESTS, packet)


def decode_answer(packet: bytes) -> Answer:
    """Raises DoorError, saying what is wrong, for anything but a well-formed answer."""
    return decode(_ANSWERS, packet)


def decode(adapter: TypeAdapter[T], packet: bytes) -> T:
    """A packet as one of the adapter's messages. Raises DoorError, saying what is wrong."""
    if len(packet) > MAX_PACKET:
        raise DoorError("a packet is too long")
    try:
        return adapter.validate_json(packet)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        raise DoorError(f"a packet is not a message of the door's protocol: {where}: {first['msg']}") from error
