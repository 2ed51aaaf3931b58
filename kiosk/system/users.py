"""Users of the configuration, by the numbers that the kernel knows them by."""

from __future__ import annotations

import pwd
from collections.abc import Sequence

from kiosk.domain.errors import ConfigError


def numbers_of(key: str, names: Sequence[str]) -> frozenset[int]:
    """Users by name or number. Raises ConfigError, naming `key`, for a name nobody has."""
    users = set()
    for name in names:
        try:
            users.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError as error:
            raise ConfigError(f"{key}: there is no user {name!r} on this machine") from error
    return frozenset(users)
