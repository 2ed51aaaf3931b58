"""The state of the lock and of the door's leaf, with the ONVIF door terms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DoorState(StrEnum):
    """State of the lock as kiosk-door knows it."""

    UNKNOWN = "unknown"
    SECURED = "secured"
    RELEASED = "released"
    PANEL = "panel_owned"
    """A panel owns the lock and answers. What it does with the lock is not known."""
    FAULT = "fault"


class DoorMode(StrEnum):
    """A mode that lasts until it is ended."""

    NORMAL = "normal"
    HOLD_OPEN = "hold_open"
    LOCKDOWN = "lockdown"


class Leaf(StrEnum):
    """The position of the door's leaf, by its contact. UNKNOWN without a contact, before the first reading, and if the
    contact cannot be read. A cut wire reads as open."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    OPEN = "open"


class Alarm(StrEnum):
    """Why an open leaf raises an alarm."""

    NONE = "none"
    HELD_OPEN_SOON = "held_open_soon"
    HELD_OPEN = "held_open"
    FORCED_OPEN = "forced_open"


class DoorFault(StrEnum):
    """A part of a door that does not work, or inputs that contradict each other."""

    LOCK = "lock"
    """The lock raises errors."""
    PANEL = "panel"
    """The panel does not ask, or its line cannot be used."""
    CONTACT_CHATTER = "contact_chatter"
    CONTACT_STILL = "contact_still"
    """The door was not opened over many releases. The contact may be broken."""
    REX_CHATTER = "rex_chatter"
    REX_STUCK = "rex_stuck"
    INPUTS = "inputs"
    """The inputs cannot be read."""
    LOCKDOWN_NOT_KEPT = "lockdown_not_kept"
    """The lockdown could not be stored and would not survive a restart."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The present levels of a door's inputs, with polarity applied; None for an input that is not wired. `rex` is also
    True if the button was pressed and released since the last reading."""

    open: bool | None = None
    rex: bool | None = None
    tamper: bool | None = None


class Hand(StrEnum):
    """An action on a simulated door."""

    OPEN = "open"
    CLOSE = "close"
    REX = "rex"
    """The exit button is pressed and released."""
    TAMPER = "tamper"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class DoorStatus:
    """The door's present status. `simulated`: the lock has no hardware."""

    state: DoorState
    simulated: bool
    started_at: float
    released_until: float | None = None
    mode: DoorMode = DoorMode.NORMAL
    leaf: Leaf = Leaf.UNKNOWN
    alarm: Alarm = Alarm.NONE
    tamper: bool = False
    faults: tuple[DoorFault, ...] = ()
