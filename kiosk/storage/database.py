"""The SQLite file: opens it, and refuses unknown and damaged files.

Journal: WAL with synchronous=FULL. A commit is one append and one fsync of the -wal file, so that an acknowledged
transaction survives power loss; the rollback journal needs three or four fsyncs and synchronous=EXTRA for the same
promise (https://www.sqlite.org/pragma.html#pragma_synchronous). With WAL, commands can read while the kiosk writes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils

from kiosk.domain.errors import GalleryError, GalleryLostError
from kiosk.storage.migrations import APPLICATION_ID, KNOWN, MIGRATIONS, UNSEEN
from kiosk.storage.troubles import BUSY_TEXT, DAMAGED_TEXT, OLDER_TEXT, OPEN_TEXT, damaged, translated
from kiosk.system import sqlite_file
from kiosk.system.files import sync
from kiosk.system.sqlite_file import Anchor, Look

BUSY_SECONDS = 5.0
"""How long a command waits for another process's transaction."""
AGAIN_SECONDS = 0.02
LOOKS = 20
"""Most repetitions of a read that is disturbed because another process begins to use the file."""

T = TypeVar("T")

# secure_delete: removed data are overwritten with zeros, not only unlinked from their page.
_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "cell_size_check=ON", "trusted_schema=OFF")


class Store(sqlite_utils.Database):
    """An open gallery file. Only one thread may use it at a time; it may be opened in another thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path, look: Look | None = None) -> None:
        """`look`: the Look that a read-only connection belongs to."""
        # Plug-ins of sqlite-utils that happen to be installed must not run on the gallery.
        super().__init__(connection, execute_plugins=False)
        self.path = path
        self._look = look
        self._anchor: Anchor | None = None
        self.writing = False
        """Whether a transaction is under way, so that what is read may never be committed."""
        self.lost: str | None = None
        """Why the file must be opened again; None while it is usable."""

    @property
    def read_only(self) -> bool:
        """Whether this connection is read-only."""
        return self._look is not None

    def anchor(self) -> None:
        """Remembers the identity of the files, so that `transaction` fails when they were replaced."""
        self._anchor = Anchor(self.path)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """All rows of a query. Raises GalleryError."""
        return self.reading(lambda: list(self.query(sql, parameters)))

    def reading(self, read: Callable[[], T]) -> T:
        """The result of `read`, which only reads and may be repeated. Raises GalleryError."""
        with self._noticing(), translated(self.path):
            if self.conn.in_transaction:
                return read()
            return self.steady(read)

    def snapshot(self, read: Callable[[], T]) -> T:
        """The result of `read`, whose queries all see the gallery at one moment. Raises GalleryError."""

        def one_moment() -> T:
            if self.conn.in_transaction:
                return read()
            self.execute("BEGIN")
            try:
                return read()
            finally:
                self.rollback()

        with self._noticing(), translated(self.path):
            return self.steady(one_moment)

    def steady(self, read: Callable[[], T]) -> T:
        """The result of `read`. Repeats it if another process disturbed it (Look). Raises the errors of SQLite."""
        look = self._look
        if look is None:
            return read()
        for _ in range(LOOKS):
            try:
                found = read()
            except (sqlite3.Error, UnicodeError, GalleryError):
                if look.undisturbed:
                    raise
            else:
                if look.undisturbed:
                    return found
            self.close()
            self._look = look = Look(self.path, BUSY_SECONDS)
            self.conn = _prepared(look.connection)
        raise GalleryError(f"{self.path}: {BUSY_TEXT}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: all or nothing, and on disk when the block ends without an error. Raises GalleryError."""
        with self._noticing(), translated(self.path):
            # IMMEDIATE: otherwise a transaction that reads first and writes later would fail when another process
            # writes, without waiting for it.
            self.execute("BEGIN IMMEDIATE")
            self.writing = True
            try:
                yield
                self.commit()
            except BaseException:
                self.rollback()
                raise
            finally:
                self.writing = False
            self.confirm()

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except GalleryLostError as error:
            self.lost = str(error)
            raise

    def confirm(self) -> None:
        """Raises GalleryLostError when the gallery was moved, removed or replaced. Only a restart opens the new
        file."""
        if self._anchor is not None and not self._anchor.holds:
            raise GalleryLostError(
                f"{self.path}: the gallery (or its -wal or -shm, which belong to it) was moved, removed or replaced in "
                "use: put it back while the kiosk is stopped"
            )

    def complete(self) -> None:
        """Call it after GalleryLostError: completes the moved file and leaves nothing that harms another file. Never
        raises."""
        if self._anchor is not None:
            self._anchor.complete(self.conn)


def open_database(path: Path, read_only: bool = False, check: bool = True, busy_seconds: float = BUSY_SECONDS) -> Store:
    """Opens the gallery file, making or migrating it unless `read_only`; then nothing is made, changed or deleted.

    `check` reads every page for damage (about a second for 100 MB); a further connection of the same process may
    leave it out. Raises GalleryError when the file is newer than this program, damaged, not a gallery, not writable
    though it must be, not there though it must be, or the disk is full.
    """
    path = path.absolute()
    with translated(path):
        if read_only:
            return _open_to_look(path, check, busy_seconds)
        if sqlite_file.make(path):
            sync(path.parent)
        uri = f"{path.as_uri()}?mode=rw"
        store = Store(sqlite3.connect(uri, uri=True, timeout=busy_seconds, check_same_thread=False), path)
        try:
            _prepared(store.conn)
            _inspect(store, check)
            _update(store, busy_seconds)
        except BaseException:
            store.close()
            raise
        return store


def in_memory() -> Store:
    """An empty gallery that is nowhere."""
    store = Store(_prepared(sqlite3.connect(":memory:", check_same_thread=False)), Path(":memory:"))
    MIGRATIONS.apply(store)
    return store


def _open_to_look(path: Path, check: bool, busy_seconds: float) -> Store:
    try:
        there = path.exists() and path.stat().st_size > 0
    except PermissionError as error:
        raise GalleryError(f"{path}: {OPEN_TEXT}") from error
    if not there:
        raise GalleryError(f"{path}: there is no gallery yet: enrol somebody first")
    look = Look(path, busy_seconds)
    store = Store(look.connection, path, look)
    try:
        _prepared(store.conn)
        store.steady(lambda: _inspect(store, check))
    except BaseException:
        store.close()
        raise
    return store


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _inspect(store: Store, check: bool) -> None:
    """Checks the file before anything is written. An unknown or damaged file is not changed."""
    try:
        _refuse_unknown(store)
    except KeyError as error:  # a column of the list of steps has another name
        raise damaged(store.path, "its list of steps cannot be read") from error
    if check:
        _refuse_damaged(store)
    if store.read_only and any(step.name not in UNSEEN for step in MIGRATIONS.pending(store)):
        raise GalleryError(f"{store.path}: {OLDER_TEXT}")


def _journal_mode(store: Store, busy_seconds: float) -> str:
    """Changes a new file to WAL. SQLite itself does not wait here for another process that does the same, whatever its
    timeout is: two first commands at once would disturb each other."""
    until = time.monotonic() + busy_seconds
    while True:
        try:
            return str(store.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(AGAIN_SECONDS)


def _update(store: Store, busy_seconds: float) -> None:
    if _journal_mode(store, busy_seconds) != "wal":
        raise GalleryError(f"{store.path}: this file system cannot hold the gallery (no WAL): use a local disk")
    if MIGRATIONS.pending(store):
        store.execute("BEGIN IMMEDIATE")
        try:
            # One transaction around all steps, so that two first commands at once do not disturb each other.
            MIGRATIONS.apply(store)
            store.commit()
        except BaseException:
            store.rollback()
            raise
    store.anchor()


def _refuse_unknown(store: Store) -> None:
    """Refuses a database of another program or of a newer kiosk."""
    ours = store.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours and store.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise GalleryError(f"{store.path}: this is not a kiosk's gallery: name another home with --home")
    try:
        newer = [migration.name for migration in MIGRATIONS.applied(store) if migration.name not in KNOWN]
    except KeyError as error:  # the table of the steps has lost a column
        raise damaged(store.path, f"no column {error}") from error
    if newer:
        raise GalleryError(
            f"{store.path}: the gallery is of a newer kiosk ({newer[-1]}): update this program; nothing was changed"
        )


def _refuse_damaged(store: Store) -> None:
    finding = store.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise damaged(store.path, " ".join(finding.split()))
    if _ends_within_a_page(store):
        raise damaged(store.path, "its last page is cut off")


def _ends_within_a_page(store: Store) -> bool:
    """SQLite reads zeros for what is missing of the last page, and cannot tell them from a record. While there is a
    -wal with something in it, that page may be about to be written again."""
    wal = store.path.with_name(f"{store.path.name}-wal")
    if wal.exists() and wal.stat().st_size > 0:
        return False
    return store.path.stat().st_size % int(store.execute("PRAGMA page_size").fetchone()[0]) != 0


def to_text(moment: datetime) -> str:
    """A time as ISO 8601 in UTC with microseconds. All texts have the same length, so that they sort like the times.

    Raises ValueError for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone cannot be stored")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def to_time(text: str) -> datetime:
    """The inverse of to_text. Raises GalleryError for a text that is no such time."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise GalleryError(f"the gallery is damaged (a time reads {text!r}): {DAMAGED_TEXT}") from error
