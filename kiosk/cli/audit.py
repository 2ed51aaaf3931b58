"""`kiosk audit`: shows what happened at the door. Its other commands are in cli.audit_chain and cli.audit_export."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

import click

from kiosk.cli import audit_chain, audit_export
from kiosk.cli.audit_rows import instant, line, row
from kiosk.cli.console import emit, json_option, pass_home, say
from kiosk.domain.audit import AuditKind
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
    from_time = instant("--since", since)
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


for command in (audit_chain.verify, audit_chain.key, audit_chain.checkpoint, audit_chain.cut, audit_export.export):
    audit.add_command(command)
