"""Makes backups beside a running kiosk, keeps them in a folder, and removes those that are too many.

SQLite copies the gallery at one moment into a file that has no name any more, so that nothing of it is left when the
process dies; that copy is encrypted into the backup.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import BackupError, os_trouble
from kiosk.storage import backup_keys, recovery
from kiosk.storage.audit import Audit
from kiosk.storage.backup_format import MOST_ERASED, Header, opened, write
from kiosk.storage.database import Store, to_text
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.roster import Roster
from kiosk.storage.sealed import SealedRows
from kiosk.storage.troubles import translated
from kiosk.storage.vault import Vault
from kiosk.system.files import locked, sync

MADE, EXPORTED = AuditOutcome.BACKUP_MADE, AuditOutcome.BACKUP_EXPORTED
"""Outcomes of a BACKUP record: into the folder; elsewhere."""
NO_PAPER = (
    "without a recovery passphrase nobody could open a backup once this card is dead: make one first: "
    "kiosk keys recovery"
)
_NAME = re.compile(r"kiosk-([0-9a-f]{16})-([0-9]{8}T[0-9]{12})Z\.backup")
_STAMP = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, slots=True)
class Found:
    """A backup in a folder, by its name alone."""

    path: Path
    gallery: str
    at: datetime


def gallery_id(store: Store) -> str:
    """The gallery's random name, which is made on first use. Raises GalleryError."""
    sql = "SELECT value FROM meta WHERE key = 'gallery_id'"
    found = store.rows(sql)
    if not found:
        with store.transaction():
            store.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('gallery_id', ?)", [secrets.token_hex(8)])
        found = store.rows(sql)
    return str(found[0]["value"])


def to_folder(home: Home, gallery: Gallery, folder: Path, daily: int, weekly: int) -> Path:
    """Makes a backup in a folder, and removes those of this gallery that are too many (`kept`), or that are of before
    an erasure. Raises KioskError; then no backup was made, and none removed."""
    if not folder.is_dir():
        raise BackupError(f"{folder}: this folder is not there: put its medium in and mount it, or see to [backup]")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BackupError(
            f"{folder}: cannot be written: put its medium in and mount it, or see to its owner and rights"
        )
    now = datetime.now(UTC)
    name = gallery_id(gallery.store)
    path = folder / f"kiosk-{name}-{now:{_STAMP}}Z.backup"
    with alone(home):
        for left in folder.glob(f".kiosk-{name}-*.backup.part"):  # of a process that died
            left.unlink(missing_ok=True)
        header = _to_file(home, gallery, path, now)
    _record(gallery.store, now, MADE, header, off_the_card(home, folder))
    own = [found for found in in_folder(folder) if found.gallery == header.gallery]
    wanted = kept((found.at for found in own), daily, weekly)
    for found in own:
        if found.path != path and (found.at not in wanted or _of_before(found.path, header.period)):
            with suppress(OSError):
                found.path.unlink()
    with suppress(OSError):
        sync(folder)
    return path


def to_file(home: Home, gallery: Gallery, path: Path) -> None:
    """Makes a backup that somebody takes away. Raises KioskError; then there is none."""
    if path.exists():
        raise BackupError(f"{path}: there is a file of this name: name another, or remove it")
    now = datetime.now(UTC)
    with alone(home):
        header = _to_file(home, gallery, path, now)
    _record(gallery.store, now, EXPORTED, header, off_the_card(home, path.parent))


def to_stream(home: Home, gallery: Gallery, out: Callable[[bytes], object]) -> None:
    """Writes a backup to whoever reads it, elsewhere. Raises KioskError, and the errors of `out`."""
    now = datetime.now(UTC)
    with alone(home):
        header = _written(home, gallery, now, out)
    _record(gallery.store, now, EXPORTED, header, True)


def off_the_card(home: Home, folder: Path) -> bool:
    """Whether the folder is on another file system than the home. Raises BackupError."""
    try:
        return folder.stat().st_dev != home.folder.stat().st_dev
    except OSError as error:
        raise BackupError(os_trouble(error)) from error


def in_folder(folder: Path) -> list[Found]:
    """The backups in a folder, of all galleries, oldest first. Raises BackupError."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise BackupError(os_trouble(error)) from error
    matches = [(name, _NAME.fullmatch(name)) for name in names]
    found = [Found(folder / name, m[1], at) for name, m in matches if m and (at := _moment(m[2])) is not None]
    return sorted(found, key=lambda each: each.at)


def kept(times: Iterable[datetime], daily: int, weekly: int) -> set[datetime]:
    """Of each of the newest `daily` days that have a backup the newest one, and of each of the newest `weekly` weeks
    (ISO 8601), all in UTC. `daily` is 1 at least, so that the newest of all is always among them."""
    newest_first = sorted(times, reverse=True)
    days: dict[object, datetime] = {}
    weeks: dict[object, datetime] = {}
    for at in newest_first:
        days.setdefault(at.date(), at)
        weeks.setdefault(at.isocalendar()[:2], at)
    return {*list(days.values())[:daily], *list(weeks.values())[:weekly]}


def end_period(home: Home, gallery: Gallery) -> None:
    """After an erasure: destroys the key of the backups of before, if there is one. Raises KioskError."""
    with alone(home):
        if (home.folder / backup_keys.FILE).exists():
            period = len(gallery.erased())
            backup_keys.key_of_period(home.folder, gallery.vault, gallery_id(gallery.store), period)


def of_before(folder: Path, gallery: Gallery) -> list[Path]:
    """The backups of this gallery in a folder that are of before an erasure. Raises KioskError."""
    name, period = gallery_id(gallery.store), len(gallery.erased())
    return [each.path for each in in_folder(folder) if each.gallery == name and _of_before(each.path, period)]


def newest(store: Store, off_card: bool = False) -> AuditRecord | None:
    """The record of the newest backup that was made; with `off_card` of those that have left the card. Raises
    GalleryError."""
    for record in Audit(store).newest_first([AuditKind.BACKUP]):
        if record.outcome in {MADE, EXPORTED} and (record.detail.get("off_card") or not off_card):
            return record
    return None


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Waits until no other process makes a backup, or ends a period of them. Raises BackupError."""
    try:
        with locked(home.folder / "backup.lock", wait=True):
            for left in home.folder.glob(".copy.*"):  # of a process that died; never with anything in it
                left.unlink(missing_ok=True)
            yield
    except OSError as error:
        raise BackupError(os_trouble(error)) from error


def _to_file(home: Home, gallery: Gallery, path: Path, now: datetime) -> Header:
    draft = path.with_name(f".{path.name}.part")
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "wb") as out:
                header = _written(home, gallery, now, out.write)
                out.flush()
                os.fsync(file)
            draft.rename(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        sync(path.parent)
    except OSError as error:
        raise BackupError(f"{path.parent}: no backup was made: {os_trouble(error)}") from error
    return header


def _written(home: Home, gallery: Gallery, now: datetime, out: Callable[[bytes], object]) -> Header:
    store, vault = gallery.store, gallery.vault
    public = recovery.public(store, vault)
    if public is None:
        raise BackupError(NO_PAPER)
    name = gallery_id(store)
    with _copy(store, vault) as (roster, file):
        period = len(roster.erased)
        key = backup_keys.key_of_period(home.folder, vault, name, period)
        header = Header(
            gallery=name,
            period=period,
            generation=roster.generation,
            created=to_text(now),
            size=os.fstat(file).st_size,
            salt=secrets.token_hex(16),
            recovery_salt=public[0].hex(),
            recovery=backup_keys.for_recovery(key, public[1], name, period).hex(),
            erased=dict(sorted(roster.erased.items(), key=lambda item: item[1])[-MOST_ERASED:]),
        ).proven(vault)
        write(header, key, lambda length: _read(file, length), out)
    return header


@contextmanager
def _copy(store: Store, vault: Vault) -> Iterator[tuple[Roster, int]]:
    """The gallery as it is now, in a file without a name: its roster, and the file's descriptor for reading. No other
    process knows the file, so that nobody's locks are lost when the descriptor is closed."""
    path = store.path.with_name(f".copy.{secrets.token_hex(4)}")
    try:
        with translated(store.path):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            target = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
            for pragma in ("journal_mode=OFF", "synchronous=OFF"):  # the first one opens the file
                target.execute(f"PRAGMA {pragma}")
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        path.unlink(missing_ok=True)
    with closing(target):
        try:
            yield store.snapshot(lambda: _copied(store, vault, target)), file
        finally:
            os.close(file)


def _copied(store: Store, vault: Vault, target: sqlite3.Connection) -> Roster:
    roster = SealedRows(store, vault).roster()
    store.conn.backup(target)
    return roster


def _read(file: int, length: int) -> bytes:
    content = b""
    while len(content) < length and (more := os.read(file, length - len(content))):
        content += more
    return content


def _of_before(path: Path, period: int) -> bool:
    """Whether it is a backup of an earlier period. What cannot be read is left where it is."""
    try:
        with opened(path) as backup:
            return backup.header.period < period
    except BackupError:
        return False


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _record(store: Store, now: datetime, outcome: AuditOutcome, header: Header, off_card: bool) -> None:
    detail = {"off_card": off_card, "generation": header.generation, "bytes": header.size}
    Audit(store).append([AuditRecord(AuditKind.BACKUP, now, outcome=outcome, detail=dict(detail))])


def opens_with(home: Home, vault: Vault, header: Header) -> bytes | None:
    """The period's key of this backup, if this home still has it and the backup was made with this master key. Raises
    BackupError."""
    if not header.believed(vault):
        return None
    return backup_keys.known_key(home.folder, vault, header.gallery, header.period)
