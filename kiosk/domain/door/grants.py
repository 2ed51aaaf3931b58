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


@dataclass(frozen=True, slots=True)
class DoorReply:
    """The door's answer to a grant; `reason` is one of domain.door.machine.Refusal when refused, else a sentence."""

    grant_id: str
    result: DoorResult
    reason: str = ""
    released_until: float | None = None
