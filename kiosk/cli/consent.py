"""`kiosk consent`: the texts that people agree to; who has agreed, and to what."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk.cli.asking import confirm
from kiosk.cli.console import called, config_option, pass_home, say, settings, told_or_not
from kiosk.cli.doctor_check import Finding, Patient, ok
from kiosk.cli.registers import ask_the_kiosk, register_of
from kiosk.domain.errors import ConsentError
from kiosk.domain.people import Consent
from kiosk.keeping import ConsentConfig
from kiosk.station import consent as texts
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.users import caller

consent_option = click.option(
    "--consent",
    "given",
    metavar="VERSION[/LANG]",
    help="The text that the person has agreed to (`kiosk consent show`).",
)


@click.group()
def consent() -> None:
    """The texts that people agree to before they are enrolled: show, record."""


@consent.command()
@click.argument("name", metavar="VERSION[/LANG]", required=False)
@config_option
def show(name: str | None, config_file: Path | None) -> None:
    """Prints a text, to be read or printed; without a name it says which there are."""
    config = settings(config_file).consent
    if name is None:
        say(*map(str, texts.names(config)))
    else:
        say(*texts.text(config, texts.find(config, name)).splitlines())


@consent.command()
@click.argument("who")
@click.argument("name", metavar="VERSION[/LANG]")
@config_option
@ask_the_kiosk
@pass_home
def record(home: Home, who: str, name: str, config_file: Path | None) -> None:
    """Records that somebody who is enrolled already has agreed to a text. Withdrawn: `kiosk subjects erase`."""
    agreed = given(settings(config_file).consent, name, "")
    assert agreed is not None
    with register_of(home) as register:
        subject = register.set_consent(register.find(who).id, agreed)
    with told_or_not():
        say(f"recorded for {called(subject.name, subject.id)}: {agreed.text}/{agreed.language}")


def given(config: ConsentConfig, name: str | None, who: str) -> Consent | None:
    """What is recorded of a person who is enrolled now. Without a name it asks on a terminal, if consent is required.
    None: nothing is recorded. Raises ConsentError."""
    if name is None and not config.required:
        return None
    found = texts.find(config, name)
    if name is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise ConsentError(f"[consent] required: say which text the person has agreed to: --consent {found}")
        say(*texts.text(config, found).splitlines(), f"Instead of the face is offered: {config.alternative}")
        confirm(f"Has {who} read this, and agreed?")
    return texts.agreed(config, found, datetime.now(UTC), caller())


def findings(patient: Patient) -> Iterator[Finding]:
    """For `kiosk doctor`."""
    home = patient.home
    if not home.database.exists():
        return
    with closing(open_gallery(home, read_only=True, check=False)) as gallery:
        everybody = [] if gallery.demonstration else gallery.subjects()
    without = [subject.id for subject in everybody if subject.consent is None]
    if without:
        shown = ", ".join(without[:5]) + (" ..." if len(without) > 5 else "")
        yield ok(
            f"of {len(without)} of {len(everybody)} people no consent is recorded: {shown}",
            "sudo kiosk consent record WHO",
        )
    elif everybody:
        yield ok(f"recorded of all {len(everybody)} people")
