"""Passwords and keys of notifiers: each in a file of its own, out of the configuration that three processes read."""

from __future__ import annotations

import stat
from pathlib import Path

from kiosk.domain.notices import NotifierError


def read_secret(path: Path) -> str:
    """The file's text without white space around it. Raises NotifierError when it is missing, empty, or when everybody
    on the machine can read it."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotifierError(f"{path}: the secret cannot be read: {error}") from error
    if mode & stat.S_IROTH:
        raise NotifierError(f"{path}: everybody can read this secret: chmod o= {path}")
    if not text:
        raise NotifierError(f"{path}: this file is to hold a secret and is empty")
    return text
