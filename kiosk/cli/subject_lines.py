"""A subject as commands print it."""

from __future__ import annotations

from kiosk.cli.console import Row, emit, names_wanted, say, told_or_not
from kiosk.cli.moments import local, shown
from kiosk.domain.people import Subject


def row(subject: Subject) -> Row:
    """A subject as a JSON object."""
    return {
        "subject": subject.id,
        "name": subject.name,
        "created_at": local(subject.created_at).isoformat(),
        "disabled": subject.disabled,
        "valid_from": local(subject.valid_from).isoformat() if subject.valid_from else None,
        "valid_until": local(subject.valid_until).isoformat() if subject.valid_until else None,
        "badge": subject.badge,
        "role": subject.role,
        "number": subject.number,
        "verify": subject.verify,
        "extended": subject.extended,
    }


def line(subject: Subject, outdated: bool = False, named: bool = True) -> str:
    """A subject as a line of text. `outdated`: it has no reference of the configured network."""
    notes = ["enrol again"] if outdated else []
    if subject.disabled:
        notes.append("disabled")
    if subject.valid_from:
        notes.append(f"from {shown(subject.valid_from)}")
    if subject.valid_until:
        notes.append(f"until {shown(subject.valid_until)}")
    if subject.role is not None:
        notes.append(subject.role)
    if subject.badge is not None:
        notes.append(f"badge {subject.badge}")
    if subject.number is not None:
        notes.append(f"number {subject.number}")
    if subject.verify:
        notes.append("not by face alone")
    if subject.extended:
        notes.append("extended release")
    return subject.id + (f"  {subject.name}" if named else "") + (f"  ({', '.join(notes)})" if notes else "")


def tell_of(subject: Subject, as_json: bool) -> None:
    """Prints a subject after a change. Only a terminal gets the name."""
    with told_or_not():
        if as_json:
            emit({key: value for key, value in row(subject).items() if key != "name"})
        else:
            say(line(subject, named=names_wanted()))
