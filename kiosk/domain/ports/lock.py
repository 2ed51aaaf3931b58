"""The port for the lock's hardware."""

from __future__ import annotations

from typing import Protocol

from kiosk.domain.door.state import Readings


class Lock(Protocol):
    """The lock's hardware. It has only two commands, and no bare on or off. The door's state machine times the release;
    `seconds` is for hardware that can end it too. The inputs are only read: the exit button releases in hardware,
    whatever this program does."""

    simulated: bool

    def secure(self) -> None:
        """Secures the lock. Raises LockError."""

    def release(self, seconds: float) -> None:
        """Releases the lock. Raises LockError."""

    def read(self) -> Readings:
        """The inputs' present levels. Raises LockError when they cannot be read, LockLostError when the lock itself is
        not as it was last set; the door then secures it at once, as after any failure."""

    def fileno(self) -> int | None:
        """A descriptor that becomes readable when an input may have changed; read() clears it. None if the hardware has
        none."""

    def sound(self, on: bool) -> None:
        """Switches the local sounder; does nothing without one. Raises LockError."""

    def close(self) -> None:
        """Secures the lock if possible, then releases the hardware for other programs. Never raises."""
