"""`kiosk doctor`: checks whether this machine is fit for use at a door. All checks stand in one list, doctor_list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from kiosk import __version__
from kiosk.cli import doctor_acceptance, doctor_basics
from kiosk.cli.console import config_option, emit, say, settings
from kiosk.cli.doctor_check import Check, Result, State, examine
from kiosk.cli.doctor_list import CHECKS, CONFIG, HOME

PAGES = Path("/usr/share/doc/face-kiosk")


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all checks.")
@click.option("--only", metavar="NAME,...", help="These checks alone (config and home come with them).")
@click.option("--acceptance", is_flag=True, help="What only you can see at the door, as a list to be ticked off.")
@click.pass_context
def doctor(ctx: click.Context, config_file: Path | None, as_json: bool, only: str | None, acceptance: bool) -> None:
    """Checks what the kiosk needs: networks, gallery and key, camera, door, window, units, the machine.

    Each line says what is wrong, why it matters and what mends it. Exit status 0: no problem; 1: a problem; 2: it could
    not be asked. Nothing is changed and no door is opened.
    """
    if acceptance:
        say(*doctor_acceptance.lines(settings(config_file)))
        return
    checks = chosen(only)
    results = []
    for result in all_results(config_file, ctx.obj, checks):
        results.append(result)
        if not as_json:
            say(*lines(result))
    if as_json:
        emit({"version": __version__, "checks": [result.row for result in results]})
    else:
        say("", *where(), ending(results))
    ctx.exit(1 if problems(results) else 0)


def problems(results: Iterable[Result]) -> int:
    """How many there are."""
    return sum(result.finding.state is State.PROBLEM for result in results)


def ending(results: Sequence[Result]) -> str:
    """The last line: how it is, and what follows from that."""
    count, unknown = problems(results), sum(result.finding.state is State.UNKNOWN for result in results)
    if count:
        found = "1 problem" if count == 1 else f"{count} problems"
        return (
            f"{found}: mend the first, then sudo kiosk doctor. A change of the configuration counts after: "
            "sudo systemctl restart kiosk-door kiosk"
        )
    return f"no problem; what cannot be told here: {unknown}. Then, at the door: kiosk doctor --acceptance"


def where() -> list[str]:
    """Where the pages are that lines name, if the Debian package has put them there."""
    return [f"deploy/... are files in {PAGES}"] if (PAGES / "deploy").is_dir() else []


def chosen(only: str | None) -> list[Check]:
    """The checks with these names; None: all. Raises click.UsageError for a name that none has."""
    names = {name.strip() for name in (only or "").split(",")} - {""}
    if unheard := names - {check.name for check in (CONFIG, HOME, *CHECKS)}:
        raise click.UsageError(
            f"--only: no check is called {', '.join(sorted(unheard))}: kiosk doctor shows their names"
        )
    return [check for check in CHECKS if only is None or check.name in names]


def all_results(config_file: Path | None, named: Path | None, checks: Iterable[Check]) -> Iterable[Result]:
    """Makes these checks, one after another. `named` is the home of --home."""
    patient, of_config, of_home = doctor_basics.patient(config_file, named)
    first = (
        replace(CONFIG, look=lambda _: of_config),
        replace(HOME, look=lambda _: of_home, after=() if named is not None else (CONFIG.name,)),
    )
    return examine((*first, *checks), patient)


def lines(result: Result) -> list[str]:
    """A result for people: what it is, and where something can be done, why and how."""
    row = result.row
    word = "note" if row["state"] == "ok" and row["mend"] else row["state"]
    out = [f"{word:<8} {row['name']:<10} {row['what']}"]
    if row["mend"]:
        out += [f"{'':<20}why: {row['why']}", f"{'':<20}do:  {row['mend']}"]
    return out
