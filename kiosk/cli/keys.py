"""`kiosk keys`: the gallery's master key: who else can use it, a passphrase for its loss, and another key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import click

from kiosk.cli.console import ask, config_option, confirm, emit, json_option, pass_home, say, told_or_not
from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import VaultError
from kiosk.storage import recovery, rotation
from kiosk.storage.audit import Audit
from kiosk.storage.database import Store, open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.unlock import belongs
from kiosk.storage.vault import Vault


@click.group()
def keys() -> None:
    """The key of the gallery: status, recovery, recover, rotate."""


@keys.command()
@config_option
@json_option
@pass_home
def status(home: Home, config_file: object, as_json: bool) -> None:
    """Says where the key is, who else can use it, and whether there is a recovery passphrase."""
    with _opened(home) as store:
        there = recovery.there(store)
    if as_json:
        emit({"place": home.keys.place, "protection": home.keys.protection, "recovery": there})
        return
    say(f"key         {home.keys.place}", f"protection  {home.keys.protection}")
    say("recovery    " + ("a passphrase exists" if there else "none: without the key nobody can open the gallery"))


@keys.command("recovery")
@click.option("--yes", is_flag=True, help="Do not ask whether the earlier passphrase may end.")
@config_option
@pass_home
def make_recovery(home: Home, config_file: object, yes: bool) -> None:
    """Makes a passphrase that opens the gallery when the key is lost, and shows it once.

    Write it down and keep it away from the kiosk. An earlier passphrase ends. You are asked for it at once, so that
    what you have written down is known to work.
    """
    with _opened(home, read_only=False) as store:
        if recovery.there(store) and not yes:
            confirm("There is a passphrase already. Make another one, so that it ends?")
        key = home.keys.read()
        if key is None:
            raise VaultError(f"{home.keys.place}: there is no key yet: enrol somebody first")
        say(recovery.make(store, key))
        _record(store, AuditOutcome.RECOVERY_MADE)
        if recovery.master_key(store, ask("Write it down. Now type it from your paper")) != key:
            raise VaultError("the passphrase opens another gallery")
    with told_or_not():
        say("it works: keep it away from the kiosk")


@keys.command()
@config_option
@pass_home
def recover(home: Home, config_file: object) -> None:
    """Puts the key of a gallery back with its recovery passphrase, for example of a copy on a new board."""
    with closing(open_database(home.database, read_only=True)) as store:
        present = home.keys.read()
        if present is not None and belongs(store, Vault(present)):
            say("the key is there, and it is the right one: nothing was changed")
            return
        if present is not None:
            raise VaultError(f"{home.keys.place}: another gallery's key is there: move it away first")
        home.keys.write(recovery.master_key(store, ask("Recovery passphrase")))
    open_gallery(home, read_only=True).close()
    with told_or_not():
        say(f"the key is back: {home.keys.place}")


@keys.command()
@click.option("--everything", is_flag=True, help="Seal each record and template anew, with new keys, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@pass_home
def rotate(home: Home, config_file: object, everything: bool, yes: bool) -> None:
    """Gives the gallery another master key, for example when the old one may have been copied.

    Nobody is enrolled again. A running kiosk starts again by itself. The recovery passphrase ends: make another one.
    """
    if not yes:
        confirm("Give the gallery another key? Copies of it can then only be opened with a copy of the old key.")
    with _opened(home, read_only=False) as store:
        rotation.rotate(store, home.keys, everything)
    with told_or_not():
        say("the gallery has another key; make a new recovery passphrase: kiosk keys recovery")


@contextmanager
def _opened(home: Home, read_only: bool = True) -> Iterator[Store]:
    """The gallery's file, after it was opened with its key. Raises VaultError when the key does not fit."""
    with closing(open_gallery(home, read_only=read_only)) as gallery:
        yield gallery.store


def _record(store: Store, outcome: AuditOutcome) -> None:
    Audit(store).append([AuditRecord(AuditKind.KEY, datetime.now(UTC), outcome=outcome)])
