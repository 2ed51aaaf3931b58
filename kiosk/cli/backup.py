"""`kiosk backup`: encrypted copies of the gallery, made beside the running kiosk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from kiosk.cli.asking import ask
from kiosk.cli.console import (
    Row,
    complain,
    config_option,
    emit,
    json_option,
    pass_home,
    say,
    send,
    settings,
    told_or_not,
)
from kiosk.cli.doctor_check import Finding, Patient, ok, unknown
from kiosk.cli.moments import shown
from kiosk.cli.registers import ask_the_kiosk, running_kiosk
from kiosk.domain.errors import BackupError, ConfigError, KioskError
from kiosk.station.upkeep import NO_FOLDER, Upkeep
from kiosk.storage import backups, recovery, restoring
from kiosk.storage.backup_format import Header, opened
from kiosk.storage.erasure import keeping
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import Vault

LONGEST = timedelta(days=7)
"""`kiosk doctor` warns when no backup has left the card for longer."""
SAME_CARD = (
    "is on the same file system as the gallery: a dead card takes this backup along; is the other medium mounted?"
)


@click.group()
def backup() -> None:
    """Encrypted backups of the gallery: make, export, list, verify. `kiosk restore` puts one back."""


@backup.command()
@config_option
@ask_the_kiosk
@pass_home
def make(home: Home, config_file: Path | None) -> None:
    """Makes a backup in the folder of [backup], and removes those that are too many.

    For the timer, kiosk-backup.timer. A running kiosk with a control socket makes it. Needs a recovery passphrase
    (`kiosk keys recovery`), with which the backup opens on a new board.
    """
    kept, running = keeping(settings(config_file)), running_kiosk()
    if kept.folder is None:
        raise ConfigError(NO_FOLDER)
    if running is not None:
        made = running.back_up()
    else:
        with closing(_gallery(home)) as gallery:
            made = Upkeep(home, gallery, kept).back_up()
    with told_or_not():
        say(f"made {made.path}")
    if not made.off_card:
        complain(f"{made.path.parent} {SAME_CARD}")


@backup.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@config_option
@pass_home
def export(home: Home, file: Path, config_file: Path | None) -> None:
    """Makes a backup in FILE, or on standard output with "-": ssh door sudo kiosk backup export - > door.backup"""
    with closing(_gallery(home)) as gallery:
        if str(file) == "-":
            backups.to_stream(home, gallery, send)
            return
        backups.to_file(home, gallery, file)
    with told_or_not():
        say(f"made {file}")
    if not backups.off_the_card(home, file.parent):
        complain(f"{file.parent} {SAME_CARD}")


@backup.command("list")
@config_option
@json_option
@pass_home
def list_(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Lists the backups in the folder of [backup], and what opens each."""
    folder = settings(config_file).backup.folder
    if folder is None:
        raise ConfigError("[backup] folder says nowhere where backups are kept: see deploy/kiosk.toml")
    master = home.keys.read()
    found = backups.in_folder(folder)
    for each in found:
        try:
            with opened(each.path) as one:
                told = _told(home, one.header, None if master is None else Vault(master))
                row: Row = {"path": str(each.path), "bytes": one.header.size, **_row(one.header), "opens": told}
        except BackupError as error:
            row, told = {"path": str(each.path), "error": str(error)}, str(error)
        if as_json:
            emit(row)
        else:
            say(f"{shown(each.at)}  {each.path.name}  {told}")
    if not found and not as_json:
        say(f"{folder}: there is no backup")


@backup.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--recovery", "paper", is_flag=True, help="With the recovery passphrase, though the key is here.")
@config_option
@json_option
@pass_home
def verify(home: Home, file: Path, paper: bool, config_file: Path | None, as_json: bool) -> None:
    """Reads a whole backup, and says of when it is. Asks for the recovery passphrase where the key is not here."""
    with opened(file) as one:
        found = restoring.open_key(home, one, _asked, paper)
        restoring.check(one, found.key)
        header = one.header
    if as_json:
        emit({"whole": True, **_row(header)})
    else:
        say(f"whole: made {shown(header.at)}, change {header.generation}, {header.size} bytes")


def findings(patient: Patient) -> Iterator[Finding]:
    """For `kiosk doctor`."""
    home = patient.home
    if not home.database.exists():
        return
    with closing(open_gallery(home, read_only=True, check=False)) as gallery:
        if not gallery.subjects():
            return
        passphrase = recovery.public(gallery.store, gallery.vault) is not None
        left = backups.newest(gallery.store, off_card=True)
    if not passphrase:
        yield ok(f"no backup can be made: {backups.NO_PAPER}", "sudo kiosk keys recovery")
        return
    age = None if left is None else datetime.now(UTC) - left.wall_at
    if age is None or age > LONGEST:
        since = "has ever left this card" if age is None else f"has left this card for {age.days} days"
        yield ok(f"no backup {since}", "sudo kiosk backup make, or deploy/operating.md, Backups")
    else:
        yield ok(f"the newest one left this card {age.days} days ago")
    folder = patient.settings.backup.folder
    if folder is not None:
        try:
            if not backups.off_the_card(home, folder):
                yield ok(f"{folder} {SAME_CARD}", "set [backup] folder to another medium")
        except KioskError as error:
            yield unknown(f"the folder of [backup] cannot be used now: {error}", f"findmnt {folder}")


def _gallery(home: Home) -> Gallery:
    if not home.database.exists():
        raise BackupError(f"{home.database}: there is no gallery yet: enrol somebody first")
    return open_gallery(home)


def _asked() -> str:
    return ask("Recovery passphrase")


def _told(home: Home, header: Header, vault: Vault | None) -> str:
    if vault is not None and header.believed(vault):
        if backups.opens_with(home, vault, header) is not None:
            return "opens with the key that is here"
        return "of before an erasure: opens with the recovery passphrase alone"
    return "of another gallery or key: opens with its recovery passphrase"


def _row(header: Header) -> Row:
    return {"created": header.created, "gallery": header.gallery, "generation": header.generation}
