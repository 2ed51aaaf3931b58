"""`kiosk passes`: visitor passes, which are QR codes that a sponsor answers for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk.cli import moments
from kiosk.cli.codes import check_place, code_options, hand_out
from kiosk.cli.console import config_option, emit, json_option, pass_home, say, settings, told_or_not
from kiosk.cli.pass_lines import line, row
from kiosk.cli.registers import ask_the_kiosk, register_of
from kiosk.domain.errors import KioskError
from kiosk.domain.passes import MOST_USES, Issued
from kiosk.storage.home import Home


@click.group()
def passes() -> None:
    """Visitor passes: issue, list, revoke."""


@passes.command()
@click.argument("sponsor")
@click.option("--from", "begin", type=moments.MOMENT, help="Not let in before (local time).  [default: now]")
@click.option("--until", "end", type=moments.MOMENT, required=True, help="Not let in from then on (local time).")
@click.option("--door", "doors", multiple=True, help="A door's [door] name; may be repeated.  [default: this one]")
@click.option("--uses", type=click.IntRange(1, MOST_USES), default=1, show_default=True, help="At each door.")
@code_options
@config_option
@json_option
@ask_the_kiosk
@pass_home
def issue(
    home: Home,
    sponsor: str,
    begin: datetime | None,
    end: datetime,
    doors: Sequence[str],
    uses: int,
    out: Path | None,
    show: bool,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Makes a pass for a visitor of SPONSOR, who is enrolled: a QR code to be printed or sent.

    Whoever has the code has the pass. It is void once it is used up, has ended or is revoked, and while its sponsor may
    not pass. Only the kiosk that has issued a pass knows it.
    """
    check_place(out, show)
    named = doors or [settings(config_file).door.name]
    begins, ends = moments.begin(begin) or datetime.now(UTC), moments.end(end)
    if ends is None:
        raise click.UsageError("a pass ends: say when with --until")
    with register_of(home) as register:
        told, text = register.issue_pass(register.find(sponsor).id, begins, ends, named, uses)
        try:
            hand_out(text, out)
        except KioskError:
            register.revoke_pass(told.id)  # nobody has it
            raise
    with told_or_not():
        if as_json:
            emit(row(Issued(told, {})))
        else:
            say(line(Issued(told, {})))


@passes.command("list")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def list_(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Lists the passes, those that end first before others. What ended 30 days ago goes when a new one is issued."""
    with register_of(home, read_only=True) as register:
        found = register.passes()
    for issued in found:
        if as_json:
            emit(row(issued))
        else:
            say(line(issued))
    if not found and not as_json:
        say("there are no passes: see `kiosk passes issue --help`")


@passes.command()
@click.argument("name", metavar="PASS")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def revoke(home: Home, name: str, config_file: Path | None, as_json: bool) -> None:
    """Makes a pass void, given by its id or the beginning of it."""
    with register_of(home) as register:
        issued = register.revoke_pass(name)
    with told_or_not():
        if as_json:
            emit(row(issued))
        else:
            say(line(issued))
