"""The outbox's file: opens it, allows only one kiosk-notify to use it, and moves a damaged one aside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kiosk.domain.errors import OutboxError
from kiosk.system import sqlite_file
from kiosk.system.files import is_locked, locked, make_folder, sync
from kiosk.system.owner import refuse_root
from kiosk.system.systemd import log

BUSY_SECONDS = 5.0
"""Longest wait for another process's transaction."""

UNUSABLE = (sqlite3.Error, UnicodeError, OverflowError)
"""What SQLite's driver raises. The last two: for text and numbers in a damaged file that cannot be what was written."""

_TABLES = """
CREATE TABLE IF NOT EXISTS waiting (
    position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    notifier TEXT NOT NULL,
    id TEXT NOT NULL,
    urgent INTEGER NOT NULL,
    sealed INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS waiting_notifier ON waiting (notifier, position);
CREATE TABLE IF NOT EXISTS gap (
    notifier TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (notifier, reason)
) STRICT;
CREATE TABLE IF NOT EXISTS seen (position INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY NOT NULL, run TEXT NOT NULL, sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS present (row INTEGER PRIMARY KEY CHECK (row = 1), conditions TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS health (
    notifier TEXT PRIMARY KEY NOT NULL, trouble TEXT NOT NULL, dropped INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Locks this outbox against a second kiosk-notify, and moves a damaged file aside.

    Raises OutboxError when another kiosk-notify runs or the folder cannot be used; HomeError for root in another user's
    folder.
    """
    refuse_root(path)
    with ExitStack() as stack:
        try:
            make_folder(path.parent, parents=True)
            stack.enter_context(locked(_lock_of(path)))
        except BlockingIOError as error:
            raise OutboxError(f"{path}: another kiosk-notify uses this outbox; stop it first") from error
        except OSError as error:
            raise OutboxError(f"{path}: the outbox cannot be kept here: {error.strerror}") from error
        _set_aside_if_damaged(path)
        yield


def in_use(path: Path) -> bool:
    """Whether a kiosk-notify uses this outbox now. Raises OutboxError when this user may not find out."""
    try:
        return is_locked(_lock_of(path))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutboxError(f"{path}: this user may not look at it ({error.strerror}): try with sudo") from error


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def open_outbox(path: Path) -> sqlite3.Connection:
    """Opens the outbox for use by any thread, one at a time. Raises OutboxError when it cannot be used."""
    try:
        return _connect(path)
    except (*UNUSABLE, OSError) as error:
        raise OutboxError(f"{path}: the outbox cannot be opened ({error}): check the place and its rights") from error


def _set_aside_if_damaged(path: Path) -> None:
    """Moves a damaged outbox aside, so that kiosk-notify can start. Its old notices are lost; new ones are not."""
    try:
        _connect(path).close()
    except (sqlite3.OperationalError, OSError):
        return  # not damaged but not accessible: opening it will report that
    except UNUSABLE as error:
        log("error", "outbox_damaged", path=str(path), error=str(error))
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                path.with_name(path.name + suffix).replace(path.with_name(f"{path.name}.damaged{suffix}"))


def _connect(path: Path) -> sqlite3.Connection:
    if sqlite_file.make(path):
        sync(path.parent)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if finding != "ok":
            raise sqlite3.DatabaseError(finding)
        connection.executescript(_TABLES)
    except BaseException:
        connection.close()
        raise
    return connection
