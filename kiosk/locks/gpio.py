"""A relay on a GPIO line of Linux, through libgpiod 2: Raspberry Pi, Jetson and every other board with a gpiochip.

Which level means secured depends on the lock, so it is never guessed. `fail_mode` describes the lock, not the program:

    fail_mode   the lock                            relay energised   relay idle
    "secure"    strike: stays locked without power  released          secured
    "safe"      maglock: opens without power        secured           released

`active_high` says whether a high line energises the relay. Before this process starts and after it has died, the board
and its pull resistor decide the level of the line: see deploy/door.md.

The inputs are on the same chip. Only their levels count. An edge says that it is time to read the levels, or that the
exit button was pressed between two readings.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kiosk.domain.door.state import Readings
from kiosk.domain.errors import LockError
from kiosk.locks.secure_line import KIOSK_DOOR, GpioLine

if TYPE_CHECKING:
    import gpiod

NOTHING = timedelta(0)
EDGE_READS = 8
"""Most batches of edges that one call of read() takes. A line that changes without end must not keep the door from
securing in time. The remaining edges wake the door again after it has done what is due."""

Line = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
"""Offset in the chip, or the line's name: 17 or "GPIO17"."""
Level = Literal["high", "low"]
Pull = Literal["up", "down", "external"]
"""Pull resistor: "up" and "down" are in the chip; "external" is on the board or in the wiring."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Guarded(_Section):
    """An input that raises an alarm. A cut wire must read as the alarm level."""

    line: Line
    pull: Pull

    @property
    @abstractmethod
    def active(self) -> Level:
        """The alarm level."""

    @model_validator(mode="after")
    def _cut_wire_alarms(self) -> Self:
        if self.pull != "external" and (self.pull == "up") != (self.active == "high"):
            raise ValueError(f"a cut wire would not be noticed: pull = {self.pull!r} makes it the level at rest")
        return self


class Contact(_Guarded):
    """[lock.contact]: the door contact. It is closed while the door is closed."""

    open_when: Level

    @property
    def active(self) -> Level:
        """The level of an open door."""
        return self.open_when


class Tamper(_Guarded):
    """[lock.tamper]: the tamper switch. It is closed while the housing is closed."""

    tampered_when: Level

    @property
    def active(self) -> Level:
        """The level of an open housing."""
        return self.tampered_when


class Rex(_Section):
    """[lock.rex]: a second contact of the exit button. The button itself opens the door in hardware."""

    line: Line
    pull: Pull
    pressed_when: Level

    @property
    def active(self) -> Level:
        """The level of a pressed button."""
        return self.pressed_when


class Sounder(_Section):
    """[lock.sounder]"""

    line: Line
    active_high: bool


class GpioLock:
    """Owns the lines of the lock, its inputs and its sounder. It requests the lock's line first, at its secured
    level."""

    simulated = False

    class Options(_Section):
        """[lock] with kind = "gpio". The first four have no defaults: a wrong guess would open a door."""

        chip: Annotated[str, Field(min_length=1)]
        """The device: "/dev/gpiochip0"."""
        line: Line
        active_high: bool
        fail_mode: Literal["secure", "safe"]
        contact: Contact | None = None
        rex: Rex | None = None
        tamper: Tamper | None = None
        sounder: Sounder | None = None

        @model_validator(mode="after")
        def _lines_differ(self) -> Self:
            parts = (self, self.contact, self.rex, self.tamper, self.sounder)
            lines = [part.line for part in parts if part is not None]
            if len(set(lines)) < len(lines):
                raise ValueError("one line is given twice")
            return self

    def __init__(self, options: Options) -> None:
        """Raises LockError, which says what to do, when gpiod is missing or a line cannot be requested."""
        try:
            from gpiod import EdgeEvent  # noqa: PLC0415 - lazy import: machines without GPIO do not need it
            from gpiod.line import Value  # noqa: PLC0415
        except ImportError as error:
            raise LockError("the gpio lock needs the Python package gpiod: pip install 'gpiod>=2.3'") from error
        self._active = Value.ACTIVE
        self._inactive = Value.INACTIVE
        energised, idle = Value.ACTIVE, Value.INACTIVE
        self._secured, self._released = (energised, idle) if options.fail_mode == "safe" else (idle, energised)
        self._pressed = EdgeEvent.Type.RISING_EDGE
        self._rex_offset: int | None = None
        self._options = options
        self._lock: gpiod.LineRequest | None = None
        self._inputs: gpiod.LineRequest | None = None
        self._sounder: gpiod.LineRequest | None = None
        self._lock = self._line()
        try:
            if any((options.contact, options.rex, options.tamper)):
                self._inputs = self._input()
                offsets = dict(zip(self._inputs.lines, self._inputs.offsets, strict=True))
                self._rex_offset = None if options.rex is None else offsets[options.rex.line]
            if options.sounder is not None:
                self._sounder = self._output(options.sounder.line, options.sounder.active_high, idle)
        except LockError:
            self.close()
            raise

    def secure(self) -> None:
        """Raises LockError."""
        self._set(self._lock, self._options.line, self._secured)

    def release(self, seconds: float) -> None:
        """Raises LockError. `seconds` is for hardware that ends a release itself; a GPIO line cannot."""
        self._set(self._lock, self._options.line, self._released)

    def read(self) -> Readings:
        """Raises LockError when the lines cannot be read."""
        if self._inputs is None:
            return Readings()
        o = self._options
        try:
            pressed = self._pressed_meanwhile()
            levels = {
                name: self._inputs.get_value(part.line) is self._active
                for name, part in (("open", o.contact), ("rex", o.rex), ("tamper", o.tamper))
                if part is not None
            }
        except (OSError, ValueError) as error:
            raise LockError(f"the inputs of {o.chip} cannot be read: {error}") from error
        rex = levels.get("rex")
        return Readings(levels.get("open"), None if rex is None else rex or pressed, levels.get("tamper"))

    def fileno(self) -> int | None:
        """Becomes readable when an input changes; None without inputs."""
        return None if self._inputs is None else self._inputs.fileno()

    def sound(self, on: bool) -> None:
        """Raises LockError."""
        if self._options.sounder is not None:
            self._set(self._sounder, self._options.sounder.line, self._active if on else self._inactive)

    def close(self) -> None:
        """Never raises."""
        with suppress(LockError):
            self.secure()
        with suppress(LockError):
            self.sound(False)
        for request in (self._lock, self._inputs, self._sounder):
            if request is not None:
                with suppress(OSError):
                    request.release()
        self._lock = self._inputs = self._sounder = None

    def _pressed_meanwhile(self) -> bool:
        """Takes at most EDGE_READS batches of edges. True if one edge was a press of the exit button."""
        assert self._inputs is not None
        pressed = False
        for _ in range(EDGE_READS):
            if not self._inputs.wait_edge_events(NOTHING):
                break
            for event in self._inputs.read_edge_events():
                if event.line_offset == self._rex_offset and event.event_type is self._pressed:
                    pressed = True
        return pressed

    def _line(self) -> gpiod.LineRequest:
        """The lock's line. kiosk-door requested it as the first thing it did (see locks.secure_line)."""
        o = self._options
        with self._asked(repr(o.line)):
            return GpioLine(o.chip, o.line, o.active_high, o.fail_mode).taken()

    def _output(self, line: int | str, active_high: bool, value: gpiod.line.Value) -> gpiod.LineRequest:
        from gpiod import LineSettings  # noqa: PLC0415
        from gpiod.line import Direction  # noqa: PLC0415

        return self._request(
            {line: LineSettings(direction=Direction.OUTPUT, active_low=not active_high, output_value=value)}
        )

    def _input(self) -> gpiod.LineRequest:
        """Requests all inputs. Active means open, pressed or tampered."""
        from gpiod import LineSettings  # noqa: PLC0415
        from gpiod.line import Bias, Direction, Edge  # noqa: PLC0415

        bias = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "external": Bias.DISABLED}
        parts = [part for part in (self._options.contact, self._options.rex, self._options.tamper) if part is not None]
        return self._request(
            {
                part.line: LineSettings(
                    direction=Direction.INPUT,
                    edge_detection=Edge.BOTH,
                    bias=bias[part.pull],
                    active_low=part.active == "low",
                )
                for part in parts
            }
        )

    def _request(self, settings: dict[Iterable[int | str] | int, gpiod.LineSettings | None]) -> gpiod.LineRequest:
        import gpiod  # noqa: PLC0415

        with self._asked(" and ".join(repr(line) for line in settings)):
            return gpiod.request_lines(self._options.chip, consumer=KIOSK_DOOR, config=settings)

    @contextmanager
    def _asked(self, lines: str) -> Iterator[None]:
        """Turns the error of a failed request into a LockError that says what to do."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise LockError(
                f"line {lines} of {self._options.chip} cannot be requested ({error}): check chip and line with "
                "`gpioinfo`, that no other program holds it, and that this user may open the device"
            ) from error

    def _set(self, request: gpiod.LineRequest | None, line: int | str, value: gpiod.line.Value) -> None:
        where = f"line {line!r} of {self._options.chip}"
        if request is None:
            raise LockError(f"{where} was given back")
        try:
            request.set_value(line, value)
        except OSError as error:
            raise LockError(f"{where} cannot be set: {error}") from error
