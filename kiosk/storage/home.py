"""The home folder, which holds the gallery and its key. It allows only one running kiosk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk.domain.errors import HomeBusyError, HomeError
from kiosk.storage.keys import KeyFile, KeySource
from kiosk.system.files import locked, make_folder
from kiosk.system.owner import refuse_root


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder, given by its path. Only `prepare` and `lock` access it."""

    folder: Path
    named_keys: KeySource | None = None
    """Where the key comes from, if it is not the file beside the gallery."""

    @property
    def keys(self) -> KeySource:
        """Where the key of the gallery comes from."""
        return self.named_keys or KeyFile(self.key)

    @property
    def database(self) -> Path:
        """The file with subjects, references and the audit log."""
        return self.folder / "gallery.db"

    @property
    def key(self) -> Path:
        """The file with the master key, if no other place is configured."""
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
        with ExitStack() as stack:
            try:
                file = stack.enter_context(locked(self.lock_file))
                os.ftruncate(file, 0)
                os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
            except BlockingIOError as error:
                raise HomeBusyError(
                    f"{self.folder}: another kiosk (pid {self._holder()}) uses this home: stop it first, or name "
                    "another with --home"
                ) from error
            except OSError as error:
                raise HomeError(f"{self.lock_file}: the home cannot be locked: {_why(error)}") from error
            yield

    def _holder(self) -> str:
        try:
            return self.lock_file.read_bytes()[:20].decode("ascii", "replace").strip() or "unknown"
        except OSError:
            return "unknown"


def _make(folder: Path) -> None:
    try:
        make_folder(folder, parents=True)
    except FileExistsError as error:
        raise NotADirectoryError(20, os.strerror(20)) from error


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
