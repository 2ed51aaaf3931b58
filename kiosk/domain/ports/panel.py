"""The port of a panel that owns the lock, as kiosk-door sees it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from kiosk.domain.badge import Card
from kiosk.domain.door.state import Readings


class Turn(StrEnum):
    """What became of one turn of a panel's line."""

    QUIET = "quiet"
    """The panel has asked nothing, or not in the secure channel."""
    ASKED = "asked"
    """It asked in the secure channel, and had its answer; no card was told."""
    PRESENTED = "presented"
    """It asked in the secure channel, and was told the card."""


class Panel(Protocol):
    """Somebody else's panel, which owns the lock and asks this side for cards. One verb, and nothing waits in it."""

    simulated: bool

    def turn(self, card: Card | None) -> Turn:
        """Answers at most one question that has come from the panel; never waits for one. `card` is told only as the
        answer to a question in the secure channel of this very turn, and is forgotten otherwise. Called at least every
        0.1 s and whenever fileno() is readable. Raises LockError when the line cannot be used."""

    def read(self) -> Readings:
        """As Lock.read()."""

    def fileno(self) -> int | None:
        """Readable when turn() or read() may have something to do. The same number for as long as this lives."""

    def sound(self, on: bool) -> None:
        """As Lock.sound()."""

    def close(self) -> None:
        """Gives the line back. Never raises."""
