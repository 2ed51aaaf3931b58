"""`kiosk audit`: shows what happened at the door."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

import click

from kiosk.cli.console import Row, emit, json_option, pass_home, say
from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.ids import is_id
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

LARGEST = 2**63 - 1
"""The largest integer of SQLite."""


@click.group()
def audit() -> None:
    """The audit log: decisions, what the door did, enrolments, faults."""


@audit.command()
@click.option("--limit", type=click.IntRange(1, LARGEST), default=50, show_default=True, help="The newest so many.")
@click.option("--since", type=click.DateTime(), help="Records from this time on (local time).")
@click.option("--grant", "grant_id", help="One story: a decision and what the door did.")
@click.option("--kind", type=click.Choice([kind.value for kind in AuditKind]), help="Of this kind only.")
@json_option
@pass_home
def show(home: Home, limit: int, since: datetime | None, grant_id: str | None, kind: str | None, as_json: bool) -> None:
    """Shows records, the newest last."""
    try:
        from_time = since.astimezone() if since else None
    except (OverflowError, ValueError, OSError) as error:
        raise click.UsageError(f"--since {since}: there is no such time in this time zone") from error
    if grant_id is not None and not is_id(grant_id):
        raise click.UsageError("--grant: an id is 32 digits, 0 to 9 and a to f, as `audit show --json` gives it")
    kinds = (AuditKind(kind),) if kind else ()
    with closing(open_gallery(home, read_only=True, with_key=False)) as gallery:
        records = Audit(gallery.store).records(limit=limit, since=from_time, grant_id=grant_id, kinds=kinds)
    for record in records:
        if as_json:
            emit(row(record))
        else:
            say(line(record))


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
    }


def line(record: AuditRecord) -> str:
    """A record as a line of text."""
    words = [record.outcome, record.reason, record.subject_id]
    numbers = [f"{k}={v}" for k, v in record.detail.items() if v is not None]
    rest = "  ".join(w for w in words if w)
    return f"{record.wall_at.astimezone():%Y-%m-%d %H:%M:%S}  {record.kind:<9} {rest}  {' '.join(numbers)}".rstrip()
