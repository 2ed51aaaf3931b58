"""`kiosk subjects erase`: removes a person, and says what was removed and what is out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from kiosk.cli.asking import confirm
from kiosk.cli.console import (
    Row,
    called,
    complain,
    config_option,
    emit,
    json_option,
    pass_home,
    say,
    settings,
    told_or_not,
)
from kiosk.cli.moments import shown
from kiosk.cli.registers import ask_the_kiosk, register_of
from kiosk.domain.certificate import Remains
from kiosk.domain.errors import ConfigError
from kiosk.gui.catalogue import texts
from kiosk.gui.certificate import sentences
from kiosk.storage.erasure import ASKED, WITHDRAWN, Certificate, Keeping, keeping
from kiosk.storage.erasure import erase as erase_now
from kiosk.storage.home import Home


@click.command()
@click.argument("who")
@click.option("--withdrawn", is_flag=True, help="Because consent was withdrawn: the log and the certificate say so.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def erase(home: Home, who: str, withdrawn: bool, yes: bool, config_file: Path | None, as_json: bool) -> None:
    """Erases a person: key, record and references, and the backups in the folder of [backup]. Prints a certificate.

    The audit log keeps the opaque id. Give the id again to end an erasure that was cut off.
    """
    kept = _keeping(config_file)
    with register_of(home, erasure=partial(erase_now, home, keeping=kept)) as register:
        if register.was_erased(who):
            found, name = who, who
        else:
            subject = register.find(who)
            found, name = subject.id, called(subject.name, subject.id)
            if not yes:
                confirm(f"Erase {name} and all references?")
        done = register.erase(found, WITHDRAWN if withdrawn else ASKED)
    with told_or_not():
        if as_json:
            emit(row(done))
        else:
            say(*lines(done, name))


def _keeping(config_file: Path | None) -> Keeping:
    """A configuration that cannot be read keeps nobody from being erased."""
    try:
        return keeping(settings(config_file))
    except ConfigError as error:
        complain(f"{error}; backups in a folder were not looked for")
        return Keeping()


def row(done: Certificate) -> Row:
    """A certificate as a JSON object."""
    return {
        "subject": done.subject,
        "erased_at": done.at.isoformat(),
        "reason": done.reason,
        "references": done.references,
        "visits": done.visits,
        "backups": done.backups,
        "out_of_reach": [
            {"kind": remains.kind.value, "what": what, "ends": ends} for remains, what, ends in _left(done)
        ],
    }


def lines(done: Certificate, name: str) -> Iterator[str]:
    """A certificate for people."""
    yield f"erased {name}"
    yield f"  when       {shown(done.at)}, {done.reason}"
    yield f"  removed    the key, the record with all that it holds, visitor passes, {done.references} reference(s)"
    if done.visits:
        yield f"             {done.visits} visit(s) that were kept for a measurement"
    yield f"             {done.backups} backup(s) of before; the key of backups was changed"
    yield "  not reached"
    for _, what, ends in _left(done):
        yield f"    {what}"
        yield f"      ends: {ends}"


def _left(done: Certificate) -> list[tuple[Remains, str, str]]:
    """What is out of reach, in English: the language of all commands."""
    english = texts()
    return [(remains, *sentences(english, remains)) for remains in done.remains]
