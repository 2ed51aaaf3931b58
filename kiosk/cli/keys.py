"""`kiosk keys`: the gallery's master key: who else can use it, a passphrase for its loss, another key; and another
matrix for its templates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from kiosk.cli.asking import Terminal, ask, confirm
from kiosk.cli.console import config_option, emit, json_option, pass_home, say, told_or_not
from kiosk.domain.audit import AuditOutcome
from kiosk.domain.errors import VaultError
from kiosk.storage import recovery, rotation
from kiosk.storage.audit import Audit
from kiosk.storage.database import Store, open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.keys import KeyFile
from kiosk.storage.passphrase import PassphraseKey
from kiosk.storage.unlock import belongs
from kiosk.storage.vault import Vault
from kiosk.system.files import sync
from kiosk.system.users import caller


@click.group()
def keys() -> None:
    """The key of the gallery: status, passphrase, recovery, recover, rotate, renew-templates."""


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
@click.option("--everything", is_flag=True, help="Seal each record and template anew, too. Visitor passes are void.")
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
        rotation.rotate(store, home.keys, everything, caller())
    with told_or_not():
        say("the gallery has another key; make a new recovery passphrase: kiosk keys recovery")


@keys.command("renew-templates")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@pass_home
def renew_templates(home: Home, config_file: object, yes: bool) -> None:
    """Turns all templates by another secret matrix, for example when some may have been copied.

    Nobody is enrolled again, and a running kiosk goes on with the new ones at once. A copied template then fits no
    reference of this gallery any more. Each renewal rounds the templates once more, which changes hardly any decision.
    """
    if not yes:
        confirm("Turn all templates by another matrix? Copies of the old ones then fit nothing any more.")
    with closing(open_gallery(home)) as gallery:
        count = rotation.renew_templates(gallery.store, gallery.vault, caller())
    with told_or_not():
        say(f"{count} reference(s) have new templates; nobody has to enrol again")


@keys.command()
@config_option
@pass_home
def passphrase(home: Home, config_file: object) -> None:
    """Chooses another passphrase for the key, or the first one ([keys] passphrase = true).

    A key that lay beside the gallery is sealed with it and then deleted there. The running kiosk is not disturbed.
    """
    source = home.keys
    if not isinstance(source, PassphraseKey):
        raise VaultError("the key has no passphrase: set passphrase = true in [keys] of the configuration first")
    home.prepare()
    plain = KeyFile(home.key)
    lying = plain.read()
    moved = lying is not None and not source.exists
    if lying is not None and moved:
        _seal(home, source, lying)
    elif source.exists:
        open_gallery(home).close()  # ends a change of the key that was cut off, and has the old passphrase
        source.change(Terminal().choose())
    with _opened(home, read_only=False) as store:
        _record(store, AuditOutcome.SEALED_BY_PHRASE)
    if lying is not None and source.read() == lying:
        plain.path.unlink()
        sync(home.folder)
    with told_or_not():
        say("the kiosk asks for it at each start: kiosk unlock")
        if moved:
            say("the card may still hold the old key: kiosk keys rotate")


def _seal(home: Home, source: PassphraseKey, key: bytes) -> None:
    """Seals the key that lies beside the gallery. Raises VaultError."""
    with closing(open_database(home.database, read_only=True)) as store:
        if not belongs(store, Vault(key)):
            raise VaultError(f"{home.key}: this key does not belong to the gallery: put the right key back first")
    source.write(key)


@contextmanager
def _opened(home: Home, read_only: bool = True) -> Iterator[Store]:
    """The gallery's file, after it was opened with its key. Raises VaultError when the key does not fit."""
    with closing(open_gallery(home, read_only=read_only)) as gallery:
        yield gallery.store


def _record(store: Store, outcome: AuditOutcome) -> None:
    Audit(store).append([rotation.key_record(outcome, caller())])
