"""The events of kiosk-door. They are about the door only, never about a person's identity.

Lasting conditions have two events: CLOSED ends OPENED, ALARM_ENDED ends FORCED_OPEN, and so on. STARTED tells which
conditions hold at the start, so that a subscriber need not know earlier events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from kiosk.domain.door.grants import Span
from kiosk.domain.door.state import Alarm, DoorFault

DOOR_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}$"
"""Pattern of a door's name (for pydantic, whose "$" matches only at the end of the text)."""


class DoorEventKind(StrEnum):
    """The kind of a door event. `reason` is empty unless a kind says otherwise."""

    STARTED = "started"
    """kiosk-door owns the lock and has secured it. Every earlier condition has ended, except a lockdown (reason
    LOCKDOWN)."""
    STOPPED = "stopped"
    """kiosk-door stopped normally. A crash gives no such event."""

    RELEASED = "released"
    """With the grant id. Reason: a Span."""
    PRESENTED = "presented"
    """With the grant id: its badge number was sent to the panel that owns the lock."""
    SECURED = "secured"
    """Reason: a SecuredBy."""
    OPENED = "opened"
    CLOSED = "closed"
    ACCESS_TAKEN = "access_taken"
    """With the grant id: the door was opened after this grant."""
    ACCESS_NOT_TAKEN = "access_not_taken"
    """With the grant id: the door was not opened after this grant."""
    REX_PRESSED = "rex_pressed"
    """The exit button, or a device wired as one, was pressed."""

    HELD_OPEN_SOON = "held_open_soon"
    """The pre-alarm of HELD_OPEN. CLOSED, another grant, or a press of the exit button ends it."""
    HELD_OPEN = "held_open"
    """The door was opened normally but is open for too long. ALARM_ENDED ends it."""
    FORCED_OPEN = "forced_open"
    """The door was opened without release or exit button. ALARM_ENDED ends it."""
    ALARM_ENDED = "alarm_ended"
    """The door is closed again. Reason: the Alarm, HELD_OPEN or FORCED_OPEN."""
    TAMPER = "tamper"
    TAMPER_ENDED = "tamper_ended"
    FAULT = "fault"
    """Something does not work, or the inputs contradict each other. Reason: a DoorFault."""
    FAULT_ENDED = "fault_ended"
    """Reason: the same as in its FAULT."""

    LOCKDOWN = "lockdown"
    LOCKDOWN_ENDED = "lockdown_ended"


class SecuredBy(StrEnum):
    """Why the lock was secured."""

    TIME = "time"
    """The release reached its deadline."""
    OPENING = "opening"
    """The door opened; CLOSING: it closed (see Relock)."""
    CLOSING = "closing"
    COMMAND = "command"
    CLIENT_GONE = "client_gone"
    LOCKDOWN = "lockdown"
    FAULT = "fault"


DoorReason = Span | SecuredBy | Alarm | DoorFault | Literal[""]
"""The reason of a door event; "" for none. No value is in two of these types."""

ALARMS = frozenset(
    {
        DoorEventKind.HELD_OPEN,
        DoorEventKind.FORCED_OPEN,
        DoorEventKind.TAMPER,
        DoorEventKind.FAULT,
        DoorEventKind.LOCKDOWN,
    }
)
"""Events that call for somebody to come. They are kept longest when there is not enough room."""


@dataclass(frozen=True, slots=True)
class DoorNews:
    """Something that has happened, not yet a DoorEvent: it has no number, id and wall clock time."""

    kind: DoorEventKind
    at: float
    grant_id: str | None = None
    reason: DoorReason = ""
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """One event. `sequence` grows by one with each event of a door, also across restarts; a missing number means that
    an event was dropped for lack of room. `id` is unique, and the same when an event is delivered again. `uid` is the
    user who asked for it over the door's socket, from the kernel (SO_PEERCRED); None if nobody asked for it.

    `at` is CLOCK_BOOTTIME in seconds. It starts at zero with each boot. Unlike the wall clock it gives the true order.
    """

    sequence: int
    id: str
    kind: DoorEventKind
    door: str
    wall_at: datetime
    at: float
    grant_id: str | None = None
    reason: DoorReason = ""
    uid: int | None = None
