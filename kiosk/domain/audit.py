"""One line of the audit log."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AuditKind(StrEnum):
    """The kind of an audit record. The values are stored in databases: never change one."""

    DECISION = "decision"
    OUTCOME = "outcome"
    """The result of a grant."""
    DOOR = "door"
    """Any other event of the door."""
    COMMAND = "command"
    """A user operated the door by hand."""
    CLOCK = "clock"
    """A person confirmed that the clock is right."""
    ATTEMPTS = "attempts"
    """Face alone was turned off or on, or its count was reset."""
    FAULT = "fault"
    ENROLMENT = "enrolment"
    SUBJECT = "subject"
    """A subject was changed or removed."""
    KEY = "key"
    """The gallery's master key was changed, or a recovery passphrase was made."""
    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit log. `id` is its position in the log. A record that is appended twice with the same
    `record_id` is stored once."""

    kind: AuditKind
    wall_at: datetime
    grant_id: str | None = None
    subject_id: str | None = None
    outcome: str | None = None
    reason: str | None = None
    detail: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    id: int | None = None
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
