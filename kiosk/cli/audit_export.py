"""`kiosk audit export`: the log as JSON lines or CSV, for other programs."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import click

from kiosk.cli.audit_rows import instant, row
from kiosk.cli.console import emit, pass_home, say
from kiosk.cli.moments import MOMENT
from kiosk.domain.audit import AuditRecord
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

PSEUDONYM_DIGITS = 16
"""Of the keyed value that stands for a subject; as many as a subject's id has."""


@click.command()
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--since", type=MOMENT, help="Records from this time on (local time).")
@click.option("--until", type=MOMENT, help="Records before this time (local time).")
@click.option("--pseudonymous", is_flag=True, help="Another id for each subject, which leads nowhere.")
@pass_home
def export(home: Home, form: str, since: datetime | None, until: datetime | None, pseudonymous: bool) -> None:
    """Prints all records, the oldest first.

    With --pseudonymous the same subject has the same id within this export only: the key is made for it and forgotten.
    The hashes are left out then, because they are of the true ids.
    """
    begin, end = instant("--since", since), instant("--until", until)
    with closing(open_gallery(home, read_only=True, with_key=False)) as gallery:
        records = Audit(gallery.store).oldest_first(begin, end)
        if pseudonymous:
            records = _renamed(records, secrets.token_bytes(32))
        if form == "jsonl":
            for record in records:
                emit(row(record))
        else:
            _print_csv(records)


def _renamed(records: Iterable[AuditRecord], key: bytes) -> Iterator[AuditRecord]:
    for record in records:
        who = record.subject_id
        if who is not None:
            who = hmac.new(key, who.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_DIGITS]
        yield replace(record, subject_id=who, hash=None)


def _print_csv(records: Iterable[AuditRecord]) -> None:
    """A header and a line for each record; `detail` is JSON."""
    head = False
    for record in records:
        found = row(record)
        if not head:
            say(_line(list(found)))
            head = True
        say(_line([json.dumps(value) if key == "detail" else value for key, value in found.items()]))


def _line(values: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()
