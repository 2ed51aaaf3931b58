"""Reads passwords and keys of notifiers, and says when the other side's certificate is not trusted. Each secret has a
file of its own, because three processes read the configuration."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from kiosk.domain.errors import NotifierError
from kiosk.system.files import read_at_most

LARGEST = 64 * 1024
"""Largest file of a secret in bytes."""


def untrusted(error: BaseException | None) -> str:
    """What to do where the other side's certificate is not trusted; empty for any other error. Looks at the causes too,
    because libraries wrap the error."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({error.verify_message}): name its authority with ca_file"
        seen.add(id(error))
        inner = [arg for arg in error.args if isinstance(arg, BaseException)]
        error = error.__cause__ or error.__context__ or (inner[0] if inner else None)
    return ""


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
