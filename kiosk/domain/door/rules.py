"""The configured times of a door, all in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Relock(StrEnum):
    """What ends a release before its deadline."""

    TIME = "time"
    """Nothing: it always lasts until its deadline."""
    OPENING = "opening"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class PassageRules:
    """The rules of a passage. A door that is open for `held_seconds` raises an alarm, `pre_alarm_seconds` before that a
    warning. After `still_after` releases in a row without an opening the contact counts as doubtful."""

    held_seconds: float = 30.0
    pre_alarm_seconds: float = 10.0
    rex_seconds: float = 10.0
    debounce_seconds: float = 0.05
    still_after: int = 20


@dataclass(frozen=True, slots=True)
class DoorRules:
    """The rules of a door, in seconds. `max_release_seconds` bounds the total of several grants, from the first of
    them. A lease lasts `lease_seconds` from its last renewal, and at most `max_hold_seconds` from its beginning."""

    release_seconds: float = 5.0
    extended_seconds: float = 15.0
    max_release_seconds: float = 60.0
    lease_seconds: float = 30.0
    relock: Relock = Relock.CLOSING
    passage: PassageRules = field(default_factory=PassageRules)
    max_hold_seconds: float = 3600.0
