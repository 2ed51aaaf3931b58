"""The Raspberry Pi's own camera (CSI), through picamera2 and libcamera, which come from the system.

One stream, in the size of `[camera]`: the detector searches it made small, and what follows cuts the face out of it
(deploy/decisions/0044-cameras.md). The capture time is the sensor's: libcamera documents CLOCK_BOOTTIME and passes on
V4L2's CLOCK_MONOTONIC. Either is recognised.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from kiosk.cameras import system_library
from kiosk.cameras.light import Height, PictureOptions, Width
from kiosk.cameras.newest import Newest, Taken, utc_now
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame, Image
from kiosk.system.clock import boottime

# libcamera's control_ids_core.yaml
_FLICKER_OFF, _FLICKER_PERIOD, _FLICKER_AUTO = 0, 1, 2
_PERIODS = {50: 10_000, 60: 8_333}
"""Microseconds of a flicker of 100 and of 120 Hz."""
_FOCUS_ALWAYS = 2
BUFFERS = 4
BRIGHTEST = 8.0
"""Largest ExposureValue of libcamera's Raspberry Pi pipeline."""


class RaspberryPiOptions(PictureOptions):
    """[camera] kind = "picamera2". Its pictures have an even number of rows and columns."""

    number: Annotated[int, Field(ge=0, le=7)] = 0
    """As `rpicam-hello --list-cameras` counts."""
    width: Annotated[Width, Field(multiple_of=2)] = 640
    height: Annotated[Height, Field(multiple_of=2)] = 480


class RaspberryPiCamera:
    """Implements the port Camera. picamera2 has threads of its own; all methods but `brighten` are for one thread."""

    live = True
    Options: ClassVar[type[RaspberryPiOptions]] = RaspberryPiOptions

    def __init__(
        self,
        options: RaspberryPiOptions,
        clock: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = utc_now,
        stamps: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError when picamera2 or libcamera is missing, or made for another Python."""
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # otherwise a page of its own at each start
        self._library = system_library.picamera2()
        self._options = options
        self._clock = clock
        self._stamps = stamps
        self._newest = Newest(f"camera {options.number}", options.fps, clock, wall, stamps)
        self._camera: Any = None
        self._stops = 0.0

    def open(self) -> None:
        """Raises CameraError when there is no such camera, somebody else has it, or it cannot do what is wanted."""
        o = self._options
        try:
            found = self._library.Picamera2.global_camera_info()
            if o.number >= len(found):
                raise CameraError(
                    f"there is no camera {o.number}: libcamera sees {len(found)}: look at the ribbon cable, and at "
                    "`rpicam-hello --list-cameras`"
                )
            refuse_other_cameras(o.number, str(found[o.number]["Id"]))
            self._camera = _opened(self._library.Picamera2, o.number)
            width, height = self._camera.sensor_resolution
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"size": (o.width, o.height), "format": "RGB888"},  # which is B, G, R in memory
                    # Half the sensor's pixels each way: the whole field of view. Else the mode nearest to a small
                    # picture is taken, which for many sensors shows only the middle.
                    sensor={"output_size": (width // 2, height // 2)},
                    raw=None,
                    buffer_count=BUFFERS,
                    controls=wanted(o, self._camera.camera_controls),
                    display=None,
                    encode=None,
                )
            )
            self._camera.start()
            if self._stops:  # it was pulled out while a face stood against the light
                self.brighten(self._stops)
        except CameraError:
            raise
        except Exception as error:
            raise CameraError(f"camera {o.number}: {_told(error)}") from error

    def read(self, timeout: float) -> Frame:
        """The newest frame (cameras.newest). Raises CameraError when there is no good frame within `timeout`
        seconds."""
        if self._camera is None:
            raise CameraError(f"camera {self._options.number}: the camera is not open")
        return self._newest.read(self._take, timeout)

    def brighten(self, stops: float) -> None:
        """Implements the port Brightening. Not where `exposure` is fixed."""
        camera, self._stops = self._camera, max(0.0, min(stops, BRIGHTEST))
        if camera is None or self._options.exposure not in {None, "auto"}:
            return
        try:
            camera.set_controls({"ExposureValue": self._stops})
        except Exception:  # noqa: BLE001 - a sensor without it, or one that is being closed: it stays as it is
            return

    def close(self) -> None:
        """Never raises."""
        camera, self._camera = self._camera, None
        if camera is None:
            return
        for _ in range(2):
            try:
                # A read() that waits for a frame which never comes would hold up the stop for ever.
                camera.cancel_all_and_flush()
                camera.close()
                return
            except Exception:  # noqa: BLE001 - a camera that was pulled out does not stop: what it holds is let go
                camera.started = False

    def _take(self, timeout: float) -> Taken:
        try:
            request = self._camera.capture_request(wait=max(timeout, 0.001))
        except TimeoutError as error:
            self._camera.cancel_all_and_flush()  # else it would keep the next frame for nobody
            raise CameraError(f"camera {self._options.number}: the camera has stopped delivering") from error
        except Exception as error:
            raise CameraError(f"camera {self._options.number}: {_told(error)}") from error

        def picture() -> Image:
            return np.asarray(request.make_array("main"))

        try:
            stamp = float(request.get_metadata()["SensorTimestamp"]) / 1e9
        except Exception as error:
            request.release()
            raise CameraError(f"camera {self._options.number}: a frame without the sensor's time") from error
        return Taken(self._monotonic(stamp), picture, request.release)

    def _monotonic(self, stamp: float) -> float:
        """The stamp as a time of CLOCK_MONOTONIC, whichever clock it is of. After a suspend a stamp of CLOCK_BOOTTIME
        is ahead of the other clock, as no frame can be."""
        ahead = stamp - self._stamps()
        suspended = self._clock() - self._stamps()
        return stamp - suspended if 0.05 < ahead <= suspended + 0.05 else stamp


def refuse_other_cameras(number: int, path: str) -> None:
    """libcamera also shows USB cameras, and cameras that a program plays. Only what stands in the board's device tree
    is on its connector. Raises CameraError for all others."""
    if not path.startswith("/base/") or "usb" in path.lower():
        raise CameraError(
            f'camera {number} ({path}) is not on the board\'s own connector: a USB camera is kind = "usb"'
        )


def wanted(options: RaspberryPiOptions, offered: Mapping[str, tuple[Any, Any, Any]]) -> dict[str, object]:
    """libcamera's controls for these options. `offered`: least, most and usual value of each control that the camera
    has. Raises CameraError for what it cannot do."""
    duration = round(1e6 / options.fps)
    controls: dict[str, object] = {"FrameDurationLimits": (duration, duration)}
    if options.flicker is not None:
        modes = {"off": _FLICKER_OFF, "auto": _FLICKER_AUTO}
        mode = modes.get(str(options.flicker), _FLICKER_PERIOD)
        if "AeFlickerMode" not in offered or mode > offered["AeFlickerMode"][1]:
            raise CameraError(
                f"camera {options.number} cannot do flicker = {options.flicker} of [camera]: leave it out"
            )
        controls["AeFlickerMode"] = mode
        if mode == _FLICKER_PERIOD:
            controls["AeFlickerPeriod"] = _PERIODS[int(options.flicker)]
    if isinstance(options.exposure, float):
        controls["ExposureTime"] = round(options.exposure * 1000)
    if "AfMode" in offered:  # a lens that moves: people stand at different distances
        controls["AfMode"] = _FOCUS_ALWAYS
    return controls


def _opened(picamera2: Any, number: int) -> Any:
    """A Picamera2. If that fails, what it has opened is closed: picamera2 itself would leave a pipe open each time,
    and after some hours of trying there would be no more."""
    made = picamera2.__new__(picamera2)
    try:
        made.__init__(number)
    except Exception:
        if getattr(made, "is_open", False):
            made.camera.release()
            made.is_open = False
        if (pipe := getattr(made, "notifymeread", None)) is not None:
            pipe.close()
            os.close(made.notifyme_w)
        raise
    return made


def _told(error: Exception) -> str:
    """What went wrong, in one line: the first cause, which picamera2 hides behind its own words."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
