"""Finds out whether this machine's clock was synchronised since it started. Uses no network, and not adjtimex, which
ProtectClock forbids."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

TIMESYNCD = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches this file whenever it has set the clock. /run is empty after each start of the machine."""
RTC = Path("/sys/class/rtc")
"""The clocks that run without power, if there are any."""
PATIENCE = 2.0


def _timedatectl() -> str:
    """Asks systemd-timedated over D-Bus whether the kernel's clock is synchronised, by whichever program (chrony,
    ntpd)."""
    found = subprocess.run(
        ["timedatectl", "show", "--property=NTPSynchronized", "--value"],  # noqa: S607 - found by the system's PATH
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return found.stdout.strip()


def synchronised(marker: Path = TIMESYNCD, ask: Callable[[], str] = _timedatectl) -> bool:
    """Whether the clock was synchronised since the start. False if it cannot be found out; never raises. Takes some
    milliseconds, at most PATIENCE."""
    try:
        return marker.exists() or ask() == "yes"
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return False


def has_rtc(folder: Path = RTC) -> bool:
    """Whether the machine has a clock that runs without power."""
    try:
        return any(folder.iterdir())
    except OSError:
        return False
