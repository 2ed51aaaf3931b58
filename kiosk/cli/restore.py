"""`kiosk restore`: puts a gallery back from a backup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from kiosk.cli.asking import ask, confirm
from kiosk.cli.console import config_option, emit, json_option, pass_home, say, settings, told_or_not
from kiosk.cli.moments import shown
from kiosk.domain.errors import ConfigError
from kiosk.storage import restoring
from kiosk.storage.home import Home
from kiosk.storage.restoring import Restored


class SubjectId(click.ParamType[str]):
    """A subject's id, as a certificate of erasure names it."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch("[0-9a-f]{16}", value):
            self.fail("an id is 16 digits, 0 to 9 and a to f, as the certificate has it", param, ctx)
        return value


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--erased",
    multiple=True,
    type=SubjectId(),
    metavar="ID",
    help="Erased since, as a certificate says: does not come back.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
@pass_home
def restore(
    home: Home, file: Path, erased: tuple[str, ...], yes: bool, config_file: Path | None, as_json: bool
) -> None:
    """Puts the gallery of a backup in the place of the present one, which is set aside and not deleted.

    Only while no kiosk runs on this home. Opens with the master key where it is here, and else with the recovery
    passphrase, which is asked for: also on a new board. Who was erased since does not come back. Whoever was disabled
    or changed since is again as in the backup. Visitor passes are void.
    """
    folder = _folder(config_file)
    with home.lock():
        if home.database.exists() and not yes:
            confirm(f"Put this backup in the place of {home.database}? That one is set aside")
        done = restoring.restore(home, file, lambda: ask("Recovery passphrase"), erased, folder)
    with told_or_not():
        if as_json:
            aside = None if done.aside is None else str(done.aside)
            counts = {"subjects": done.subjects, "changed": done.changed, "erasures_unknown": done.unknown or None}
            counts["passes_void"] = done.passes
            emit({"made": done.header.created, "aside": aside, "erased": len(done.erased), **counts})
        else:
            say(*_lines(done))


def _lines(done: Restored) -> Iterator[str]:
    yield f"restored: the gallery of {shown(done.header.at)}, with {done.subjects} people"
    if done.erased:
        yield f"erased again, as they were since: {', '.join(done.erased)}"
    if done.unknown:
        yield f"the gallery of before cannot be asked who was erased ({done.unknown}): compare your certificates"
    if done.changed:
        yield f"{done.changed} people were enrolled or changed since then, and are as in the backup: look at them"
    if done.passes:
        yield f"{done.passes} visitor passes are void, as nobody knows how often they were used since: issue new ones"
    if done.aside is not None:
        yield f"the gallery of before is in {done.aside}: remove it when nobody needs it any more"


def _folder(config_file: Path | None) -> list[Path]:
    """Where other backups may be. A configuration that cannot be read keeps nobody from restoring."""
    try:
        folder = settings(config_file).backup.folder
    except ConfigError:
        return []
    return [] if folder is None else [folder]
