"""How a SQLite file is made, looked at and known again. Standard library only.

No process of ours has a descriptor on the file, its -wal or its -shm but SQLite's own. On POSIX, closing any descriptor
of a file drops every fcntl lock that the process holds on it, and SQLite's locks are such locks. Another command would
then take itself for the only user, and delete the -wal under the one that writes
(https://www.sqlite.org/howtocorrupt.html#posix_close_bug). Ask for the file by its path: stat, chmod, rename.
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
"""What is known of the file, its -wal and its -shm; empty for one that is not there."""

_MAKES_NO_INDEX = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
"""How SQLite fails where it has to make or to fill a -shm, and the disk is full or read-only."""


def make(path: Path) -> bool:
    """An empty file with mode 0600, where there is none: SQLite gives its -wal and -shm the same mode and owner.

    It is made under another name, closed, and only then linked to its own name: of two processes that make it at once,
    one is first, and both use the same file. True when it was made now. Raises OSError, also for what is no regular
    file or cannot be written.
    """
    made = not os.path.lexists(path) and _link_new(path)
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    # SQLite would only say that it cannot open the file. access() also answers for a read-only file system.
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
    """Remembers which files an open database consists of: SQLite goes on writing into a file that was deleted."""

    def __init__(self, path: Path) -> None:
        """Right after a connection was opened that writes: it has made the -wal and the -shm."""
        self._path = path
        self._files = _identity(path)
        self._size = 0
        self._overwritten = False

    @property
    def holds(self) -> bool:
        """Whether none of the files was moved, removed or replaced. If one was, what is written now is lost."""
        if _identity(self._path) != self._files:
            return False
        with suppress(OSError):
            size = self._path.stat().st_size
            # Shorter: somebody has vacuumed it, or copied another file over it, to which the -wal does not belong.
            if size < self._size:
                self._overwritten = self._overwritten or size == 0 or not _fits_together(self._path)
            self._size = size
        return not self._overwritten

    def complete(self, connection: sqlite3.Connection) -> None:
        """When it holds no more: leaves nothing behind that harms a file. Does what it can and never raises.

        SQLite would take the -wal for that of the file which now stands in the old place, and destroy this file. So
        what stands in the -wal is written into the file that was moved, where it would be missing, and the -wal is
        emptied. Where another file was copied over the old one there is nothing left to write it into.
        """
        if self.holds:
            return
        main, wal, index = _identity(self._path)
        if main == self._files[0] and index != self._files[2]:
            return  # others may be connected through another -shm, with locks that do not hold between them and us
        with suppress(sqlite3.Error, OSError):
            if not self._overwritten:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            elif wal == self._files[1]:
                os.truncate(_all(self._path)[1], 0)


def _all(path: Path) -> tuple[Path, Path, Path]:
    return path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _fits_together(path: Path) -> bool:
    """Whether a connection that has nothing in memory yet finds file and -wal whole. True where it cannot tell."""
    uri = f"{path.as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _identity(path: Path) -> Files:
    return _looked_up(path, lambda status: (status.st_dev, status.st_ino))


def _stamp(path: Path) -> Files:
    """Another one after each change of any of the files. Without the inode's own time: as root, SQLite gives each -wal
    that it opens to the owner of the file, and that moves it."""
    return _looked_up(path, lambda s: (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns))


def _looked_up(path: Path, facts: Callable[[os.stat_result], tuple[int, ...]]) -> Files:
    def look(name: Path) -> tuple[int, ...]:
        with suppress(OSError):
            return facts(name.stat())
        return ()

    return tuple(look(name) for name in _all(path))


class Look:
    """A connection that reads and changes nothing: it makes, fills and deletes no file, and needs no lock of a writer.

    Where somebody is connected (there are a -wal and a -shm) it reads as SQLite does beside a writer. Where nobody is,
    SQLite would have to make both files, on a card that may be full or read-only. The file is then read as it lies,
    without a lock: what was read counts only if it was `undisturbed` until then.
    """

    def __init__(self, path: Path, busy_seconds: float) -> None:
        """Raises sqlite3.Error."""
        self._path = path
        self._busy_seconds = busy_seconds
        self._lying: Files | None = None
        self.connection = self._shared() or self._as_it_lies()

    @property
    def undisturbed(self) -> bool:
        """Whether nobody has changed anything since this was opened, or could not disturb it."""
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
                # Left by a process that was killed. An index in memory instead of a -shm: without locks, and so not in
                # a process with another connection to this file; there the shared way works.
                connection = self._connect("mode=ro&vfs=unix-none")
                connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                return connection
        return self._connect("mode=ro&immutable=1")

    def _connect(self, how: str) -> sqlite3.Connection:
        uri = f"{self._path.as_uri()}?{how}"
        return sqlite3.connect(uri, uri=True, timeout=self._busy_seconds, check_same_thread=False)
