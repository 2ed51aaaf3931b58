"""The times of a door, as its configuration has them. All in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Relock(StrEnum):
    """What ends a release before its time."""

    TIME = "time"
    """Nothing: it always lasts its time."""
    OPENING = "opening"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class PassageRules:
    """`held_seconds` open is an alarm, `pre_alarm_seconds` before that a warning. `still_after` releases in a row
    without an opening put the contact in doubt."""

    held_seconds: float = 30.0
    pre_alarm_seconds: float = 10.0
    rex_seconds: float = 10.0
    debounce_seconds: float = 0.05
    still_after: int = 20


@dataclass(frozen=True, slots=True)
class DoorRules:
    """Seconds. `max_release_seconds` bounds what several grants add up to, from the first of them; a lease lasts
    `lease_seconds` from its last renewal, and `max_hold_seconds` from its beginning at most."""

    release_seconds: float = 5.0
    extended_seconds: float = 15.0
    max_release_seconds: float = 60.0
    lease_seconds: float = 30.0
    relock: Relock = Relock.CLOSING
    passage: PassageRules = field(default_factory=PassageRules)
    max_hold_seconds: float = 3600.0
