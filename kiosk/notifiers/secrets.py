"""Reads passwords and keys of notifiers. Each has a file of its own, because three processes read the configuration."""

from __future__ import annotations

import stat
from pathlib import Path

from kiosk.domain.errors import NotifierError
from kiosk.system.files import read_at_most

LARGEST = 64 * 1024
"""Largest file of a secret in bytes."""


def read_secret(path: Path) -> str:
    """The file's text without surrounding white space. Raises NotifierError when the file is missing or empty, or when
    every user of the machine can read it."""
    try:
        mode = path.stat().st_mode
        text = read_at_most(path, LARGEST).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotifierError(f"{path}: the secret cannot be read: {error}") from error
    if mode & stat.S_IROTH:
        raise NotifierError(f"{path}: everybody can read this secret: chmod o= {path}")
    if not text:
        raise NotifierError(f"{path}: this file is to hold a secret and is empty")
    return text
