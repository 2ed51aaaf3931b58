"""The kiosk's requests to the door, and the door's answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Span(StrEnum):
    """How long a grant releases the lock."""

    NORMAL = "normal"
    EXTENDED = "extended"
    """A longer release, for people who need more time."""
    HOLD_OPEN = "hold_open"
    """A lease that must be renewed."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A request to release the lock once: fresh, single and bounded (rule 2 in ARCHITECTURE.md).

    `renews`: id of the grant that began the lease which this grant renews; only for HOLD_OPEN. `badge`: only for a
    panel.
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
    """The panel got the badge number. It is not known whether the panel opened the door."""
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
    """The lease to renew has ended, or belongs to another connection."""
    HELD_OPEN = "held_open"
    """There is a lease already; only one is possible at a time."""
    HELD_OUT = "held_out"
    """The lease has reached its maximum duration."""
    NOT_ALLOWED = "not_allowed"
    """The user may not ask for this (domain.door.roles)."""
    FAULT = "fault"
    PANEL_OWNS_LOCK = "panel_owns_lock"
    """A panel takes only a badge number: it is not possible to extend, to hold open or to release by hand."""
    PANEL_OFFLINE = "panel_offline"
    """There is no secure channel, or the panel did not ask before the deadline."""
    BUSY = "busy"
    """The badge number of another grant still waits for the panel to ask."""
    WITHDRAWN = "withdrawn"
    """The grant was withdrawn before the panel asked: by a command to secure, or because the client left."""


@dataclass(frozen=True, slots=True)
class DoorReply:
    """The door's answer to a grant. `reason` is a Refusal if it was refused, otherwise a sentence."""

    grant_id: str
    result: DoorResult
    reason: str = ""
    released_until: float | None = None
