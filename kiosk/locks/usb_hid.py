"""A relay of a USB relay board ("USBRelay1" to "USBRelay8"), for machines without GPIO.

deploy/door.md says what such a board cannot do.

    fail_mode   the lock                            relay on     relay off
    "secure"    strike: stays locked without power  released     secured
    "safe"      maglock: opens without power        secured      released

The table holds for the wiring of deploy/door.md, to the relay's NO contact. The board has no inputs. When this process
dies the relay stays as it is until another process sets it or the board loses its power.
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
"""Shortest time between two questions to the board about its relay. read() asks them."""


class UsbHidLock:
    """Owns the board while it is plugged in. Only secure() looks for a lost board again: a board comes back with its
    relays off, so it must be secured before anything is released."""

    simulated = False

    class Options(BaseModel):
        """[lock] with kind = "usb-hid". `serial` is the board's serial number; it is required with several boards."""

        model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

        channel: Annotated[int, Field(ge=1, le=RELAYS)]
        """Number of the relay as printed on the board, from 1."""
        fail_mode: Literal["secure", "safe"]
        serial: Annotated[str, Field(pattern=f"^{SERIAL.pattern}$")] | None = None

    def __init__(self, options: Options) -> None:
        """Raises LockError, which says what to do, when the board cannot be used."""
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
        """Secures the lock, and first opens the board again if it was lost. Raises LockError."""
        if self._closed:
            raise LockError("the USB relay board was given back")
        with self._working():
            if self._board is None:
                self._board = self._relay.secured(secure_line.KIOSK_DOOR)
            else:
                self._board.put(self._relay.relay, self._relay.secured_on)
            self._on = self._relay.secured_on

    def release(self, seconds: float) -> None:
        """Raises LockError. `seconds` is for hardware that ends a release itself; this board cannot."""
        if self._board is None:
            raise LockError("the USB relay board is not there")
        with self._working():
            self._board.put(self._relay.relay, not self._relay.secured_on)
            self._on = not self._relay.secured_on

    def read(self) -> Readings:
        """Empty readings: there are no inputs. Raises LockLostError when the board is gone or its relay is not as
        set."""
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
        """Does nothing: there is no sounder."""

    def close(self) -> None:
        """Never raises."""
        if not self._closed:
            with suppress(LockError):
                self.secure()
        self._closed = True
        self._lose()

    def _lose(self) -> None:
        """Closes the board. The relay's state is unknown from now on."""
        if self._board is not None:
            self._board.close()
        self._board = self._on = None

    @contextmanager
    def _working(self) -> Iterator[None]:
        """If the board fails, closes it and raises LockError."""
        try:
            yield
        except OSError as error:
            self._lose()
            raise LockError(f"the USB relay cannot be set: {error}") from error
