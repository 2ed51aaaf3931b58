"""The files of networks: in which folder they are, who may have written them, and how they are read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kiosk.domain.errors import HomeError, ModelError
from kiosk.system.owner import owner_of

PACKAGED = Path(__file__).resolve().parent.parent / "_models"
CHECKOUT = Path(__file__).resolve().parent.parent.parent / "models"
LARGEST = 128 << 20
"""Bytes of a network. A larger one has no place beside a door."""


def read_file(path: Path) -> bytes:
    """A plain file of a size that a network has. Raises OSError, ModelError."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path}: is no file")
        if status.st_size > LARGEST:
            raise ModelError(f"{path}: {too_large(status.st_size)}")
        with open(file, "rb", closefd=False) as opened:
            return opened.read(LARGEST + 1)
    finally:
        os.close(file)


def refuse_bendable(path: Path) -> None:
    """Raises ModelError for a folder or file that others than root and whoever runs this may change or replace."""
    try:
        other = owner_of(path)
    except HomeError as error:
        raise ModelError(f"{path}: everybody may change which networks run: {error}") from error
    if other is not None:
        raise ModelError(
            f"{path}: {other.name} may change which networks run: all of its path must belong to root"
            f"{'' if os.geteuid() == 0 else ' or to this user'}"
        )
    if path.exists() and path.stat().st_mode & stat.S_IWOTH:
        raise ModelError(f"{path}: everybody may change which networks run: chmod o-w {path}")


def too_large(size: int) -> str:
    """For the message about a file of that many bytes."""
    return f"has {size / (1 << 20):.0f} MiB; a network here has at most {LARGEST >> 20}"


def default_folder() -> Path:
    """Where the installed package, or the checkout, keeps its networks."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT
