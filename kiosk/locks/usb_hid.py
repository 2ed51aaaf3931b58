"""A relay of a USB relay board ("USBRelay1" to "USBRelay8"), for machines without GPIO.

What such a board cannot do is in deploy/door.md.

    fail_mode   the lock                            relay on     relay off
    "secure"    strike: stays locked without power  released     secured
    "safe"      maglock: opens without power        secured      released

Wired as in deploy/door.md, to the relay's NO contact. The board has no inputs, and forgets nothing when its owner dies:
it stays as it is until somebody sets it or its power goes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from kiosk.domain.door.state import Readings
from kiosk.domain.errors import LockError, LockLostError
from kiosk.locks import secure_line
from kiosk.locks.usb_board import RELAYS, SERIAL, Board, UsbRelay, level

CHECK_SECONDS = 0.5
"""The board is asked how its relay is whenever the inputs are read, but not more often than this."""


class UsbHidLock:
    """Owns the board while it is there. One that goes is looked for again by secure(), and by nothing else: it comes
    back with its relays off, and is secured before anything is released."""

    simulated = False

    class Options(BaseModel):
        """[lock] with kind = "usb-hid". `serial` is the board's, and needed where there are several."""

        model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

        channel: Annotated[int, Field(ge=1, le=RELAYS)]
        """The relay, as the board's print counts: from 1."""
        fail_mode: Literal["secure", "safe"]
        serial: Annotated[str, Field(pattern=f"^{SERIAL.pattern}$")] | None = None

    def __init__(self, options: Options) -> None:
        """Raises LockError, saying what to do, when the board cannot be had."""
        self._relay = UsbRelay(options.serial or "", options.channel, options.fail_mode)
        self._board: Board | None = None
        self._on: bool | None = None
        self._asked_at = 0.0
        self._closed = False
        with self._working():
            self._board = cast("Board | None", secure_line.held(self._relay)) or self._relay.secured(
                secure_line.KIOSK_DOOR
            )
            self._on = self._relay.secured_on

    def secure(self) -> None:
        """Raises LockError. Finds a board again that was away."""
        if self._closed:
            raise LockError("the USB relay board was given back")
        with self._working():
            if self._board is None:
                self._board = self._relay.secured(secure_line.KIOSK_DOOR)
            else:
                self._board.put(self._relay.relay, self._relay.secured_on)
            self._on = self._relay.secured_on

    def release(self, seconds: float) -> None:
        """Raises LockError. The board cannot bound the release itself; `seconds` is for hardware that can."""
        if self._board is None:
            raise LockError("the USB relay board is not there")
        with self._working():
            self._board.put(self._relay.relay, not self._relay.secured_on)
            self._on = not self._relay.secured_on

    def read(self) -> Readings:
        """No inputs. Raises LockLostError when the board is gone, or its relay is not as it was set."""
        now = time.monotonic()
        if self._board is None or now - self._asked_at < CHECK_SECONDS:
            return Readings()
        self._asked_at = now
        try:
            on = self._board.is_on(self._relay.relay)
        except OSError as error:
            self._lose()
            raise LockLostError(f"the USB relay board does not answer: {error}") from error
        if on is not self._on:
            raise LockLostError(
                f"relay {self._relay.relay} of {self._board.device} is {level(on)} and was not set so: the board lost "
                "its power, or another program drives it"
            )
        return Readings()

    def fileno(self) -> int | None:
        """None: it has no inputs."""
        return None

    def sound(self, on: bool) -> None:
        """It has no sounder."""

    def close(self) -> None:
        """Never raises."""
        if not self._closed:
            with suppress(LockError):
                self.secure()
        self._closed = True
        self._lose()

    def _lose(self) -> None:
        """Nobody knows how the relay is now."""
        if self._board is not None:
            self._board.close()
        self._board = self._on = None

    @contextmanager
    def _working(self) -> Iterator[None]:
        """A board that does not do as it is told is given up, as a LockError."""
        try:
            yield
        except OSError as error:
            self._lose()
            raise LockError(f"the USB relay cannot be set: {error}") from error
