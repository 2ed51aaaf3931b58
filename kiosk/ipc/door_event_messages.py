"""The door's events, for whoever subscribes: the kiosk's audit log and kiosk-notify.

A socket of its own, `door.events` of the configuration, on which nothing can be commanded. One JSON object a packet
(SOCK_SEQPACKET), at most MAX_PACKET bytes, both ways; the peer's user is checked (`door.subscribers`).

    subscriber -> door    subscribe     first, once: under a name
                          acknowledge   everything up to this sequence number is on my disk
    door -> subscriber    event         at most WINDOW of them unacknowledged

Delivery is at least once and in order: events wait in a bounded spool on disk until each known subscriber has
acknowledged them, over restarts of either side and power loss. A name is known from its first subscription on;
the audit log's always is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, TypeAdapter

from kiosk.domain.door.events import DOOR_NAME_PATTERN, DoorEvent, DoorEventKind, DoorReason
from kiosk.ipc.door_messages import Id, Message, decode
from kiosk.ipc.subscription import EventStream

WINDOW = 32
"""Events that may be under way without acknowledgement."""

Sequence = Annotated[int, Field(ge=0)]


class SubscribeRequest(Message):
    """Send me what I have not acknowledged yet, and then what comes. Without a name: only what comes, and nothing is
    kept for me."""

    type: Literal["subscribe"] = "subscribe"
    subscriber: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] | None


class AcknowledgeRequest(Message):
    """Up to `sequence` all is kept on this side: do not send it again."""

    type: Literal["acknowledge"] = "acknowledge"
    sequence: Sequence


class DoorEventMessage(Message):
    """domain.door.events.DoorEvent."""

    type: Literal["event"] = "event"
    sequence: Sequence
    id: Id
    kind: DoorEventKind
    door: Annotated[str, Field(pattern=DOOR_NAME_PATTERN)]
    wall_at: AwareDatetime
    at: float
    grant_id: Id | None = None
    reason: DoorReason = ""
    uid: Annotated[int, Field(ge=0, lt=2**32)] | None = None

    @classmethod
    def of(cls, event: DoorEvent) -> Self:
        """From the domain's event."""
        return cls(
            sequence=event.sequence,
            id=event.id,
            kind=event.kind,
            door=event.door,
            wall_at=event.wall_at,
            at=event.at,
            grant_id=event.grant_id,
            reason=event.reason,
            uid=event.uid,
        )

    def event(self) -> DoorEvent:
        """As the domain has it."""
        return DoorEvent(
            self.sequence, self.id, self.kind, self.door, self.wall_at, self.at, self.grant_id, self.reason, self.uid
        )


SubscriberRequest = SubscribeRequest | AcknowledgeRequest

_REQUESTS: TypeAdapter[SubscriberRequest] = TypeAdapter(Annotated[SubscriberRequest, Field(discriminator="type")])
_EVENTS: TypeAdapter[DoorEventMessage] = TypeAdapter(DoorEventMessage)


def decode_subscriber(packet: bytes) -> SubscriberRequest:
    """Raises DoorError, saying what is wrong, for anything but a well-formed request."""
    return decode(_REQUESTS, packet)


def decode_event(packet: bytes) -> DoorEvent:
    """Raises DoorError, saying what is wrong, for anything but a well-formed event."""
    return decode(_EVENTS, packet).event()


class DoorEventStream(EventStream[DoorEvent]):
    """A subscription to the door's events."""

    def __init__(self, path: Path, subscriber: str | None) -> None:
        """None only watches: from now on, and nothing is kept. Raises pydantic.ValidationError for a name that is not
        lower-case letters, digits and hyphens."""
        super().__init__(
            path,
            decode_event,
            lambda event: AcknowledgeRequest(sequence=event.sequence),
            greeting=SubscribeRequest(subscriber=subscriber),
        )
