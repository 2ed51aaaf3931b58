"""What the kiosk asks of the door, and what the door answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Span(StrEnum):
    """How long a grant releases the lock."""

    NORMAL = "normal"
    EXTENDED = "extended"
    """For whoever needs more time."""
    HOLD_OPEN = "hold_open"
    """A lease that must be renewed."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A request to release the lock once: fresh, single and bounded (rule 2).

    `renews` is the id of the grant that began the lease which this one renews; for HOLD_OPEN only. `badge` is for a
    panel only.
    """

    id: str
    captured_at: float
    deadline: float
    span: Span = Span.NORMAL
    renews: str | None = None
    badge: int | None = field(default=None, repr=False)


class DoorResult(StrEnum):
    """What the door did with a grant."""

    RELEASED = "released"
    PRESENTED = "presented"
    """The panel was given the badge number. Whether it opened is not known by that."""
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class Refusal(StrEnum):
    """Why the door did not act on a grant."""

    INVALID = "invalid"
    FROM_FUTURE = "from_future"
    DEADLINE_TOO_FAR = "deadline_too_far"
    BEFORE_START = "before_start"
    LATE = "late"
    REPEATED = "repeated"
    TOO_MANY = "too_many"
    LOCKDOWN = "lockdown"
    LAPSED = "lapsed"
    """The lease that it would renew has ended, or is another connection's."""
    HELD_OPEN = "held_open"
    """A lease is held already: there is one at a time."""
    HELD_OUT = "held_out"
    """The lease has lasted as long as one may."""
    NOT_ALLOWED = "not_allowed"
    """Whoever asks may not: kiosk-door knows it by the user (domain.door.roles)."""
    FAULT = "fault"
    PANEL_OWNS_LOCK = "panel_owns_lock"
    """Only a badge can be presented: nothing is extended, held open or released by hand from here."""
    PANEL_OFFLINE = "panel_offline"
    """There is no secure channel, or the panel has not asked before the deadline."""
    BUSY = "busy"
    """Another grant's badge waits for the panel to ask."""
    WITHDRAWN = "withdrawn"
    """The door was told to secure before the panel asked."""


@dataclass(frozen=True, slots=True)
class DoorReply:
    """The door's answer to a grant; `reason` is a Refusal when refused, else a sentence."""

    grant_id: str
    result: DoorResult
    reason: str = ""
    released_until: float | None = None
