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
    BACKUP = "backup"
    """A backup was made or has left, or the gallery was restored from one."""
    START = "start"
    STOP = "stop"
    CHAIN = "chain"
    """The log itself: its chain was begun, its signing key made, its oldest records cut."""
    CHECKPOINT = "checkpoint"
    """A domain.checkpoint.Checkpoint in `detail`."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit log. `id` is its position in the log. A record that is appended twice with the same
    `record_id` is stored once.

    The log itself sets `id`, `hash` (domain.chain, hexadecimal), and when it was written: `boot_at` in seconds of
    CLOCK_BOOTTIME of the start of the machine that `boot` names. `wall_at` is when it happened. Records from before the
    chain have neither hash nor boot.
    """

    kind: AuditKind
    wall_at: datetime
    grant_id: str | None = None
    subject_id: str | None = None
    outcome: str | None = None
    reason: str | None = None
    detail: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    id: int | None = None
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
    boot: str | None = field(default=None, compare=False)
    boot_at: float | None = field(default=None, compare=False)
    hash: str | None = field(default=None, compare=False)
