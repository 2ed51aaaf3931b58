"""Stands for gpiod.request_lines where there is no gpiochip.

It keeps the physical level of one line, with active-low applied, from the same LineSettings that the real call takes.
It does not model: more than one line, inputs, edges, bias, drive, names of lines (any is accepted), other holders of
the line, and what the kernel does with the level when the line is given back or its owner dies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gpiod import LineSettings
from gpiod.line import Direction, Value


@dataclass
class Chip:
    """One chip with one line; `high` lists the line's physical levels since it was requested."""

    path: str = "/dev/gpiochip0"
    high: list[bool] = field(default_factory=list)
    consumer: str | None = None
    held: bool = False
    broken: bool = False
    settings: LineSettings | None = None

    def request_lines(self, path: str, config: dict[int | str, LineSettings], consumer: str | None = None) -> Chip:
        """As gpiod.request_lines: raises FileNotFoundError for another chip, OSError when the line is held."""
        if path != self.path:
            raise FileNotFoundError(2, "No such file or directory", path)
        if self.held:
            raise OSError(16, "Device or resource busy")
        (self.settings,) = config.values()
        assert self.settings.direction is Direction.OUTPUT
        self.consumer, self.held = consumer, True
        self._drive(self.settings.output_value)
        return self

    def set_value(self, line: int | str, value: Value) -> None:
        """As LineRequest.set_value."""
        if self.broken:
            raise OSError(5, "Input/output error")
        assert self.held
        self._drive(value)

    def release(self) -> None:
        """As LineRequest.release."""
        self.held = False

    def _drive(self, value: Value) -> None:
        assert self.settings is not None
        self.high.append((value is Value.ACTIVE) != self.settings.active_low)
