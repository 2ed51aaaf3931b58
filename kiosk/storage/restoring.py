"""Restores a gallery from a backup: all or nothing, while no kiosk runs. The present one is set aside, never deleted.

Whoever was erased since the backup was made does not come back: the present gallery's list of erasures, those of the
other backups beside this one, and ids that somebody names are applied before the gallery counts. A restored gallery has
another epoch (storage.roster), so that it is told from one that somebody has put back.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import BackupError, KioskError, VaultError, os_trouble
from kiosk.storage import backup_keys, recovery
from kiosk.storage.audit import encode, insert
from kiosk.storage.backup_format import Backup, Header, opened
from kiosk.storage.backups import in_folder
from kiosk.storage.database import Store, open_database, to_text
from kiosk.storage.home import Home
from kiosk.storage.keys import Credential, KeySource
from kiosk.storage.passes import forget_passes
from kiosk.storage.roster import Roster
from kiosk.storage.sealed import SealedRows, write_roster
from kiosk.storage.unlock import belongs, unlock
from kiosk.storage.vault import Vault
from kiosk.system.files import make_folder, sync

"""The outcome of a BACKUP record."""
_DRAFT = ".restored."


@dataclass(frozen=True, slots=True)
class Opened:
    """What opens a backup: its period's key, and the passphrase if that was needed."""

    key: bytes
    passphrase: str | None


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. `aside`: the folder with the gallery of before, None if there was none. `unknown`: why the present
    gallery could not be asked who was erased; empty if it could. `changed`: how many people the gallery of before had
    who are not in the backup, or whose record was another one; None if it could not be read."""

    header: Header
    subjects: int
    erased: tuple[str, ...]
    aside: Path | None
    unknown: str
    changed: int | None
    passes: int
    """How many visitor passes of the backup are void."""


def open_key(home: Home, backup: Backup, ask: Callable[[], str], paper: bool = False) -> Opened:
    """The key of a backup: with the master key that is here, or with the recovery passphrase, which is then asked for;
    `paper`: with the passphrase in any case. Raises BackupError, VaultError."""
    header = backup.header
    master = None if paper else home.keys.read()
    if master is not None and header.believed(Vault(master)):
        known = backup_keys.known_key(home.folder, Vault(master), header.gallery, header.period)
        if known is not None:
            return Opened(known, None)
    passphrase = ask()
    pair = recovery.pair(passphrase, bytes.fromhex(header.recovery_salt))
    key = backup_keys.from_recovery(bytes.fromhex(header.recovery), pair, header.gallery, header.period)
    if key is None:
        raise VaultError(
            f"{backup.path}: this is not the recovery passphrase of this backup: look at each letter again"
        )
    return Opened(key, passphrase)


def check(backup: Backup, key: bytes) -> None:
    """Reads the whole backup. Raises BackupError."""
    for _ in backup.pieces(key):
        pass


def restore(
    home: Home, path: Path, ask: Callable[[], str], named: Collection[str], folders: Iterable[Path]
) -> Restored:
    """Restores a backup. Call it with the home locked (`Home.lock`). `named`: ids that were erased; `folders`: where
    other backups may be that know more erasures. Raises KioskError; then the present gallery is as it was."""
    sweep(home)
    draft = home.folder / f"{_DRAFT}{secrets.token_hex(4)}"
    try:
        with opened(path) as backup:
            key = open_key(home, backup, ask)
            _unpack(backup, key.key, draft)
            return _take(home, backup.header, key.passphrase, draft, named, [path.parent, *folders])
    finally:
        sweep(home)


def sweep(home: Home) -> None:
    """Removes what a restore that died has left."""
    for left in home.folder.glob(f"{_DRAFT}*"):
        with suppress(OSError):
            left.unlink()


def set_aside(home: Home) -> list[Path]:
    """The folders of galleries that were set aside."""
    return sorted(path for path in home.folder.glob("aside-*") if path.is_dir())


def _unpack(backup: Backup, key: bytes, draft: Path) -> None:
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            for piece in backup.pieces(key):
                out.write(piece)
            out.flush()
            os.fsync(file)
    except OSError as error:
        raise BackupError(f"{draft.parent}: the backup cannot be unpacked there: {os_trouble(error)}") from error


def _take(
    home: Home, header: Header, passphrase: str | None, draft: Path, named: Collection[str], folders: list[Path]
) -> Restored:
    """Makes the unpacked gallery what it must be, and puts it in its place."""
    with closing(open_database(draft)) as store:
        master = home.keys.read() if passphrase is None else recovery.master_key(store, passphrase)
        if master is None or not header.believed(Vault(master)):
            raise BackupError("this backup was put together by somebody without the gallery's key: take another one")
        _refuse_another(home.keys, master)
        vault = unlock(store, Credential(master, "of the backup"))
        before, unknown = _present(home, master)
        erased = {who: to_text(datetime.now(UTC)) for who in named}
        for list_ in (before.erased if before else {}, *_listed(folders, header.gallery, vault)):
            erased.update(list_)
        passes = int(store.rows("SELECT count(*) AS n FROM pass")[0]["n"])
        gone, subjects, changed = _renewed(store, vault, header, before, erased)
    aside = _swap(home, draft, master)
    return Restored(header, subjects, gone, aside, unknown, changed, passes)


def _renewed(
    store: Store, vault: Vault, header: Header, before: Roster | None, erased: Mapping[str, str]
) -> tuple[tuple[str, ...], int, int | None]:
    """Applies the erasures, begins a new epoch, and records it, in one transaction. Returns who was erased, how many
    are there, and how many the gallery of before had otherwise."""
    with store.transaction():
        rows = SealedRows(store, vault)
        rows.records()  # each can be believed
        versions = dict(rows.roster().versions)
        gone = tuple(sorted(set(erased) & set(versions)))
        for who in gone:
            rows.remove(who, datetime.now(UTC))
        if before is not None and before.turning > rows.roster().turning:
            rows.turn()  # a matrix that was given up since (`kiosk keys renew-templates`) does not come back
        roster = rows.roster().with_erased(erased)
        newest = max(roster.generation, before.generation if before else 0) + 1
        forget_passes(store)  # how often they were used since the backup is not known
        write_roster(store, vault, replace(roster, epoch=secrets.token_hex(8), generation=newest))
        numbers = {"generation": newest, "generation_was": header.generation, "erased": len(gone)}
        record = AuditRecord(AuditKind.BACKUP, datetime.now(UTC), outcome=AuditOutcome.RESTORED)
        insert(store, encode([replace(record, detail={"made_at": header.created, **numbers})]))
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    changed = None if before is None else sum(versions.get(who) != number for who, number in before.versions.items())
    return gone, len(versions) - len(gone), changed


def _refuse_another(keys: KeySource, master: bytes) -> None:
    present = keys.read()
    if present is not None and present != master:
        raise VaultError(
            f"{keys.place}: another key is there, of another gallery or of another time: move it away first"
        )


def _present(home: Home, master: bytes) -> tuple[Roster | None, str]:
    """The roster of the gallery that is here now; else why it cannot be asked."""
    if not home.database.exists():
        return None, ""
    try:
        with closing(open_database(home.database, read_only=True)) as store:
            if not belongs(store, Vault(master)):
                return None, "it has another key"
            return SealedRows(store, Vault(master)).roster(), ""
    except KioskError as error:
        return None, str(error)


def _listed(folders: list[Path], gallery: str, vault: Vault) -> Iterable[Mapping[str, str]]:
    """Who was erased by what the backups of this gallery in these folders say."""
    for folder in dict.fromkeys(folders):
        with suppress(BackupError):
            for found in in_folder(folder):
                with suppress(BackupError), opened(found.path) as backup:
                    if backup.header.gallery == gallery and backup.header.believed(vault):
                        yield backup.header.erased


def _swap(home: Home, draft: Path, master: bytes) -> Path | None:
    """Puts the restored gallery in the place of the present one, which gets another name first. The last step, one
    rename, is what makes the restored one count."""
    old = [home.database.with_name(home.database.name + end) for end in ("", "-wal", "-shm")]
    aside = home.folder / f"aside-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    try:
        sync(draft)
        there = [path for path in old if path.exists()]
        if there:
            _close(home)
            there = [path for path in old if path.exists()]
            make_folder(aside)
            for path in there:
                os.link(path, aside / path.name)
            sync(aside)
        if home.keys.read() is None:
            home.keys.write(master)
        for path in there[1:]:
            path.unlink()
        sync(home.folder)
        draft.rename(home.database)
        sync(home.folder)
    except OSError as error:
        raise BackupError(f"{home.folder}: the gallery could not be put in its place: {os_trouble(error)}") from error
    return aside if there else None


def _close(home: Home) -> None:
    """Has SQLite write what is in the -wal into the file, and remove it. A damaged gallery stays as it lies. Raises
    BackupError for a whole one that somebody else uses."""
    try:
        with closing(sqlite3.connect(f"{home.database.absolute().as_uri()}?mode=rw", uri=True, timeout=1.0)) as plain:
            plain.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return
    if home.database.with_name(home.database.name + "-wal").exists():
        raise BackupError(f"{home.database}: another command uses the gallery: try again")
