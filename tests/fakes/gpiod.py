"""Stands for gpiod.request_lines where there is no gpiochip.

It keeps the physical level of each line, with active-low applied, from the same LineSettings that the real call takes.
It does not model: what bias does to a line that nothing drives, drive, names of lines (any is accepted; the offset of
one is a number of its own), the kernel's debouncing, and what the kernel does with the level when a line is given back
or its owner dies.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from gpiod import EdgeEvent, LineSettings
from gpiod.line import Direction, Edge, Value

Line = int | str


@dataclass
class Event:
    """What of an EdgeEvent is looked at."""

    line_offset: int
    event_type: EdgeEvent.Type


@dataclass
class Request:
    """What request_lines gives. Its file is readable while there are edges that nobody took."""

    chip: Chip
    settings: dict[Line, LineSettings]
    events: list[Event] = field(default_factory=list)
    file: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK))

    @property
    def lines(self) -> list[Line]:
        """As requested."""
        return list(self.settings)

    @property
    def offsets(self) -> list[int]:
        """In the order of `lines`."""
        return [self.chip.offset(line) for line in self.settings]

    def set_value(self, line: Line, value: Value) -> None:
        """As LineRequest.set_value."""
        self._working()
        assert self.settings[line].direction is Direction.OUTPUT
        self.chip.drive(line, value, self.settings[line])

    def get_value(self, line: Line) -> Value:
        """As LineRequest.get_value."""
        self._working()
        high = self.chip.levels[self.chip.offset(line)]
        return Value.ACTIVE if high != self.settings[line].active_low else Value.INACTIVE

    def wait_edge_events(self, timeout: timedelta) -> bool:
        """As LineRequest.wait_edge_events, but it never waits."""
        assert timeout == timedelta(0)
        self._working()
        if self.chip.noisy is not None:
            self.chip.wire(self.chip.noisy, not self.chip.levels[self.chip.offset(self.chip.noisy)])
            self.chip.flips += 1
            assert self.chip.flips < 10_000, "whoever reads until it is quiet reads for ever"
        return bool(self.events)

    def read_edge_events(self) -> list[Event]:
        """As LineRequest.read_edge_events."""
        os.eventfd_read(self.file)
        events, self.events = self.events, []
        return events

    def fileno(self) -> int:
        """As LineRequest.fileno."""
        return self.file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """As LineRequest.release."""
        self.chip.requests.remove(self)
        os.close(self.file)

    def _working(self) -> None:
        assert self in self.chip.requests
        if self.chip.broken:
            raise OSError(5, "Input/output error")


@dataclass
class Chip:
    """One chip; `high` lists the physical levels of the line that was requested first, since it was requested."""

    path: str = "/dev/gpiochip0"
    high: list[bool] = field(default_factory=list)
    levels: dict[int, bool] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    asked: list[Line] = field(default_factory=list)
    consumer: str | None = None
    broken: bool = False
    refuse: Line | None = None
    noisy: Line | None = None
    """A line that changes faster than anybody can read."""
    flips: int = 0

    @property
    def held(self) -> bool:
        """Whether any line is requested."""
        return bool(self.requests)

    def offset(self, line: Line) -> int:
        """GPIO17 is line 17; other names are given numbers as they come."""
        if isinstance(line, int):
            return line
        return int(line[4:]) if line[4:].isdecimal() else 1000 + sum(map(ord, line))

    def request_lines(self, path: str, config: dict[Line, LineSettings], consumer: str | None = None) -> Request:
        """As gpiod.request_lines: raises FileNotFoundError for another chip, OSError when a line is held."""
        if path != self.path:
            raise FileNotFoundError(2, "No such file or directory", path)
        for line in config:
            if line == self.refuse or any(self.offset(line) in request.offsets for request in self.requests):
                raise OSError(16, "Device or resource busy")
        self.consumer = consumer
        self.asked += config
        request = Request(self, config)
        self.requests.append(request)
        for line, settings in config.items():
            if settings.direction is Direction.OUTPUT:
                self.drive(line, settings.output_value, settings)
            else:
                assert settings.edge_detection is Edge.BOTH
                self.levels.setdefault(self.offset(line), False)
        return request

    def drive(self, line: Line, value: Value, settings: LineSettings) -> None:
        """The owner sets a line."""
        level = self.levels[self.offset(line)] = (value is Value.ACTIVE) != settings.active_low
        if line == self.asked[0]:
            self.high.append(level)

    def wire(self, line: Line, high: bool) -> None:
        """The world sets a line; its owner gets an edge."""
        offset = self.offset(line)
        was, self.levels[offset] = self.levels.get(offset), high
        for request in self.requests:
            for asked, settings in request.settings.items():
                if self.offset(asked) == offset and was is not high:
                    rising = high != settings.active_low
                    kind = EdgeEvent.Type.RISING_EDGE if rising else EdgeEvent.Type.FALLING_EDGE
                    request.events.append(Event(offset, kind))
                    os.eventfd_write(request.file, 1)
