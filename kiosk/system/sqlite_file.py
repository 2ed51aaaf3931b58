"""Makes a SQLite file, reads it without changes, and recognises whether it was replaced. Uses only the standard
library.

Only SQLite itself may open the file, its -wal or its -shm in our processes. On POSIX, closing any descriptor of a file
drops every fcntl lock that the process holds on it, and SQLite uses such locks. Another command would then take itself
for the only user and delete the -wal of the process that writes
(https://www.sqlite.org/howtocorrupt.html#posix_close_bug). So use only the file's path: stat, chmod, rename.
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

BUSY_SECONDS = 1.0
Files = tuple[tuple[int, ...], ...]
"""Facts about the file, its -wal and its -shm; an empty tuple for a missing file."""

_MAKES_NO_INDEX = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
"""SQLite's errors when it must make or fill a -shm and the disk is full or read-only."""


def make(path: Path) -> bool:
    """Makes an empty file with mode 0600 if there is none. SQLite gives its -wal and -shm the same mode and owner.

    The file is made under another name, closed, and then linked to its name, so that two processes at once end up with
    the same file. True when this call made it. Raises OSError, also if the path is no regular file or cannot be
    written.
    """
    made = not os.path.lexists(path) and _link_new(path)
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    # SQLite would only say that it cannot open the file. access() also detects a read-only file system.
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    if mode & 0o177:
        try:
            path.chmod(0o600, follow_symlinks=False)
        except NotImplementedError as error:  # a C library from before 2021, or a link since the line above
            raise OSError(errno.EINVAL, f"others may use it: chmod 600 {path}") from error
    return made


def _link_new(path: Path) -> bool:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
            return True
        return False
    finally:
        draft.unlink()


class Anchor:
    """Remembers which files belong to an open database, because SQLite continues to write into a deleted file."""

    def __init__(self, path: Path) -> None:
        """Call it directly after a writing connection was opened, because that makes the -wal and the -shm."""
        self._path = path
        self._files = _identity(path)
        self._size = 0
        self._overwritten = False

    @property
    def holds(self) -> bool:
        """Whether none of the files was moved, removed or replaced. If one was, writes are lost."""
        if _identity(self._path) != self._files:
            return False
        with suppress(OSError):
            size = self._path.stat().st_size
            # Shorter: it was vacuumed, or another file was copied over it, to which the -wal does not belong.
            if size < self._size:
                self._overwritten = self._overwritten or size == 0 or not _fits_together(self._path)
            self._size = size
        return not self._overwritten

    def complete(self, connection: sqlite3.Connection) -> None:
        """Call it once `holds` is false: leaves nothing that could harm a file. Does what is possible and never raises.

        SQLite would apply the -wal to the file that is now in the old place, and destroy it. So the content of the -wal
        is written into the moved file, where it belongs, and the -wal is emptied. If another file was copied over the
        old one, the old one no longer exists and the content cannot be saved.
        """
        if self.holds:
            return
        main, wal, index = _identity(self._path)
        if main == self._files[0] and index != self._files[2]:
            return  # others may be connected through another -shm, whose locks do not protect us from each other
        with suppress(sqlite3.Error, OSError):
            if not self._overwritten:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            elif wal == self._files[1]:
                os.truncate(_all(self._path)[1], 0)


def _all(path: Path) -> tuple[Path, Path, Path]:
    return path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _fits_together(path: Path) -> bool:
    """Whether a new connection, with nothing cached, finds file and -wal undamaged. True if it cannot tell."""
    uri = f"{path.as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _identity(path: Path) -> Files:
    return _looked_up(path, lambda status: (status.st_dev, status.st_ino))


def _stamp(path: Path) -> Files:
    """A stamp that changes with each change of any of the files. Leaves out the inode's change time, because SQLite as
    root gives each -wal that it opens to the file's owner, which changes that time."""
    return _looked_up(path, lambda s: (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns))


def _looked_up(path: Path, facts: Callable[[os.stat_result], tuple[int, ...]]) -> Files:
    def look(name: Path) -> tuple[int, ...]:
        with suppress(OSError):
            return facts(name.stat())
        return ()

    return tuple(look(name) for name in _all(path))


class Look:
    """A connection that only reads: it makes, fills and deletes no file, and does not wait for a writer.

    If another process is connected (there are a -wal and a -shm) it reads as SQLite does beside a writer. If none is,
    SQLite would have to make both files, on a card that may be full or read-only. So the file is then read without a
    lock. A result is valid only if the connection is still `undisturbed` after the read.
    """

    def __init__(self, path: Path, busy_seconds: float) -> None:
        """Opens the connection. Raises sqlite3.Error."""
        self._path = path
        self._busy_seconds = busy_seconds
        self._lying: Files | None = None
        self.connection = self._shared() or self._as_it_lies()

    @property
    def undisturbed(self) -> bool:
        """Whether the files are unchanged since this was opened, or this connection uses locks."""
        return self._lying is None or self._lying == _stamp(self._path)

    def _shared(self) -> sqlite3.Connection | None:
        if not all(_identity(self._path)):
            return None
        connection = self._connect("mode=ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF not in _MAKES_NO_INDEX:
                raise
            return None
        except BaseException:
            connection.close()
            raise
        return connection

    def _as_it_lies(self) -> sqlite3.Connection:
        self._lying = _stamp(self._path)
        _, wal, _ = _all(self._path)
        with suppress(FileNotFoundError):
            if wal.stat().st_size:
                # A killed process left the -wal. Read it with an index in memory instead of a -shm, and without locks.
                # This is not for a process with another connection to this file; there _shared() works.
                connection = self._connect("mode=ro&vfs=unix-none")
                connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                return connection
        return self._connect("mode=ro&immutable=1")

    def _connect(self, how: str) -> sqlite3.Connection:
        uri = f"{self._path.as_uri()}?{how}"
        return sqlite3.connect(uri, uri=True, timeout=self._busy_seconds, check_same_thread=False)
