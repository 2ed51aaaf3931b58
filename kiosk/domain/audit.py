"""One line of the audit log."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AuditKind(StrEnum):
    """What a line of the audit log tells of. The values stand in databases: none is ever changed."""

    DECISION = "decision"
    OUTCOME = "outcome"
    """What became of a grant."""
    DOOR = "door"
    """What else the door told."""
    COMMAND = "command"
    """Somebody did something to the door by hand."""
    CLOCK = "clock"
    """A person's word on the clock."""
    ATTEMPTS = "attempts"
    """Face alone was turned off or on, or its count was reset."""
    FAULT = "fault"
    ENROLMENT = "enrolment"
    SUBJECT = "subject"
    """Somebody enrolled was changed or removed."""
    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit log. `id` is its place in the log; by `record_id` one that is appended twice is there
    once."""

    kind: AuditKind
    wall_at: datetime
    grant_id: str | None = None
    subject_id: str | None = None
    outcome: str | None = None
    reason: str | None = None
    detail: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    id: int | None = None
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
