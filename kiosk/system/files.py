"""Locks on files, and names that survive power loss. Standard library only."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync(path: Path) -> None:
    """Makes what a file or folder holds survive power loss: of a folder the names in it. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def lock(file: int) -> None:
    """Locks an open file (its descriptor) against all other processes, until it is closed; the system does that for a
    process that dies. Raises BlockingIOError when another one holds it, OSError where there are no locks."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """A file that is locked inside, by its descriptor: for this user only, and made where it is missing. A folder is
    locked as it is. Raises BlockingIOError when another process holds it, OSError when it cannot be opened."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        lock(file)
        yield file
    finally:
        os.close(file)


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock. Makes no file and keeps nobody out. Raises OSError, FileNotFoundError
    where there is nothing."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
