"""Turns the configuration's users into the kernel's user numbers."""

from __future__ import annotations

import pwd
from collections.abc import Sequence

from kiosk.domain.errors import ConfigError


def numbers_of(key: str, names: Sequence[str]) -> frozenset[int]:
    """The numbers of users given by name or number. Raises ConfigError, which names `key`, for an unknown name."""
    users = set()
    for name in names:
        try:
            users.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError as error:
            raise ConfigError(f"{key}: there is no user {name!r} on this machine") from error
    return frozenset(users)
