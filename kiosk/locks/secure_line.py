"""Sets the lock's line, or its USB relay, to its secured level. Needs only gpiod and the standard library.

    python -P -m kiosk.locks.secure_line /etc/kiosk/kiosk.toml

The unit runs it as ExecStopPost. It shares so little code with kiosk-door that what ended kiosk-door does not stop it
too. While kiosk-door runs it owns the line, and this command fails. Exit status 0: the line is secured, or the lock has
no line. Exit status 2: one line says why it failed.

kiosk-door itself runs hold() before it imports anything else (door.__main__) and keeps the line until the lock object
takes it over.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from kiosk.domain.errors import ConfigError
from kiosk.domain.plain_text import one_line
from kiosk.environment import file_text, overridden, tables

if TYPE_CHECKING:
    import socket

    import gpiod

    from kiosk.locks.usb_board import UsbRelay

KIOSK_DOOR, STOPPED = "kiosk-door", "kiosk-door-stopped"
MAX_OFFSET = 2**32 - 1
ANSWER_SECONDS = 1.0

_TROUBLES = (ConfigError, ValueError, OSError, ImportError)
_held: dict[GpioLine | RecorderLine | UsbRelay, object] = {}


class GpioLine(NamedTuple):
    """A line of a gpiochip; `line` is its offset or name."""

    chip: str
    line: int | str
    active_high: bool
    fail_mode: str

    def secured(self, consumer: str) -> gpiod.LineRequest:
        """Requests the line and sets its secured level in one call, so that it never has another level. Raises OSError,
        ValueError, ImportError."""
        import gpiod  # noqa: PLC0415 - only a gpio lock needs it
        from gpiod.line import Direction, Value  # noqa: PLC0415

        value = Value.ACTIVE if self.fail_mode == "safe" else Value.INACTIVE
        settings = gpiod.LineSettings(direction=Direction.OUTPUT, active_low=not self.active_high, output_value=value)
        return gpiod.request_lines(self.chip, consumer=consumer, config={self.line: settings})

    def taken(self) -> gpiod.LineRequest:
        """The request that hold() has made, or else a new one from secured()."""
        return cast("gpiod.LineRequest", _held.pop(self, None) or self.secured(KIOSK_DOOR))


class RecorderLine(NamedTuple):
    """The socket to the recorder of a simulated lock, which is a process of its own (locks.simulated)."""

    recorder: str

    def secured(self, consumer: str) -> socket.socket:
        """Raises OSError. Does not send `consumer`: the recorder knows the process at the other end."""
        import socket  # noqa: PLC0415 - only a simulated lock needs it

        wire = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            wire.settimeout(ANSWER_SECONDS)
            wire.connect(self.recorder)
            say(wire, "secured")
        except OSError:
            wire.close()
            raise
        return wire

    def taken(self) -> socket.socket:
        """The connection that hold() has made, or else a new one from secured()."""
        return cast("socket.socket", _held.pop(self, None) or self.secured(KIOSK_DOOR))


def say(wire: socket.socket, level: str) -> None:
    """Tells the recorder the new level and waits for its answer. Raises OSError."""
    wire.send(level.encode())
    if wire.recv(16) != b"ok":
        raise OSError("the recorder does not answer")


def held(line: UsbRelay) -> object | None:
    """Hands over the board that hold() has opened; None if it opened none or has handed it over already."""
    return _held.pop(line, None)


def lock_line(path: Path) -> GpioLine | RecorderLine | UsbRelay | None:
    """The line of the lock in a configuration; None if that lock has no line. Raises ConfigError, ValueError, OSError:
    it guesses nothing."""
    lock = overridden(tables(file_text(path), str(path)), os.environ).get("lock", {})
    if not isinstance(lock, dict):
        raise ConfigError("[lock] is not a section")
    if lock.get("kind") == "simulated" and isinstance(lock.get("recorder"), str):
        return RecorderLine(lock["recorder"])
    if lock.get("kind") == "usb-hid":
        from kiosk.locks import usb_board  # noqa: PLC0415 - only this lock needs it

        return usb_board.configured(lock)
    if lock.get("kind") != "gpio":
        return None
    chip, line, active_high, fail_mode = (lock.get(key) for key in GpioLine._fields)
    offset = isinstance(line, int) and not isinstance(line, bool) and 0 <= line <= MAX_OFFSET
    known = (offset or (isinstance(line, str) and line != "")) and isinstance(chip, str)
    if not known or not isinstance(active_high, bool) or fail_mode not in {"secure", "safe"}:
        raise ConfigError("[lock] needs chip, line, active_high and fail_mode")
    return GpioLine(str(chip), cast("int | str", line), active_high, str(fail_mode))


def hold(path: Path) -> None:
    """Secures the configured lock's line and keeps it for taken(). Never raises: reading the whole configuration and
    making the lock will report the same fault with a better message."""
    with suppress(*_TROUBLES):
        line = lock_line(path)
        if line is not None:
            _held[line] = line.secured(KIOSK_DOOR)


def secure(path: Path) -> str:
    """Secures the configured lock's line and returns a sentence that says so. Raises ConfigError, ValueError, OSError,
    ImportError."""
    line = lock_line(path)
    if line is None:
        return "the configured lock has no line"
    with line.secured(STOPPED):
        return f"{line} is at its secured level"


def main(arguments: list[str]) -> int:
    """Runs the command and returns its exit status."""
    try:
        if len(arguments) != 1:
            raise ConfigError("which configuration?")
        sys.stderr.write(f"secure_line: {one_line(secure(Path(arguments[0])))}\n")
    except _TROUBLES as error:
        sys.stderr.write(f"secure_line: {one_line(str(error))}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
