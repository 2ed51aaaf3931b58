"""A USB camera through V4L2 and OpenCV.

The capture time comes from the buffer's own time stamp (V4L2 uses CLOCK_MONOTONIC; it is translated). So a frame that
waited in the driver's queue during a stall or a suspend is recognised as old and thrown away.

A device that is no camera on this machine's USB (v4l2loopback) counts as not live. One that counted as live is never
opened as another one, whatever has been plugged in meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, ClassVar, Protocol

import cv2
import cv2.typing
import numpy as np
from pydantic import Field

from kiosk.cameras.light import PictureOptions
from kiosk.cameras.newest import Newest, Taken, utc_now
from kiosk.cameras.v4l2 import VideoDevices
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame, Image
from kiosk.system.clock import boottime


class UsbOptions(PictureOptions):
    """[camera] kind = "usb"."""

    device: Annotated[str, Field(pattern="^(/.+|[0-9a-f]{4}:[0-9a-f]{4})$")] = "/dev/video0"
    """A path, or the camera's USB ids as `lsusb` shows them."""


class Capture(Protocol):
    """The methods of cv2.VideoCapture that UsbCamera uses."""

    def isOpened(self) -> bool: ...  # noqa: N802
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803
    def get(self, propId: int) -> float: ...  # noqa: N803
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, cv2.typing.MatLike]: ...
    def release(self) -> None: ...


def _v4l2(device: str) -> Capture:
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 3000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 2000]
    return cv2.VideoCapture(device, cv2.CAP_V4L2, timeouts)


def _decoded(capture: Capture) -> Image | None:
    """The frame that was grabbed last; None if it is no picture."""
    try:
        good, image = capture.retrieve()
    except cv2.error:
        return None
    return np.asarray(image) if good and image is not None else None


class UsbCamera:
    """Implements the port Camera for a V4L2 device."""

    Options: ClassVar[type[UsbOptions]] = UsbOptions

    def __init__(
        self,
        options: UsbOptions,
        capture: Callable[[str], Capture] = _v4l2,
        clock: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = utc_now,
        stamps: Callable[[], float] = time.monotonic,
        devices: VideoDevices | None = None,
    ) -> None:
        self._options = options
        self._devices = devices or VideoDevices()
        self.live = not self._devices.is_virtual(options.device)
        self._new_capture = capture
        """Opens a device. (`clock` is CLOCK_BOOTTIME, `stamps` is the driver's clock.)"""
        self._newest = Newest(options.device, options.fps, clock, wall, stamps)
        self._capture: Capture | None = None

    def open(self) -> None:
        """Raises CameraError when the device is missing or in use, cannot be exposed as wanted, or has become a virtual
        one."""
        o = self._options
        device = self._devices.find(o.device)
        if self.live and self._devices.is_virtual(o.device):
            raise CameraError(f"{o.device}: this is no camera on this machine's USB, but pictures of a program")
        capture = self._new_capture(str(device))
        if not capture.isOpened():
            capture.release()
            raise CameraError(f"{o.device}: the camera cannot be opened; is it plugged in, and may this user read it?")
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, o.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, o.height)
        capture.set(cv2.CAP_PROP_FPS, o.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture = capture  # from here on close() releases it
        self._devices.set_light(device, o.flicker, o.exposure)

    def read(self, timeout: float) -> Frame:
        """The newest frame (cameras.newest). Raises CameraError when there is no good frame within `timeout`
        seconds."""
        capture, device = self._capture, self._options.device
        if capture is None:
            raise CameraError(f"{device}: the camera is not open")

        def take(_: float) -> Taken:
            if not capture.grab():
                raise CameraError(f"{device}: the camera has stopped delivering")
            return Taken(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, lambda: _decoded(capture))

        return self._newest.read(take, timeout)

    def close(self) -> None:
        """Never raises."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
