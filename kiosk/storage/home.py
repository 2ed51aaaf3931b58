"""The home folder, which holds the gallery and its key. It allows only one running kiosk."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kiosk.domain.errors import HomeBusyError, HomeError
from kiosk.system.owner import refuse_root


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder, given by its path. Only `prepare` and `lock` access it."""

    folder: Path

    @property
    def database(self) -> Path:
        """The file with subjects, references and the audit log."""
        return self.folder / "gallery.db"

    @property
    def key(self) -> Path:
        """The file with the 32 bytes that encrypt the templates."""
        return self.folder / "gallery.key"

    @property
    def lock_file(self) -> Path:
        """The file that `kiosk run` locks. It holds the process id."""
        return self.folder / "kiosk.lock"

    def prepare(self) -> None:
        """Makes the folder with mode 0700 if it is missing. Raises HomeError when it cannot be written to."""
        refuse_root(self.folder)
        try:
            _make(self.folder)
            mode = self.folder.stat().st_mode
        except OSError as error:
            raise HomeError(
                f"{self.folder}: the home folder cannot be used ({_why(error)}): name another one with --home"
            ) from error
        if mode & stat.S_IWOTH:
            raise HomeError(f"{self.folder}: others may write in this home folder: chmod 700 {self.folder}")
        # access() also detects a file system that is or became read-only.
        if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            raise HomeError(
                f"{self.folder}: the home folder cannot be written: see to its owner and file system, "
                "or name another one with --home"
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Locks this home against a second `kiosk run`. The system frees the lock when the process dies.

        Other commands do not take the lock: SQLite's own locks let them work beside a running kiosk. Raises HomeError
        when another process holds the lock or the file cannot be written.
        """
        self.prepare()
        try:
            file = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(f"{self.lock_file}: the home cannot be locked: {_why(error)}") from error
        try:
            self._take(file)
            yield
        finally:
            os.close(file)

    def _take(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise HomeBusyError(
                f"{self.folder}: another kiosk (pid {pid}) uses this home: stop it first, or name another with --home"
            ) from error
        except OSError as error:
            raise HomeError(f"{self.lock_file}: the home cannot be locked: {_why(error)}") from error
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as error:
            raise HomeError(f"{self.lock_file}: the home cannot be locked: {_why(error)}") from error


def sync_folder(folder: Path) -> None:
    """Makes names that were added to a folder survive power loss. Raises OSError."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _make(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two first commands at once may both find no folder. A file with this name is detected below.
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20))


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
