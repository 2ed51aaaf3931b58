"""The clock that kiosk and kiosk-door share. Uses only the standard library, because kiosk-door imports it.

CLOCK_BOOTTIME counts the seconds since the machine started, including suspended time, and nobody can set it. All times
that are compared between processes or with a deadline use this clock: when a frame was taken, until when a grant is
valid, until when a lock is released. With CLOCK_MONOTONIC a grant would still be valid after the machine slept for an
hour.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CLOCKS_APART = 0.01
"""Smallest growth of the difference between the two clocks that counts as a suspend, in seconds. A smaller growth is
the time for reading them."""

_pace = 1.0


def boottime() -> float:
    """Seconds of CLOCK_BOOTTIME, which is the same for all processes of a machine. Within `slowed`: that many times the
    pace."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * _pace


def pause(seconds: float) -> None:
    """Sleeps so many seconds of `boottime`."""
    time.sleep(seconds / _pace)


@contextmanager
def slowed(pace: float) -> Iterator[None]:
    """In this process `boottime` goes at `pace` (above 0, at most 1) of its speed. Processes with the same pace still
    share a clock. For the demonstration alone, on a machine that is too slow for its story: kiosk-door takes a pace
    only together with the simulated lock, and never from a configuration. Raises ValueError."""
    global _pace  # noqa: PLW0603 - one clock for all that a process times, whoever asks
    if not 0 < pace <= 1:
        raise ValueError(f"a pace is above 0 and at most 1, not {pace:g}")
    before, _pace = _pace, pace
    try:
        yield
    finally:
        _pace = before


def boot_name() -> str:
    """A name for this start of the machine: the first 8 hexadecimal digits of the kernel's boot id. It tells whether a
    time of CLOCK_BOOTTIME is from this start. If the kernel gives none, each call returns another name, so that earlier
    times count as from an earlier start."""
    try:
        return BOOT_ID.read_bytes()[:8].decode("ascii")  # reading as text may import a codec as another user
    except (OSError, UnicodeError):
        return uuid.uuid4().hex[:8]


class DriverStamps:
    """Translates a driver's time stamps from CLOCK_MONOTONIC to CLOCK_BOOTTIME.

    Both clocks run at the same speed, and their difference grows with each suspend. A stamp from before a suspend is
    translated with the difference of that time, so that the frame gets its true age.
    """

    def __init__(self, boot: Callable[[], float] = boottime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._boot = boot
        self._monotonic = monotonic
        self._before = self._distance = self._measured()
        self._woke_at = 0.0

    def translated(self, stamp: float) -> float:
        """A time of CLOCK_MONOTONIC as a time of CLOCK_BOOTTIME."""
        distance = self._measured()
        if distance > self._distance + CLOCKS_APART:
            self._before, self._distance = self._distance, distance
            self._woke_at = self._monotonic()
        return stamp + (self._before if stamp <= self._woke_at else self._distance)

    def waited(self, stamp: float) -> float:
        """Seconds of CLOCK_MONOTONIC since a stamp; negative for one of another clock."""
        return self._monotonic() - stamp

    def _measured(self) -> float:
        # With this order a pause between the two readings makes a frame older, never younger.
        boot = self._boot()
        return boot - self._monotonic()
