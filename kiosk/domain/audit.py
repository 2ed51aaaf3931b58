"""One line of the audit log."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit log. `kind` is decision, outcome, door, command, clock, attempts, fault, enrolment,
    subject, start or stop. `id` is its place in the log; by `record_id` one that is appended twice is there once."""

    kind: str
    wall_at: datetime
    grant_id: str | None = None
    subject_id: str | None = None
    outcome: str | None = None
    reason: str | None = None
    detail: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    id: int | None = None
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
