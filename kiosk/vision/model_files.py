"""The files of networks: their folder, who may write them, and how they are read."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from kiosk.domain.errors import HomeError, ModelError
from kiosk.system.files import read_at_most
from kiosk.system.owner import owner_of

PACKAGED = Path(__file__).resolve().parent.parent / "_models"
CHECKOUT = Path(__file__).resolve().parent.parent.parent / "models"
LARGEST = 128 << 20
"""Largest network in bytes. A larger one is too large for a kiosk."""
LARGEST_TEXT = 1 << 20
"""Largest manifest or description in bytes."""


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a manifest or a description. Raises OSError when it cannot be read, ValueError when it is no TOML,
    too deep, or holds a number of thousands of digits."""
    try:
        return tomllib.loads(read_at_most(path, LARGEST_TEXT).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is too deep") from error


def read_file(path: Path) -> bytes:
    """Reads a plain file of at most LARGEST bytes. Raises OSError, ModelError."""
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
    """Raises ModelError for a folder or file that users other than root and this process's user may change or
    replace."""
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
    """The end of an error message about a file of `size` bytes."""
    return f"has {size / (1 << 20):.0f} MiB; a network here has at most {LARGEST >> 20}"


def default_folder() -> Path:
    """The folder with the networks of the installed package or of the checkout."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT
