"""Reads, makes and locks files, and syncs files and folders to disk. Uses only the standard library."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def sync(path: Path) -> None:
    """Makes the content of a file, or the names in a folder, survive power loss. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def read_at_most(path: Path, most: int) -> bytes:
    """The content of a plain file of at most `most` bytes. Checks the file before reading it: reading a pipe could
    block, and a device has no end. Raises OSError, also for a larger file and for anything but a plain file."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        content = opened.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes")
    return content


def replace(path: Path, content: bytes, mode: int = 0o600, group: int = -1) -> None:
    """Writes a small file in the place of an earlier one, with this mode and group (a number; -1: this process's).
    After power loss either the old or the new content is there, and the new one once this returned. Raises OSError."""
    with _draft(path, content) as draft:
        os.chown(draft, -1, group)
        draft.chmod(mode)
        draft.rename(path)


def rewrite(path: Path, content: bytes) -> None:
    """Writes a file in the place of one that is there, with its mode and owner. See `replace`. Raises OSError."""
    before = path.stat()
    with _draft(path, content) as draft:
        os.chown(draft, before.st_uid, before.st_gid)
        draft.chmod(stat.S_IMODE(before.st_mode))
        draft.rename(path)


def make_once(path: Path, content: bytes) -> None:
    """Writes a small file with mode 0600, whole, and keeps one that is there: also one that another process makes at
    the same moment. It survives power loss. Raises OSError."""
    with _draft(path, content) as draft, suppress(FileExistsError):
        os.link(draft, path)


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """The content on disk under another name during the block. Then syncs the folder."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:  # which goes on after a short write, on a card that is nearly full
            opened.write(content)
            opened.flush()
            os.fsync(file)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def make_folder(folder: Path, *, parents: bool = False) -> None:
    """Makes a folder with mode 0700, and with `parents` the missing folders above it, so that they survive power loss:
    what is synced in a new folder is lost with the folder's own name. Does nothing if it is there. Raises OSError."""
    if folder.is_dir():
        return
    if parents and folder.parent != folder:
        make_folder(folder.parent, parents=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # another process may make it at the same time
    sync(folder.parent)


def lock(file: int) -> None:
    """Locks an open file (its descriptor) against all other processes until it is closed. The system closes the files
    of a process that dies. Raises BlockingIOError when another process holds the lock, OSError if locks are not
    supported."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[int]:
    """Locks a file during the block and yields its descriptor. Makes the file if it is missing, only for this user.
    Also locks a folder. `wait`: waits for another process; else BlockingIOError. Raises OSError when it cannot be
    opened."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        if wait:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            lock(file)
        yield file
    finally:
        os.close(file)


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock. Makes no file and takes no lock. Raises OSError; FileNotFoundError if the
    file is missing."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
