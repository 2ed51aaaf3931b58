"""What kiosk-door tells of its door. Everything here is about a door, nothing about who somebody is.

Conditions that last come in pairs: what ends OPENED is CLOSED, what ends FORCED_OPEN is ALARM_ENDED, and so on. A
reader that begins in the middle learns the present from the first event that it gets: STARTED tells what holds then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from kiosk.domain.door.grants import Span
from kiosk.domain.door.state import Alarm, DoorFault

DOOR_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}$"
"""What a door may be called (for pydantic, whose "$" is the end of the text)."""


class DoorEventKind(StrEnum):
    """`reason` is empty where nothing is said of it here."""

    STARTED = "started"
    """kiosk-door owns the lock; it is secured. Whatever lasted before has ended, but a lockdown (reason LOCKDOWN)."""
    STOPPED = "stopped"
    """As it was told to; after a crash there is no such event."""

    RELEASED = "released"
    """With the grant id. Reason: a Span."""
    PRESENTED = "presented"
    """With the grant id: its badge was given to the panel that owns the lock."""
    SECURED = "secured"
    """Reason: a SecuredBy."""
    OPENED = "opened"
    CLOSED = "closed"
    ACCESS_TAKEN = "access_taken"
    """With the grant id: the door was opened on it."""
    ACCESS_NOT_TAKEN = "access_not_taken"
    """With the grant id: the door was not opened on it."""
    REX_PRESSED = "rex_pressed"
    """The exit button, or whatever is wired as one."""

    HELD_OPEN_SOON = "held_open_soon"
    """The pre-alarm of HELD_OPEN; ended by CLOSED, or by another grant or press of the exit button."""
    HELD_OPEN = "held_open"
    """Open for too long after it was opened as it should; ended by ALARM_ENDED."""
    FORCED_OPEN = "forced_open"
    """Opened without release or exit button; ended by ALARM_ENDED."""
    ALARM_ENDED = "alarm_ended"
    """The door is closed again. Reason: the Alarm, HELD_OPEN or FORCED_OPEN."""
    TAMPER = "tamper"
    TAMPER_ENDED = "tamper_ended"
    FAULT = "fault"
    """Something does not work or cannot be true. Reason: a DoorFault."""
    FAULT_ENDED = "fault_ended"
    """Reason: as in its FAULT."""

    LOCKDOWN = "lockdown"
    LOCKDOWN_ENDED = "lockdown_ended"


class SecuredBy(StrEnum):
    """Why the lock was secured."""

    TIME = "time"
    """Its deadline."""
    OPENING = "opening"
    """Relocked on it, as on CLOSING."""
    CLOSING = "closing"
    COMMAND = "command"
    CLIENT_GONE = "client_gone"
    LOCKDOWN = "lockdown"
    FAULT = "fault"


DoorReason = Span | SecuredBy | Alarm | DoorFault | Literal[""]
"""What an event of the door gives as its reason; "" for none. No value stands in two of these."""

ALARMS = frozenset(
    {
        DoorEventKind.HELD_OPEN,
        DoorEventKind.FORCED_OPEN,
        DoorEventKind.TAMPER,
        DoorEventKind.FAULT,
        DoorEventKind.LOCKDOWN,
    }
)
"""Somebody should come. Kept longest where there is not room for all."""


@dataclass(frozen=True, slots=True)
class DoorNews:
    """What has happened, before it is an event: without number, id and wall clock."""

    kind: DoorEventKind
    at: float
    grant_id: str | None = None
    reason: DoorReason = ""
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """One event. `sequence` counts up by one for each event of a door, across restarts; a number that is missing was
    dropped for want of room. `id` is unique, and the same when an event is delivered again. `uid` is the user who asked
    for it over the door's socket, as the kernel knows it (SO_PEERCRED); None for what nobody asked for.

    `at` is CLOCK_BOOTTIME in seconds; it begins anew at boot, and only `at` orders what the wall clock may not.
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
