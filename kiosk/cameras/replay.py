"""A recorded clip or folder as a camera: every frame, at the recording's own pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from kiosk.cameras.files import stat_of
from kiosk.cameras.sources import Still, stills
from kiosk.domain.errors import CameraError, SampleError
from kiosk.domain.face import Frame
from kiosk.system.clock import boottime

LONGEST_WAIT = 1.0
"""Longest time between two frames in seconds. A recording may leave out unchanged frames; a camera may not."""


class ReplayOptions(BaseModel):
    """[camera] kind = "replay"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path


class ReplayCamera:
    """Plays a recording as if it happened now. If the reader is late, the recording waits. Raises EOFError at its end.

    The people in it do not stand at the door now, so it must never be used with a real lock. (`kiosk replay` reads
    recordings without a camera, as fast as it can.)
    """

    live = False
    Options: ClassVar[type[ReplayOptions]] = ReplayOptions

    def __init__(
        self,
        options: ReplayOptions,
        clock: Callable[[], float] = boottime,
        sleep: Callable[[float], None] = time.sleep,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self._wall = wall
        self._stills: Iterator[Still] | None = None
        self._begin: float | None = None

    def open(self) -> None:
        """Starts the recording from its beginning. Raises CameraError when it does not exist."""
        try:
            stat_of(self._options.source)
        except SampleError as error:
            raise CameraError(f"there is no such recording: {error}") from error
        self._stills = stills(self._options.source)
        self._begin = None

    def read(self, timeout: float) -> Frame:
        """Waits until the next frame is due, at most LONGEST_WAIT, and returns it. Raises CameraError for a damaged
        recording, EOFError at its end."""
        if self._stills is None:
            raise CameraError("the recording is not open")
        try:
            still = next(self._stills)
        except StopIteration:
            raise EOFError from None
        except SampleError as error:
            raise CameraError(str(error)) from error
        now = self._clock()
        if self._begin is None:
            self._begin = now - still.at
        wait = self._begin + still.at - now
        if not 0 < wait <= LONGEST_WAIT:
            # If the reader is late, the recording waits for it. If the frame is due only after LONGEST_WAIT, frames
            # were left out or the time stamp is wrong: the wait is cut short.
            late = min(max(wait, 0.0), LONGEST_WAIT) - wait
            self._begin, wait = self._begin + late, wait + late
        if wait > 0:
            self._sleep(wait)
        return Frame(still.image, still.number, self._clock(), self._wall())

    def close(self) -> None:
        """Never raises."""
        self._stills = None
