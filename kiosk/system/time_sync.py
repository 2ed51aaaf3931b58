"""Whether this machine has been told the time since it started. No network; and no adjtimex, which ProtectClock
forbids."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

TIMESYNCD = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it whenever it has set the clock; /run is empty at each start of the machine."""
RTC = Path("/sys/class/rtc")
"""The clocks that run without power, where there are any."""
PATIENCE = 2.0


def _timedatectl() -> str:
    """What systemd-timedated says of the kernel's clock, whoever disciplines it (chrony, ntpd), over D-Bus."""
    found = subprocess.run(
        ["timedatectl", "show", "--property=NTPSynchronized", "--value"],  # noqa: S607 - wherever the system keeps it
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return found.stdout.strip()


def synchronised(marker: Path = TIMESYNCD, ask: Callable[[], str] = _timedatectl) -> bool:
    """Never raises: what cannot be asked has not said so. Takes some milliseconds, PATIENCE at most."""
    try:
        return marker.exists() or ask() == "yes"
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return False


def has_rtc(folder: Path = RTC) -> bool:
    """Whether the kernel knows a clock that runs without power."""
    try:
        return any(folder.iterdir())
    except OSError:
        return False
