"""Puts the configured lock's line at its secured level, with nothing but gpiod and the standard library.

    python -m kiosk.locks.secure_line /etc/kiosk/kiosk.toml

For the unit's ExecStopPost: whatever kiosk-door died of, this does not share it. It has no other use: while kiosk-door
runs it owns the line, and this fails. Exit status 0: done, or there is no such line. 2: one line says why not.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def secure(path: Path) -> str:
    """What was done. Raises ValueError, OSError, ImportError."""
    lock = tomllib.loads(path.read_text(encoding="utf-8")).get("lock", {})
    if lock.get("kind") != "gpio":
        return "no gpio lock is configured"
    chip, line, active_high, fail_mode = (lock.get(key) for key in ("chip", "line", "active_high", "fail_mode"))
    fits = isinstance(chip, str) and isinstance(line, int | str) and isinstance(active_high, bool)
    if not fits or isinstance(line, bool) or fail_mode not in {"secure", "safe"}:
        raise ValueError("[lock] needs chip, line, active_high and fail_mode")

    import gpiod  # noqa: PLC0415 - not where there is no gpio lock
    from gpiod.line import Direction, Value  # noqa: PLC0415

    value = Value.ACTIVE if fail_mode == "safe" else Value.INACTIVE
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, active_low=not active_high, output_value=value)
    gpiod.request_lines(chip, consumer="kiosk-door-stopped", config={line: settings}).release()
    return f"line {line!r} of {chip} is at its secured level"


def main(arguments: list[str]) -> int:
    """The exit status."""
    try:
        if len(arguments) != 1:
            raise ValueError("which configuration?")
        sys.stderr.write(f"secure_line: {secure(Path(arguments[0]))}\n")
    except (ValueError, OSError, ImportError) as error:
        sys.stderr.write(f"secure_line: {' '.join(str(error).split())}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
