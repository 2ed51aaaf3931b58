"""A USB camera through V4L2 and OpenCV.

The capture time is the buffer's own time stamp (V4L2 stamps with CLOCK_MONOTONIC, which is translated), so a frame that
waited in the driver's queue during a stall or a suspend is known to be old, and is thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Protocol

import cv2
import cv2.typing
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kiosk.clock import DriverStamps, boottime
from kiosk.domain.errors import CameraError
from kiosk.domain.types import Frame

MAX_QUEUE = 8
"""Frames that a driver may have queued; one more in a row that is old means that the camera lags for good."""


class UsbOptions(BaseModel):
    """[camera] kind = "usb"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = "/dev/video0"
    width: Annotated[int, Field(ge=320, le=3840)] = 640
    height: Annotated[int, Field(ge=240, le=2160)] = 480
    fps: Annotated[float, Field(ge=1, le=60)] = 30.0


class Capture(Protocol):
    """What is used of cv2.VideoCapture."""

    def isOpened(self) -> bool: ...  # noqa: N802
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803
    def get(self, propId: int) -> float: ...  # noqa: N803
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, cv2.typing.MatLike]: ...
    def release(self) -> None: ...


def _v4l2(device: str) -> Capture:
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 3000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 2000]
    return cv2.VideoCapture(device, cv2.CAP_V4L2, timeouts)


class UsbCamera:
    """The port Camera."""

    live = True
    Options: ClassVar[type[UsbOptions]] = UsbOptions

    def __init__(
        self,
        options: UsbOptions,
        capture: Callable[[str], Capture] = _v4l2,
        clock: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        stamps: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._new_capture = capture
        """`clock` is CLOCK_BOOTTIME, `stamps` the driver's clock."""
        self._clock = clock
        self._stamps = DriverStamps(clock, stamps)
        self._wall = wall
        self._capture: Capture | None = None
        self._number = 0

    def open(self) -> None:
        """Raises CameraError when the device is missing, in use, or refuses the size."""
        o = self._options
        capture = self._new_capture(o.device)
        if not capture.isOpened():
            capture.release()
            raise CameraError(f"{o.device}: the camera cannot be opened; is it plugged in, and may this user read it?")
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, o.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, o.height)
        capture.set(cv2.CAP_PROP_FPS, o.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture = capture

    def read(self, timeout: float) -> Frame:
        """The newest frame: those that were queued are skipped. Raises CameraError."""
        capture = self._capture
        if capture is None:
            raise CameraError(f"{self._options.device}: the camera is not open")
        for _ in range(MAX_QUEUE):
            if not capture.grab():
                raise CameraError(f"{self._options.device}: the camera has stopped delivering")
            stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not -0.05 <= self._stamps.waited(stamp) < 60:
                raise CameraError(f"{self._options.device}: the driver's time stamps are not of the monotonic clock")
            captured_at = self._stamps.translated(stamp)
            age = self._clock() - captured_at
            if age <= 2 / self._options.fps + 0.05:
                break
        else:
            raise CameraError(f"{self._options.device}: the camera lags {age:.1f} s behind")
        good, image = capture.retrieve()
        if not good or image is None:
            raise CameraError(f"{self._options.device}: the camera gave a frame that cannot be read")
        self._number += 1
        wall_at = self._wall() - timedelta(seconds=max(age, 0.0))
        return Frame(np.asarray(image, np.uint8), self._number, min(captured_at, self._clock()), wall_at)

    def close(self) -> None:
        """Never raises."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
