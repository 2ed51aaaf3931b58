"""How a record of the audit log is printed: as a JSON object, as a line for people."""

from __future__ import annotations

from datetime import datetime

import click

from kiosk.cli.console import Row
from kiosk.domain.audit import AuditRecord

SIGNED = frozenset({"hash", "key", "signature"})
"""Long digits of a checkpoint, which a line for people leaves out."""


def instant(option: str, given: datetime | None) -> datetime | None:
    """A time of the command line, in this time zone unless it names another. Raises click.UsageError."""
    try:
        return given.astimezone() if given else None
    except (OverflowError, ValueError, OSError) as error:
        raise click.UsageError(f"{option} {given}: there is no such time in this time zone") from error


def row(record: AuditRecord) -> Row:
    """A record as a JSON object."""
    return {
        "id": record.id,
        "at": record.wall_at.isoformat(),
        "kind": record.kind,
        "grant_id": record.grant_id,
        "subject": record.subject_id,
        "outcome": record.outcome,
        "reason": record.reason,
        "detail": record.detail,
        "record_id": record.record_id,
        "boot": record.boot,
        "boot_at": record.boot_at,
        "hash": record.hash,
    }


def line(record: AuditRecord) -> str:
    """A record as a line of text."""
    words = [record.outcome, record.reason, record.subject_id]
    shown = {k: v for k, v in record.detail.items() if v is not None and k not in SIGNED}
    numbers = [f"{k}={v}" for k, v in shown.items()]
    rest = "  ".join(w for w in words if w)
    return f"{record.wall_at.astimezone():%Y-%m-%d %H:%M:%S}  {record.kind:<9} {rest}  {' '.join(numbers)}".rstrip()
