"""Turns the configuration's users into the kernel's user numbers."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kiosk.domain.errors import ConfigError

LOGIN = Path("/proc/self/loginuid")
"""The user who logged in, of the kernel: it stays the same through sudo."""
_NOBODY = 2**32 - 1
_STARTED_AS = os.getuid()
"""Before root became the owner of a home."""


def caller() -> str:
    """Who runs this process, as far as the system knows: "ada (uid 1000)"."""
    uid = _STARTED_AS
    with suppress(OSError, ValueError):
        logged_in = int(LOGIN.read_text("ascii"))
        uid = uid if logged_in == _NOBODY else logged_in
    return named(uid)


def named(uid: int) -> str:
    """A user for people: "ada (uid 1000)"."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def numbers_of(key: str, names: Sequence[str]) -> frozenset[int]:
    """The numbers of users given by name or number. Raises ConfigError, which names `key`, for an unknown name."""
    users = set()
    for name in names:
        try:
            users.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError as error:
            raise ConfigError(f"{key}: there is no user {name!r} on this machine") from error
    return frozenset(users)
