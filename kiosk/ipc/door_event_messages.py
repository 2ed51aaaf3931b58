"""The door's events, for its subscribers: the kiosk's audit log and kiosk-notify.

They have a separate socket, `door.events` of the configuration, which takes no commands. One JSON object a packet
(SOCK_SEQPACKET), at most MAX_PACKET bytes, in both directions; the peer's user is checked (`door.subscribers`).

    subscriber -> door    subscribe     first, once: under a name
                          acknowledge   everything up to this sequence number is on my disk
    door -> subscriber    event         at most WINDOW of them unacknowledged

Events are delivered at least once and in order. They wait in a bounded spool on disk until each known subscriber has
acknowledged them, also across restarts of both sides and power loss. A name is known from its first subscription on;
the audit log's name is always known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter

from kiosk.domain.door.events import DOOR_NAME_PATTERN, DoorEvent, DoorEventKind, DoorReason
from kiosk.ipc.client import EventStream
from kiosk.ipc.door_messages import Id, Message, Moment, Sequence, decode

WINDOW = 32
"""Most events that are sent without an acknowledgement."""


class SubscribeRequest(Message):
    """Asks for all events that this name has not acknowledged, and then for new ones. Without a name: asks only for new
    events, and the door keeps none for this subscriber."""

    type: Literal["subscribe"] = "subscribe"
    subscriber: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] | None


class AcknowledgeRequest(Message):
    """All events up to `sequence` are on the subscriber's disk and need not be sent again."""

    type: Literal["acknowledge"] = "acknowledge"
    sequence: Sequence


class DoorEventMessage(Message):
    """A domain.door.events.DoorEvent as a message."""

    type: Literal["event"] = "event"
    sequence: Sequence
    id: Id
    kind: DoorEventKind
    door: Annotated[str, Field(pattern=DOOR_NAME_PATTERN)]
    wall_at: Moment
    at: float
    grant_id: Id | None = None
    reason: DoorReason = ""
    uid: Annotated[int, Field(ge=0, lt=2**32)] | None = None

    @classmethod
    def of(cls, event: DoorEvent) -> Self:
        """The message for a DoorEvent."""
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
        """The DoorEvent of this message."""
        return DoorEvent(
            self.sequence, self.id, self.kind, self.door, self.wall_at, self.at, self.grant_id, self.reason, self.uid
        )


SubscriberRequest = SubscribeRequest | AcknowledgeRequest

_REQUESTS: TypeAdapter[SubscriberRequest] = TypeAdapter(Annotated[SubscriberRequest, Field(discriminator="type")])
_EVENTS: TypeAdapter[DoorEventMessage] = TypeAdapter(DoorEventMessage)


def decode_subscriber(packet: bytes) -> SubscriberRequest:
    """A subscriber's request. Raises DoorError, which says what is wrong, unless it is well formed."""
    return decode(_REQUESTS, packet)


def decode_event(packet: bytes) -> DoorEvent:
    """The event in a packet. Raises DoorError, which says what is wrong, unless it is well formed."""
    return decode(_EVENTS, packet).event()


class DoorEventStream(EventStream[DoorEvent]):
    """A subscription to the door's events."""

    def __init__(self, path: Path, subscriber: str | None) -> None:
        """`subscriber` None: get only new events, and the door keeps none. Raises pydantic.ValidationError for a name
        that is not lower-case letters, digits and hyphens."""
        super().__init__(
            path,
            decode_event,
            lambda event: AcknowledgeRequest(sequence=event.sequence),
            greeting=SubscribeRequest(subscriber=subscriber),
        )
