"""What every registered camera must do. The USB camera runs over a scripted cv2.VideoCapture, the Raspberry
Pi's over a stand-in of libcamera: no camera is here.

The script does not model: V4L2's formats and controls, a device that hangs in the kernel, real light.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.cameras.gstreamer import GStreamerCamera, GStreamerOptions
from kiosk.cameras.raspberry_pi import RaspberryPiCamera, RaspberryPiOptions
from kiosk.cameras.replay import ReplayCamera, ReplayOptions
from kiosk.cameras.usb import UsbCamera, UsbOptions
from kiosk.demonstration.camera import SimulatedCamera, SimulatedOptions
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame
from kiosk.domain.ports.camera import Camera
from kiosk.testing.cameras import CameraContract, Clock
from tests.cameras import gst, pi
from tests.fakes import libcamera

NAMES = sorted(p.name for p in entry_points(group="kiosk.cameras"))


class ScriptedCapture:
    """A V4L2 device by cv2's names: each grab takes the next buffer of a queue filled at 30 a second."""

    def __init__(self, clock: Clock, opened: bool = True) -> None:
        self.clock = clock
        self.opened = opened
        self.stamps: list[float] = []
        self.current = 0.0
        self.dead = False
        self.wrong_clock = 0.0
        self.count = 0
        self.spoilt: Callable[[int], bool] = lambda _: False

    def isOpened(self) -> bool:
        return self.opened

    def set(self, propId: int, value: float) -> bool:
        return True

    def get(self, propId: int) -> float:
        return (self.current + self.wrong_clock) * 1000 if propId == cv2.CAP_PROP_POS_MSEC else 0.0

    def grab(self) -> bool:
        if self.dead:
            return False
        if not self.stamps:
            self.clock.now += 1 / 30
            self.stamps.append(self.clock.now - 0.005)
        self.current = self.stamps.pop(0)
        self.count += 1
        return True

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        if self.spoilt(self.count):
            return False, None
        return True, np.full((480, 640, 3), int(self.current * 30) % 256, np.uint8)

    def release(self) -> None:
        self.opened = False


def usb(clock: Clock, capture: ScriptedCapture) -> UsbCamera:
    wall = datetime(2026, 1, 1, tzinfo=UTC)
    return UsbCamera(UsbOptions(), lambda _: capture, lambda: clock() + clock.asleep, lambda: wall, clock)


class ExposedCamera(RaspberryPiCamera):
    """Exposes a frame, 30 a second, whenever one is read."""

    def __init__(self, clock: Clock, sensor: libcamera.Camera) -> None:
        super().__init__(RaspberryPiOptions(), clock, lambda: datetime(2026, 1, 1, tzinfo=UTC), clock)
        self._test, self._sensor = clock, sensor

    def read(self, timeout: float) -> Frame:
        self._test.now += 1 / 30
        self._sensor.expose(self._test.now - 0.005)
        return super().read(timeout)


def pattern(clock: Clock) -> GStreamerCamera:
    """GStreamer has a clock of its own: the test's follows it."""
    gst.needed()

    def now() -> float:
        clock.now = time.monotonic()
        return clock.now

    source = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=64,height=48,framerate=30/1"
    return GStreamerCamera(GStreamerOptions(pipeline=source, fps=15), now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.filterwarnings(pi.WARNS)
class TestCameras(CameraContract):
    @pytest.fixture(params=NAMES)
    def camera(self, request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[Camera]:
        for i in range(20):
            cv2.imwrite(str(tmp_path / f"{i:03}.png"), np.full((48, 64, 3), i, np.uint8))
        made: dict[str, Callable[[], Camera]] = {
            "gstreamer": lambda: pattern(clock),
            "picamera2": lambda: ExposedCamera(clock, pi.sensor()),
            "usb": lambda: usb(clock, ScriptedCapture(clock)),
            "replay": lambda: ReplayCamera(ReplayOptions(source=tmp_path), clock=clock, sleep=clock.sleep),
            "simulated": lambda: SimulatedCamera(SimulatedOptions(), clock=clock, sleep=clock.sleep),
        }
        eye = made[request.param]()
        yield eye
        eye.close()


def test_neither_recordings_nor_the_demonstration_are_live() -> None:
    assert [c.live for c in (ReplayCamera, SimulatedCamera)] == [False, False]


def test_usb_frames_queued_during_a_stall_are_thrown_away(clock: Clock) -> None:
    capture = ScriptedCapture(clock)
    camera = usb(clock, capture)
    camera.open()
    capture.stamps = [clock.now + i / 30 for i in range(4)]
    clock.now += 5.0
    frame = camera.read(1.0)
    assert clock.now - frame.captured_at < 0.1


def test_usb_frames_queued_before_a_suspend_are_thrown_away(clock: Clock) -> None:
    """For the driver's clock no time has passed: one of them was the evidence of whoever stood there an hour ago."""
    capture = ScriptedCapture(clock)
    camera = usb(clock, capture)
    camera.open()
    camera.read(1.0)
    capture.stamps = [clock.now - 0.02 + i / 100 for i in range(3)]
    clock.now += 0.01
    clock.asleep += 3600.0
    for _ in range(3):
        frame = camera.read(1.0)
        assert 0 <= clock() + clock.asleep - frame.captured_at < 0.1
        assert clock() - capture.current < 0.1
        assert not capture.stamps, "what was queued is gone"


def test_a_usb_camera_that_lags_for_good_is_a_fault(clock: Clock) -> None:
    capture = ScriptedCapture(clock)
    camera = usb(clock, capture)
    camera.open()
    capture.stamps = [clock.now - 5 + i / 1000 for i in range(50)]
    with pytest.raises(CameraError, match="lags"):
        camera.read(1.0)


@pytest.mark.parametrize("offset", [-5000.0, 1.7e9])
def test_usb_time_stamps_of_another_clock_are_refused(clock: Clock, offset: float) -> None:
    capture = ScriptedCapture(clock)
    capture.wrong_clock = offset
    camera = usb(clock, capture)
    camera.open()
    with pytest.raises(CameraError, match="monotonic"):
        camera.read(1.0)


@pytest.mark.parametrize("every", [2, 10, 30])
def test_the_odd_usb_frame_that_cannot_be_decoded_is_left_out(clock: Clock, every: int) -> None:
    capture = ScriptedCapture(clock)
    capture.spoilt = lambda count: count % every == 0
    camera = usb(clock, capture)
    camera.open()
    frames = [camera.read(2.0) for _ in range(100)]
    assert capture.count > 100
    assert len({f.captured_at for f in frames}) == 100


def test_usb_frames_of_which_none_can_be_decoded_are_a_fault(clock: Clock) -> None:
    capture = ScriptedCapture(clock)
    camera = usb(clock, capture)
    camera.open()
    capture.spoilt = lambda _: True
    with pytest.raises(CameraError, match="10 frames in a row that cannot be read"):
        camera.read(2.0)


def test_an_unplugged_usb_camera_is_a_fault(clock: Clock) -> None:
    capture = ScriptedCapture(clock)
    camera = usb(clock, capture)
    camera.open()
    capture.dead = True
    with pytest.raises(CameraError, match="stopped delivering"):
        camera.read(1.0)


def test_a_missing_usb_camera_says_so() -> None:
    with pytest.raises(CameraError, match="cannot be opened"):
        UsbCamera(UsbOptions(device="/dev/video-that-is-not-there")).open()


def test_a_missing_recording_says_so(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no such recording"):
        ReplayCamera(ReplayOptions(source=tmp_path / "gone")).open()
