"""Messages about the gallery's file for people: one line for each error of SQLite and of the disk."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.domain.errors import GalleryError, GalleryLostError

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}

_FULL_TEXT = "the disk is full: free some space and try again; nothing that was stored is lost"
_READ_ONLY_TEXT = (
    "the gallery cannot be written: see to the owner and rights of the file and its folder, and that the file system "
    "is not mounted read-only; nothing was changed"
)
BUSY_TEXT = "another command is writing to the gallery: try again; nothing was changed"
DAMAGED_TEXT = (
    "put a backup back, which sets this one aside: kiosk restore FILE; without one move it and gallery.key away and "
    "enrol again"
)
TAMPERED_TEXT = (
    "find out who can write to this folder, and put a backup back, which sets this one aside: kiosk restore FILE; or "
    "move it and its key away and enrol everybody again"
)
OLDER_TEXT = "the gallery is of an older kiosk: start this one once to update it"
OPEN_TEXT = "the gallery cannot be opened: see to the rights of the file and its folder, and that the disk is not full"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns errors of SQLite and of the file system in the block into a GalleryError of one line."""
    try:
        yield
    except sqlite3.Error as error:
        kind = GalleryLostError if _code(error) & 0xFF in _DAMAGED else GalleryError
        raise kind(f"{path}: {_meaning(error)}") from error
    except (UnicodeEncodeError, OverflowError) as error:
        # The fault is in the value to store or find, not in the file.
        raise GalleryError(f"{_unfit(error)}; nothing was changed") from error
    except UnicodeError as error:
        # The driver fails like this on text or an error message from a damaged file.
        raise damaged(path, "text that cannot be read") from error
    except OSError as error:
        raise GalleryError(f"{path}: {_system_meaning(error)}") from error


def _unfit(error: UnicodeEncodeError | OverflowError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object!r} is no text in UTF-8: write it in letters that this terminal sends as UTF-8"
    return "a number is too large for the gallery"


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0))


def _meaning(error: sqlite3.Error) -> str:
    code = _code(error)
    primary = code & 0xFF
    if code in _FULL or primary in _FULL:
        return _FULL_TEXT
    if primary in _DAMAGED:
        return f"the gallery is damaged ({error}): {DAMAGED_TEXT}"
    if primary in _BUSY:
        return BUSY_TEXT
    if primary in _READ_ONLY:
        return _READ_ONLY_TEXT
    if primary == sqlite3.SQLITE_CANTOPEN:
        return OPEN_TEXT
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


def damaged(path: Path, finding: str) -> GalleryError:
    """The error for content that this program cannot have written."""
    return GalleryError(f"{path}: the gallery is damaged ({finding}): {DAMAGED_TEXT}")
