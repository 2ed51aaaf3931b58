"""A relay on a GPIO line of Linux, through libgpiod 2: Raspberry Pi, Jetson and every other board with a gpiochip.

Which level means secured depends on the lock, so it is never guessed (`fail_mode` is the lock's, not the program's):

    fail_mode   the lock                            relay energised   relay idle
    "secure"    strike: stays locked without power  released          secured
    "safe"      maglock: opens without power        secured           released

`active_high` says whether a high line energises the relay. What the line does when this process dies or before it
starts is the board's and its pull resistor's business.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kiosk.domain.errors import LockError

if TYPE_CHECKING:
    import gpiod

CONSUMER = "kiosk-door"


class GpioLock:
    """Owns one output line. It is requested at its secured level in one call: there is no moment of another level."""

    simulated = False

    class Options(BaseModel):
        """[lock] with kind = "gpio". All are required: a wrong guess would open a door."""

        model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

        chip: Annotated[str, Field(min_length=1)]
        """The device: "/dev/gpiochip0"."""
        line: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
        """Offset in the chip, or the line's name: 17 or "GPIO17"."""
        active_high: bool
        fail_mode: Literal["secure", "safe"]

    def __init__(self, options: Options) -> None:
        """Raises LockError, saying what to do, when the line cannot be had."""
        try:
            import gpiod  # noqa: PLC0415 - lazily: machines without GPIO need not have it
            from gpiod.line import Direction, Value  # noqa: PLC0415
        except ImportError as error:
            raise LockError("the gpio lock needs the Python package gpiod: pip install 'gpiod>=2.3'") from error
        energised, idle = Value.ACTIVE, Value.INACTIVE
        self._secured, self._released = (energised, idle) if options.fail_mode == "safe" else (idle, energised)
        self._line = options.line
        self._where = f"line {options.line!r} of {options.chip}"
        settings = gpiod.LineSettings(
            direction=Direction.OUTPUT, active_low=not options.active_high, output_value=self._secured
        )
        self._request: gpiod.LineRequest | None = None
        try:
            self._request = gpiod.request_lines(options.chip, consumer=CONSUMER, config={options.line: settings})
        except (OSError, ValueError) as error:
            raise LockError(
                f"{self._where} cannot be requested ({error}): check chip and line with `gpioinfo`, that no other "
                "program holds it, and that this user may open the device"
            ) from error

    def secure(self) -> None:
        """Raises LockError."""
        self._set(self._secured)

    def release(self, seconds: float) -> None:
        """Raises LockError. A GPIO line cannot bound the release itself; `seconds` is for hardware that can."""
        self._set(self._released)

    def close(self) -> None:
        """Never raises."""
        with suppress(LockError):
            self.secure()
        if self._request is not None:
            with suppress(OSError):
                self._request.release()
        self._request = None

    def _set(self, value: gpiod.line.Value) -> None:
        if self._request is None:
            raise LockError(f"{self._where} was given back")
        try:
            self._request.set_value(self._line, value)
        except OSError as error:
            raise LockError(f"{self._where} cannot be set: {error}") from error
