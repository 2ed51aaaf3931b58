"""Gives the newest frame of a driver's queue, with the time at which it was taken.

The time comes from the driver's own stamp. So a frame that waited in a queue during a stall or a suspend is recognised
as old and thrown away, and a camera that lags for good is a fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame, Image
from kiosk.system.clock import DriverStamps, boottime

MAX_QUEUE = 8
"""Most frames that a driver may have queued. As many old frames in a row mean that the camera lags permanently."""
MAX_SPOILT = 10
"""Most frames in one read() that cannot be decoded or have a time stamp of another clock. A single one is skipped."""
OLDEST = 60.0
"""Seconds. A stamp that is older is of another clock."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame as the driver has it. `stamp`: seconds of CLOCK_MONOTONIC."""

    stamp: float
    picture: Callable[[], Image | None]
    """Makes the picture, H x W x 3, BGR, of memory of its own; None if it cannot be read. Only asked for once."""
    let_go: Callable[[], None] = lambda: None
    """Gives its memory back to the driver."""


class Newest:
    """Takes frames until one is fresh. For one thread."""

    def __init__(
        self,
        name: str,
        fps: float,
        clock: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = utc_now,
        stamps: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` begins each error. `fps`: frames a second that the camera gives. `clock` is CLOCK_BOOTTIME, `stamps`
        the driver's clock."""
        self._name = name
        self._fps = fps
        self._clock = clock
        self._stamps = DriverStamps(clock, stamps)
        self._wall = wall
        self._number = 0

    def read(self, take: Callable[[float], Taken], timeout: float) -> Frame:
        """The newest frame. `take` waits at most so many seconds for the next one. Skips queued old frames and single
        unusable ones (MAX_QUEUE, MAX_SPOILT). Raises CameraError when there is no good frame within `timeout` seconds,
        and what `take` raises."""
        until = self._clock() + timeout
        queued = spoilt = 0
        trouble = "the camera gives no frames"
        while queued < MAX_QUEUE and spoilt < MAX_SPOILT and self._clock() <= until:
            taken = take(max(until - self._clock(), 0.0))
            try:
                captured_at = self._stamps.translated(taken.stamp)
                age = self._clock() - captured_at
                if not -0.05 <= self._stamps.waited(taken.stamp) < OLDEST:
                    spoilt += 1
                    trouble = "the driver's time stamps are not of the monotonic clock"
                elif age > 2 / self._fps + 0.05:
                    queued += 1
                    trouble = f"the camera lags {age:.1f} s behind"
                elif (image := taken.picture()) is None or not is_picture(image):
                    spoilt += 1
                    trouble = f"the camera gave {spoilt} frames in a row that cannot be read"
                else:
                    self._number += 1
                    wall_at = self._wall() - timedelta(seconds=max(age, 0.0))
                    return Frame(image, self._number, min(captured_at, self._clock()), wall_at)
            finally:
                taken.let_go()
        raise CameraError(f"{self._name}: {trouble}")


def is_picture(image: Image) -> bool:
    """Whether it is H x W x 3 bytes, and not empty."""
    return image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size > 0
