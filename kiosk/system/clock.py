"""The clock that kiosk and kiosk-door share. Standard library only: kiosk-door reads it.

CLOCK_BOOTTIME counts the seconds since the machine started, suspended ones as well, and nobody can set it. Everything
that is compared between processes or held against a deadline is of this clock: when a frame was taken, until when a
grant is good, until when a lock is released. On CLOCK_MONOTONIC a machine that slept for an hour would still have its
grant.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CLOCKS_APART = 0.01
"""Seconds by which the two clocks' distance must grow to be a suspend; less is the time that reading them takes."""


def boottime() -> float:
    """Seconds of CLOCK_BOOTTIME: one clock for all processes of a machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_name() -> str:
    """What tells this start of the machine from all others, and so whether a time of CLOCK_BOOTTIME is of this one: the
    first 8 hexadecimal digits of the kernel's boot id. Where the kernel does not tell, another one with each call: what
    was before counts as of an earlier start."""
    try:
        return BOOT_ID.read_text(encoding="ascii")[:8]
    except (OSError, UnicodeError):
        return uuid.uuid4().hex[:8]


class DriverStamps:
    """Time stamps of a driver, which are of CLOCK_MONOTONIC, as CLOCK_BOOTTIME.

    The two run at one speed, and their distance grows with each suspend. A stamp from before a suspend keeps the
    distance of that time, so that such a frame is as old as it is.
    """

    def __init__(self, boot: Callable[[], float] = boottime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._boot = boot
        self._monotonic = monotonic
        self._before = self._distance = self._measured()
        self._woke_at = 0.0

    def translated(self, stamp: float) -> float:
        """Of CLOCK_MONOTONIC -> of CLOCK_BOOTTIME."""
        distance = self._measured()
        if distance > self._distance + CLOCKS_APART:
            self._before, self._distance = self._distance, distance
            self._woke_at = self._monotonic()
        return stamp + (self._before if stamp <= self._woke_at else self._distance)

    def waited(self, stamp: float) -> float:
        """Seconds of CLOCK_MONOTONIC since a stamp; negative for one of another clock."""
        return self._monotonic() - stamp

    def _measured(self) -> float:
        # In this order a pause between the two readings makes a frame older, never younger.
        boot = self._boot()
        return boot - self._monotonic()
