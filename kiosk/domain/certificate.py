"""What an erasure does not reach: kinds and values, for whoever writes it out in a language (gui.certificate). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OutOfReach(StrEnum):
    """What is left of somebody. The values are keys of the catalogue."""

    FOLDER_AWAY = "folder_away"
    """Backups in a folder that cannot be reached now: `place`, `trouble`."""
    FOLDER_LEFT = "folder_left"
    """Backups in a folder that cannot be removed: `count`, `place`."""
    EXPORTED = "exported"
    """Backups that were taken away: `count`, and the `day` of the newest."""
    SET_ASIDE = "set_aside"
    """A gallery that a restore has set aside: `place`."""
    LOG = "log"
    """Records of the log, without a name; they are never cut by themselves."""
    LOG_CUT = "log_cut"
    """The same; they are cut after `count` days."""
    CARD = "card"
    """Blocks of the card that no program reaches."""


@dataclass(frozen=True, slots=True)
class Remains:
    """One thing that an erasure does not reach. `day`: 2026-12-31."""

    kind: OutOfReach
    count: int = 0
    place: str = ""
    day: str = ""
    trouble: str = ""
