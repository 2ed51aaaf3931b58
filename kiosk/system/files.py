"""Locks files, and syncs files and folders to disk. Uses only the standard library."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync(path: Path) -> None:
    """Makes the content of a file, or the names in a folder, survive power loss. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def lock(file: int) -> None:
    """Locks an open file (its descriptor) against all other processes until it is closed. The system closes the files
    of a process that dies. Raises BlockingIOError when another process holds the lock, OSError if locks are not
    supported."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Locks a file during the block and yields its descriptor. Makes the file if it is missing, only for this user.
    Also locks a folder. Raises BlockingIOError when another process holds the lock, OSError when it cannot be
    opened."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
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
