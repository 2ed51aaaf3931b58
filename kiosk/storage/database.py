"""The SQLite file: how it is opened, what is refused, and what its errors mean to people.

Journal: WAL with synchronous=FULL. A commit is one append and one fsync of the -wal file, so that an acknowledged
transaction survives power loss; the rollback journal needs three or four fsyncs and synchronous=EXTRA for the same
promise (https://www.sqlite.org/pragma.html#pragma_synchronous). Commands may also read while the kiosk writes.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlite_utils

from kiosk.domain.errors import GalleryError
from kiosk.storage.home import give_to_owner, sync_folder
from kiosk.storage.migrations import APPLICATION_ID, KNOWN, MIGRATIONS

BUSY_SECONDS = 5.0
"""How long a command waits for another process's transaction."""

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}

_FULL_TEXT = "the disk is full: free some space and try again; nothing that was stored is lost"
_READ_ONLY_TEXT = (
    "the gallery cannot be written: see to the owner and rights of the file and its folder, and that the file system "
    "is not mounted read-only; nothing was changed"
)
_BUSY_TEXT = "another command is writing to the gallery: try again; nothing was changed"
_DAMAGED_TEXT = "keep it aside and put a copy back, or move it and gallery.key away and enrol again"
_OPEN_TEXT = "the gallery cannot be opened: see to the rights of the file and its folder, and that the disk is not full"


# secure_delete: what is removed is overwritten with zeros, not only unlinked from its page.
_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "cell_size_check=ON", "trusted_schema=OFF")


class Store(sqlite_utils.Database):
    """An open gallery file. For one thread at a time; it may be opened in one thread and used in another."""

    def __init__(self, connection: sqlite3.Connection, path: Path, read_only: bool) -> None:
        # Plug-ins of sqlite-utils that happen to be installed have no business in the gallery.
        super().__init__(connection, execute_plugins=False)
        self.path = path
        self.read_only = read_only
        self._files: tuple[tuple[int, int], ...] = ()

    def anchor(self) -> None:
        """Remembers which files these are; `transaction` acknowledges nothing that went into others."""
        self._files = self._identity()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """All rows of a query. Raises GalleryError."""
        with translated(self.path):
            return list(self.query(sql, parameters))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when it is left without an error. Raises GalleryError."""
        with translated(self.path):
            # IMMEDIATE: a transaction that reads first and writes later would otherwise fail beside another writer
            # without waiting for it.
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.commit()
            except BaseException:
                self.rollback()
                raise
            self._unmoved()

    def _identity(self) -> tuple[tuple[int, int], ...]:
        names = (self.path, self.path.with_name(self.path.name + "-wal"))
        return tuple((s.st_dev, s.st_ino) for s in (name.stat() for name in names))

    def _unmoved(self) -> None:
        # SQLite goes on writing into a file that was deleted; what is committed there is lost.
        try:
            same = self._identity() == self._files
        except FileNotFoundError:
            same = False
        if not same:
            raise GalleryError(f"{self.path}: the gallery was removed or replaced in use: put it back and restart")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the file system inside the block reach the caller as GalleryError with one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise GalleryError(f"{path}: {_meaning(error)}") from error
    except UnicodeError as error:
        # The driver's own way of failing on text, or on an error message, that a damaged file put there.
        raise damaged(path, "text that cannot be read") from error
    except OSError as error:
        raise GalleryError(f"{path}: {_system_meaning(error)}") from error


def _meaning(error: sqlite3.Error) -> str:
    code: int = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF
    if code in _FULL or primary in _FULL:
        return _FULL_TEXT
    if primary in _DAMAGED:
        return f"the gallery is damaged ({error}): {_DAMAGED_TEXT}"
    if primary in _BUSY:
        return _BUSY_TEXT
    if primary in _READ_ONLY:
        return _READ_ONLY_TEXT
    if primary == sqlite3.SQLITE_CANTOPEN:
        return _OPEN_TEXT
    if primary == sqlite3.SQLITE_IOERR:
        name = getattr(error, "sqlite_errorname", error)
        return f"the disk failed ({name}): check it and its cable or card; what was acknowledged before is kept"
    return f"the gallery cannot be used ({error}); nothing was changed"


def _system_meaning(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _FULL_TEXT
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return _READ_ONLY_TEXT
    return f"the gallery cannot be opened ({error.strerror}); nothing was changed"


def open_database(path: Path, read_only: bool = False, check: bool = True, busy_seconds: float = BUSY_SECONDS) -> Store:
    """Opens the gallery file, making or migrating it unless `read_only`.

    `check` reads every page for damage (about a second for 100 MB); a further connection of the same process may
    leave it out. Raises GalleryError when the file is newer than this program, damaged, not a gallery, not writable
    though it must be, not there though it must be, or the disk is full.
    """
    path = path.absolute()
    with translated(path):
        if not read_only:
            _make(path)
        elif not path.exists():
            raise GalleryError(f"{path}: there is no gallery yet: enrol somebody first")
        store = Store(_connect(path, read_only, busy_seconds), path, read_only)
        try:
            _prepare(store, check)
        except BaseException:
            store.close()
            raise
        return store


def _make(path: Path) -> None:
    """An empty file with the right mode: SQLite gives its -wal and -shm the mode and owner of the main file."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_mode & 0o177:
            os.fchmod(file, 0o600)
        if os.fstat(file).st_size == 0:
            give_to_owner(file, path.parent)
            sync_folder(path.parent)
    finally:
        os.close(file)


def _connect(path: Path, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
    wal = path.with_name(path.name + "-wal")
    mode = "rw"
    if read_only:
        # In a folder that cannot be written SQLite cannot make its -shm; without a -wal there is nothing to share.
        mode = "ro" if wal.exists() or os.access(path.parent, os.W_OK) else "ro&immutable=1"
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=busy_seconds, check_same_thread=False)


def _prepare(store: Store, check: bool) -> None:
    for pragma in _PRAGMAS:
        store.execute(f"PRAGMA {pragma}")
    _refuse_unknown(store)
    if check:
        _refuse_damaged(store)
    if store.read_only:
        if MIGRATIONS.pending(store):
            raise GalleryError(f"{store.path}: the gallery is of an older kiosk: start this one once to update it")
        return
    if store.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        raise GalleryError(f"{store.path}: this file system cannot hold the gallery (no WAL): use a local disk")
    store.execute("BEGIN IMMEDIATE")
    try:
        # One transaction around them all: two first commands at once do not trip over each other.
        MIGRATIONS.apply(store)
        store.commit()
    except BaseException:
        store.rollback()
        raise
    store.anchor()


def _refuse_unknown(store: Store) -> None:
    """Before anything is written: somebody else's database and a newer one stay as they are."""
    ours = store.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours and store.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise GalleryError(f"{store.path}: this is not a kiosk's gallery: name another home with --home")
    newer = [migration.name for migration in MIGRATIONS.applied(store) if migration.name not in KNOWN]
    if newer:
        raise GalleryError(
            f"{store.path}: the gallery is of a newer kiosk ({newer[-1]}): update this program; nothing was changed"
        )


def _refuse_damaged(store: Store) -> None:
    finding = store.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise damaged(store.path, " ".join(finding.split()))


def damaged(path: Path, finding: str) -> GalleryError:
    """To be raised for content that this program cannot have written."""
    return GalleryError(f"{path}: the gallery is damaged ({finding}): {_DAMAGED_TEXT}")


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds: texts of equal length, so that they sort like the times.

    Raises ValueError for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone cannot be stored")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def to_time(text: str) -> datetime:
    """The inverse of to_text. Raises GalleryError for what is not such a time."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise GalleryError(f"the gallery is damaged (a time reads {text!r}): {_DAMAGED_TEXT}") from error
