"""`kiosk subjects export`: what is kept about a person, for that person."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from kiosk.cli.audit_rows import line as record_line
from kiosk.cli.audit_rows import row as record_row
from kiosk.cli.console import Row, config_option, emit, pass_home, say, told_or_not
from kiosk.cli.moments import local, shown
from kiosk.cli.pass_lines import line as pass_line
from kiosk.cli.pass_lines import row as pass_row
from kiosk.cli.registers import ask_the_kiosk, register_of
from kiosk.domain.errors import KioskError, os_trouble
from kiosk.domain.kept import Kept, KeptReference
from kiosk.domain.people import Subject
from kiosk.storage.home import Home
from kiosk.system.files import replace

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "th,td{text-align:left;padding:.3em 1em .3em 0;vertical-align:top;border-bottom:1px solid #ccc}"
)


UNREADABLE = "one is kept, in a form from which it cannot be read"


@click.command()
@click.argument("who")
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to print, too.")
@click.option("--templates", is_flag=True, help="With the templates themselves (base64).")
@config_option
@ask_the_kiosk
@pass_home
def export(home: Home, who: str, page: Path | None, templates: bool, config_file: object) -> None:
    """Prints what is kept about a person as one JSON object, or writes it as a page (--html).

    All that there is: name, badge, number, role, validity, consent, which secrets there are, number, date and network
    of the references, visits that are kept for a measurement, visitor passes, and each record of the log that names the
    person. Pictures are never kept. A running kiosk is asked for it, but for the templates, which it gives nobody.
    """
    with register_of(home, read_only=True) as register:
        kept = register.kept(register.find(who), templates)
    if page is None:
        emit(_row(kept))
        return
    try:
        replace(page, "\n".join(_page(kept)).encode())
    except OSError as error:
        raise KioskError(f"the page cannot be written: {os_trouble(error)}") from error
    with told_or_not():
        say(f"written: {page}")


def _row(kept: Kept) -> Row:
    s = kept.subject
    return {
        "subject": s.id,
        "name": s.name,
        "enrolled_at": local(s.created_at).isoformat(),
        "disabled": s.disabled,
        "valid_from": local(s.valid_from).isoformat() if s.valid_from else None,
        "valid_until": local(s.valid_until).isoformat() if s.valid_until else None,
        "badge": s.badge,
        "role": s.role,
        "number": s.number,
        "verify": s.verify,
        "extended": s.extended,
        "pin": kept.pin,
        "duress_pin": kept.duress,
        "qr": kept.qr,
        "card": kept.card,
        "passes": [pass_row(issued) for issued in kept.passes],
        "consent": _consent(s),
        "references": [_reference(r) for r in kept.references],
        "visits": [{"at": local(at).isoformat()} for at in kept.visits],
        "records": [record_row(record) for record in kept.records],
    }


def _secret(kept: Kept) -> list[tuple[str, bool]]:
    return [("PIN", kept.pin), ("PIN under duress", kept.duress), ("QR code", kept.qr), ("Card", kept.card)]


def _consent(subject: Subject) -> Row | None:
    consent = subject.consent
    if consent is None:
        return None
    return {
        "text": consent.text,
        "language": consent.language,
        "at": local(consent.at).isoformat(),
        "staff": consent.staff,
        "alternative": consent.alternative,
    }


def _reference(reference: KeptReference) -> Row:
    known: Row = {
        "made_at": local(reference.made_at).isoformat(),
        "network": reference.network,
        "quality": round(reference.quality, 3),
        "light": reference.light,
        "bytes": reference.size,
    }
    if reference.template is None:
        return known
    return {**known, "template": base64.b64encode(reference.template).decode()}


def _page(kept: Kept) -> Iterator[str]:
    s = kept.subject
    title = f"What this door keeps about {s.name}"
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    yield f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>"
    yield from _table([
        ("Number in this system", s.id),
        ("Name", s.name),
        ("Enrolled", shown(s.created_at)),
        ("Let in", "no: disabled" if s.disabled else "yes, within the validity"),
        ("Valid from", shown(s.valid_from) if s.valid_from else "no limit"),
        ("Valid until", shown(s.valid_until) if s.valid_until else "no limit"),
        ("Badge", "none" if s.badge is None else str(s.badge)),
        ("Role", s.role or "none"),
        ("Personal number", s.number or "none"),
        ("Let in by face alone", "no" if s.verify else "yes"),
        ("Extended release", "yes" if s.extended else "no"),
        *((what, UNREADABLE if is_kept else "none") for what, is_kept in _secret(kept)),
        ("Consent", "none recorded" if s.consent is None else s.consent.sentence(shown(s.consent.at))),
    ])  # fmt: skip
    yield f"<h2>Templates of the face: {len(kept.references)}</h2>"
    yield "<p>Numbers that a network made of pictures at the enrolment. Pictures are not kept.</p>"
    for reference in kept.references:
        known = _reference(reference)
        yield f"<p>{html.escape('; '.join(f'{name}: {value}' for name, value in known.items()))}</p>"
    if kept.visits:
        yield f"<h2>Templates of visits, kept for a measurement of some days: {len(kept.visits)}</h2>"
        yield f"<p>{html.escape(', '.join(map(shown, kept.visits)))}</p>"
    yield f"<h2>Visitor passes: {len(kept.passes)}</h2>"
    for issued in kept.passes:
        yield f"<p>{html.escape(pass_line(issued))}</p>"
    yield f"<h2>Records of the log: {len(kept.records)}</h2>"
    for record in kept.records:
        yield f"<p>{html.escape(record_line(record))}</p>"
    yield "</html>"


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "<table>"
    for name, value in rows:
        yield f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
    yield "</table>"
