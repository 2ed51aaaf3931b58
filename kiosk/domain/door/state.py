"""What is known of the lock and of the door's leaf, in the ONVIF door terms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DoorState(StrEnum):
    """State of the lock as kiosk-door knows it."""

    UNKNOWN = "unknown"
    SECURED = "secured"
    RELEASED = "released"
    PANEL = "panel_owned"
    """A panel owns the lock and answers; what it does with it is not known here."""
    FAULT = "fault"


class DoorMode(StrEnum):
    """What lasts until it is ended."""

    NORMAL = "normal"
    HOLD_OPEN = "hold_open"
    LOCKDOWN = "lockdown"


class Leaf(StrEnum):
    """Where the door's leaf is, by its contact. UNKNOWN without a contact, before it was read, and where it cannot be.
    A cut wire reads as open."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    OPEN = "open"


class Alarm(StrEnum):
    """What is wrong with the leaf being open."""

    NONE = "none"
    HELD_OPEN_SOON = "held_open_soon"
    HELD_OPEN = "held_open"
    FORCED_OPEN = "forced_open"


class DoorFault(StrEnum):
    """What does not work at a door, or cannot be true."""

    LOCK = "lock"
    """It raises."""
    PANEL = "panel"
    """It does not ask, or its line cannot be used."""
    CONTACT_CHATTER = "contact_chatter"
    CONTACT_STILL = "contact_still"
    """Nobody has opened the door over many releases: does the contact work?"""
    REX_CHATTER = "rex_chatter"
    REX_STUCK = "rex_stuck"
    INPUTS = "inputs"
    """The inputs cannot be read."""
    LOCKDOWN_NOT_KEPT = "lockdown_not_kept"
    """It would not outlast a restart."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Levels of a door's inputs now, polarity applied; None for one that is not wired. `rex` is also True when the
    button was pressed and let go since the last reading."""

    open: bool | None = None
    rex: bool | None = None
    tamper: bool | None = None


class Hand(StrEnum):
    """What can be done to a simulated door."""

    OPEN = "open"
    CLOSE = "close"
    REX = "rex"
    """The exit button is pressed and let go."""
    TAMPER = "tamper"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class DoorStatus:
    """`simulated` says whether the lock moves nothing in the world."""

    state: DoorState
    simulated: bool
    started_at: float
    released_until: float | None = None
    mode: DoorMode = DoorMode.NORMAL
    leaf: Leaf = Leaf.UNKNOWN
    alarm: Alarm = Alarm.NONE
    tamper: bool = False
    faults: tuple[DoorFault, ...] = ()
