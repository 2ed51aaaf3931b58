"""The kiosk's own events, as messages on its socket to kiosk-notify.

The socket takes no commands and carries nothing biometric. One JSON object a packet (SOCK_SEQPACKET):

    kiosk -> subscriber    event         one at a time
    subscriber -> kiosk    acknowledge   this event is on my disk: the next one, please
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from kiosk.domain.checkpoint import (
    AT_PATTERN,
    BOOT_PATTERN,
    HASH_PATTERN,
    LARGEST,
    SIGNATURE_PATTERN,
    Checkpoint,
)
from kiosk.domain.decision import Reason
from kiosk.domain.door.events import DOOR_NAME_PATTERN
from kiosk.domain.ids import SUBJECT_ID_PATTERN
from kiosk.domain.notices import LONGEST_NAME, KioskEvent, KioskEventKind, plain_name
from kiosk.ipc.client import EventStream
from kiosk.ipc.door_messages import Id, Message, Moment, Sequence, decode


def _plain(name: str) -> str:
    if plain_name(name) != name:
        raise ValueError("it is no name on one line")
    return name


class CheckpointMessage(Message):
    """A domain.checkpoint.Checkpoint as a message."""

    number: Annotated[int, Field(ge=1, le=LARGEST)]
    hash: Annotated[str, Field(pattern=HASH_PATTERN)]
    at: Annotated[str, Field(pattern=AT_PATTERN)]
    boot: Annotated[str, Field(pattern=BOOT_PATTERN)]
    key: Annotated[str, Field(pattern=HASH_PATTERN)]
    signature: Annotated[str, Field(pattern=SIGNATURE_PATTERN)]


class KioskEventMessage(Message):
    """A domain.notices.KioskEvent as a message. Every text is an id, a fixed word, the door's name, or a name of one
    line."""

    type: Literal["event"] = "event"
    run: Id
    sequence: Annotated[Sequence, Field(ge=1)]
    id: Id
    kind: KioskEventKind
    door: Annotated[str, Field(pattern=DOOR_NAME_PATTERN)]
    wall_at: Moment
    grant_id: Id | None = None
    subject_id: Annotated[str, Field(pattern=SUBJECT_ID_PATTERN)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_plain)] | None = None
    reason: Reason | Literal[""] = ""
    checkpoint: CheckpointMessage | None = None

    def event(self) -> KioskEvent:
        """The KioskEvent of this message."""
        return KioskEvent(
            run=self.run,
            sequence=self.sequence,
            id=self.id,
            kind=self.kind,
            door=self.door,
            wall_at=self.wall_at,
            grant_id=self.grant_id,
            subject_id=self.subject_id,
            name=self.name,
            reason=self.reason,
            checkpoint=None if self.checkpoint is None else Checkpoint(**self.checkpoint.model_dump()),
        )


class AcknowledgeEvent(Message):
    """The event with this id is on the subscriber's disk."""

    type: Literal["acknowledge"] = "acknowledge"
    id: Id


_EVENTS: TypeAdapter[KioskEventMessage] = TypeAdapter(KioskEventMessage)
_ACKNOWLEDGEMENTS: TypeAdapter[AcknowledgeEvent] = TypeAdapter(AcknowledgeEvent)


def acknowledged(packet: bytes) -> str:
    """The id of the event that a subscriber acknowledges. Raises DoorError if the packet is no acknowledgement."""
    return decode(_ACKNOWLEDGEMENTS, packet).id


class KioskEventStream(EventStream[KioskEvent]):
    """A subscription to the kiosk's events."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, lambda packet: decode(_EVENTS, packet).event(), lambda event: AcknowledgeEvent(id=event.id)
        )
