"""The port of the hardware behind kiosk-door."""

from __future__ import annotations

from typing import Protocol

from kiosk.domain.door.state import Readings


class Lock(Protocol):
    """The hardware behind kiosk-door. Only two verbs, and no bare on or off. The door's state machine times the
    release; `seconds` is for hardware that can bound it as well. What it reads of the door it only reads: the exit
    button releases in hardware, whatever this program does."""

    simulated: bool

    def secure(self) -> None:
        """Raises LockError."""

    def release(self, seconds: float) -> None:
        """Raises LockError."""

    def read(self) -> Readings:
        """The inputs' levels now. Raises LockError when they cannot be read, LockLostError when the lock itself is not
        as it was last set: it is then secured at once, as after any failure."""

    def fileno(self) -> int | None:
        """Readable when an input may have changed: read() then, and it is no longer. None: there is no such thing."""

    def sound(self, on: bool) -> None:
        """The local sounder; nothing where there is none. Raises LockError."""

    def close(self) -> None:
        """Secures if it can, then gives the hardware back. Never raises."""
