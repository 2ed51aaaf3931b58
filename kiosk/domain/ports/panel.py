"""kiosk-door's port for an access panel that owns the lock."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from kiosk.domain.badge import Card
from kiosk.domain.door.state import Readings


class Turn(StrEnum):
    """The result of one turn of a panel's line."""

    QUIET = "quiet"
    """The panel asked nothing, or not in the secure channel."""
    ASKED = "asked"
    """The panel asked in the secure channel and got an answer without a card."""
    PRESENTED = "presented"
    """The panel asked in the secure channel and got the card."""


class Panel(Protocol):
    """An access panel, which owns the lock and asks this side for cards. It has one command, and queues nothing."""

    simulated: bool

    def turn(self, card: Card | None) -> Turn:
        """Answers at most one question of the panel that has arrived; never waits for one. Sends `card` only as the
        answer to a question in the secure channel in this turn; otherwise drops it. Called at least every 0.1 s and
        whenever fileno() is readable. Raises LockError when the line cannot be used."""

    def read(self) -> Readings:
        """Like Lock.read()."""

    def fileno(self) -> int | None:
        """A descriptor that becomes readable when turn() or read() may have something to do. It never changes."""

    def sound(self, on: bool) -> None:
        """Like Lock.sound()."""

    def close(self) -> None:
        """Closes the line. Never raises."""
