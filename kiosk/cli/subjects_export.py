"""`kiosk subjects export`: what is kept about a person, for that person."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path

import click

from kiosk.cli.audit_rows import line as record_line
from kiosk.cli.audit_rows import row as record_row
from kiosk.cli.console import Row, config_option, emit, pass_home, say, told_or_not
from kiosk.cli.moments import local, shown
from kiosk.cli.pass_lines import line as pass_line
from kiosk.cli.pass_lines import row as pass_row
from kiosk.domain.audit import AuditRecord
from kiosk.domain.errors import KioskError, os_trouble
from kiosk.domain.passes import Issued
from kiosk.domain.people import Reference, Subject
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passes import Passes
from kiosk.storage.people import NO_SECRETS, Secrets
from kiosk.system.files import replace

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "th,td{text-align:left;padding:.3em 1em .3em 0;vertical-align:top;border-bottom:1px solid #ccc}"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the gallery holds about a person."""

    subject: Subject
    references: Sequence[Reference]
    records: Sequence[AuditRecord]
    secrets: Secrets
    """Kept in a form from which they cannot be read: the page says which there are."""
    passes: Sequence[Issued]


UNREADABLE = "one is kept, in a form from which it cannot be read"


@click.command()
@click.argument("who")
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to print, too.")
@click.option("--templates", is_flag=True, help="With the templates themselves (base64).")
@config_option
@pass_home
def export(home: Home, who: str, page: Path | None, templates: bool, config_file: object) -> None:
    """Prints what is kept about a person as one JSON object, or writes it as a page (--html).

    All that there is: name, badge, number, role, validity, consent, which secrets there are, number, date and network
    of the references, visitor passes, and each record of the log that names the person. Pictures are never kept.
    """
    with closing(open_gallery(home, read_only=True)) as gallery:
        kept = _kept(gallery, gallery.find(who))
    if page is None:
        emit(_row(kept, templates))
        return
    try:
        replace(page, "\n".join(_page(kept, templates)).encode())
    except OSError as error:
        raise KioskError(f"the page cannot be written: {os_trouble(error)}") from error
    with told_or_not():
        say(f"written: {page}")


def _kept(gallery: Gallery, subject: Subject) -> Kept:
    references = [r for model in gallery.counts() for r in gallery.references(model) if r.subject_id == subject.id]
    records, record = Audit(gallery.store).records(subject_id=subject.id), gallery.record(subject.id)
    passes = [issued for issued in Passes(gallery).issued() if issued.told.sponsor == subject.id]
    return Kept(subject, references, records, record.secrets if record else NO_SECRETS, passes)


def _row(kept: Kept, templates: bool) -> Row:
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
        "pin": kept.secrets.pin is not None,
        "duress_pin": kept.secrets.duress is not None,
        "qr": kept.secrets.qr is not None,
        "card": kept.secrets.card is not None,
        "passes": [pass_row(issued) for issued in kept.passes],
        "consent": _consent(s),
        "references": [_reference(r, templates) for r in kept.references],
        "records": [record_row(record) for record in kept.records],
    }


def _secret(held: Secrets) -> list[tuple[str, bool]]:
    names = ("PIN", "PIN under duress", "QR code", "Card")
    return [(name, one is not None) for name, one in zip(names, astuple(held), strict=True)]


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


def _reference(reference: Reference, templates: bool) -> Row:
    known: Row = {
        "made_at": local(reference.created_at).isoformat(),
        "network": reference.model_id,
        "quality": round(reference.quality, 3),
        "light": reference.light,
        "bytes": reference.template.nbytes,
    }
    if not templates:
        return known
    return {**known, "template": base64.b64encode(reference.template.tobytes()).decode()}


def _page(kept: Kept, templates: bool) -> Iterator[str]:
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
        *((what, UNREADABLE if is_kept else "none") for what, is_kept in _secret(kept.secrets)),
        ("Consent", "none recorded" if s.consent is None else s.consent.sentence(shown(s.consent.at))),
    ])  # fmt: skip
    yield f"<h2>Templates of the face: {len(kept.references)}</h2>"
    yield "<p>Numbers that a network made of pictures at the enrolment. Pictures are not kept.</p>"
    for reference in kept.references:
        known = _reference(reference, templates)
        yield f"<p>{html.escape('; '.join(f'{name}: {value}' for name, value in known.items()))}</p>"
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
