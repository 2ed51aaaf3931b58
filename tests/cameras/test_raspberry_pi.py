"""The Raspberry Pi's camera: picamera2's real package, over a stand-in of libcamera (tests/fakes/libcamera.py says what
it does not model). Not run here: a real sensor, its ISP and the kernel's dma-heap."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiosk.cameras.raspberry_pi import RaspberryPiCamera, RaspberryPiOptions, refuse_other_cameras, wanted
from kiosk.domain.errors import CameraError
from kiosk.testing.cameras import Clock
from tests.cameras import pi
from tests.fakes.libcamera import PADDING, Camera, CameraManager

pytestmark = pytest.mark.filterwarnings(pi.WARNS)
PI = {"AeFlickerMode": (0, 1, 0), "ExposureTime": (75, 11_000_000, 20_000)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sensor() -> Camera:
    return pi.sensor()


def camera(clock: Clock, **options: Any) -> RaspberryPiCamera:
    wall = datetime(2026, 1, 1, tzinfo=UTC)
    chosen = RaspberryPiOptions.model_validate(options)
    return RaspberryPiCamera(chosen, lambda: clock() + clock.asleep, lambda: wall, clock)


def opened(clock: Clock, **options: Any) -> RaspberryPiCamera:
    eye = camera(clock, **options)
    eye.open()
    return eye


def test_a_picture_is_blue_green_red_and_without_the_rows_padding(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock, width=330, height=240)
    assert sensor.configuration is not None
    assert sensor.configuration.at(0).stride > 330 * 3, "the stand-in pads it"
    assert sensor.expose(clock.now)
    image = eye.read(1.0).image
    eye.close()
    assert image.shape == (240, 330, 3)
    assert image.flags.c_contiguous
    assert not (image == PADDING).any()
    assert (image[:120] == [255, 1, 0]).all(), "blue above"
    assert (image[120:] == [0, 1, 255]).all(), "red below"


def test_the_whole_field_of_view_is_asked_for_and_the_rate_held(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock, fps=20)
    assert sensor.configuration is not None
    assert sensor.configuration.sensor_config is not None
    mode = sensor.configuration.sensor_config.output_size
    assert mode is not None
    assert (mode.width, mode.height) == (1640, 1232)
    assert len(sensor.configuration.streams) == 1
    assert sensor.set["FrameDurationLimits"] == (50_000, 50_000)
    eye.close()


@pytest.mark.parametrize("boottime", [False, True])
def test_the_sensors_time_is_the_capture_time_whichever_clock_libcamera_gives(
    sensor: Camera, clock: Clock, boottime: bool
) -> None:
    clock.asleep = 3600.0
    eye = opened(clock)
    assert sensor.expose(clock.now - 0.02 + (clock.asleep if boottime else 0.0))
    frame = eye.read(1.0)
    eye.close()
    assert frame.captured_at == pytest.approx(clock.now + clock.asleep - 0.02, abs=1e-6)
    assert (datetime(2026, 1, 1, tzinfo=UTC) - frame.wall_at).total_seconds() == pytest.approx(0.02, abs=1e-5)


def test_a_time_of_another_clock_is_no_evidence(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    for ahead in range(1, 11):
        assert sensor.expose(clock.now + 1000.0 * ahead)
        with pytest.raises(CameraError, match=r"monotonic|stopped delivering"):
            eye.read(0.05)
    eye.close()


def test_a_frame_from_before_a_suspend_is_thrown_away(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    assert sensor.expose(clock.now)
    assert eye.read(1.0).number == 1
    assert sensor.expose(clock.now)
    clock.now += 0.01
    clock.asleep += 3600.0
    with pytest.raises(CameraError, match="stopped delivering"):
        eye.read(0.05)
    clock.now += 1 / 30
    assert sensor.expose(clock.now)
    assert eye.read(1.0).captured_at == pytest.approx(clock.now + clock.asleep)
    eye.close()


def test_a_frame_without_the_sensors_time_is_none(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    sensor.stampless = True
    assert sensor.expose(clock.now)
    with pytest.raises(CameraError, match="without the sensor's time"):
        eye.read(1.0)
    eye.close()


def test_a_frame_that_was_spoilt_on_its_way_is_left_out(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    assert sensor.expose(clock.now, "Error")
    assert sensor.expose(clock.now)
    assert eye.read(1.0).image[0, 0, 1] == 2
    eye.close()


def test_a_camera_that_shows_nothing_is_a_fault_and_goes_on_when_it_does(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    for _ in range(6):  # more than it has buffers
        with pytest.raises(CameraError, match="stopped delivering"):
            eye.read(0.02)
    for _ in range(6):
        clock.now += 1 / 30
        assert sensor.expose(clock.now)
        eye.read(1.0)
    eye.close()


def test_a_camera_is_stopped_in_mid_capture(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    running = eye._camera
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(eye.read, 20.0)
        while not running._job_list:
            pass
        eye.close()
        assert isinstance(reading.exception(10.0), CameraError)
    assert sensor.holder is None
    eye.open()
    assert sensor.expose(clock.now)
    eye.read(1.0)
    eye.close()


def test_a_camera_that_is_pulled_out_is_let_go_and_opened_again(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    sensor.out = True
    with pytest.raises(CameraError, match="camera 0: the camera has stopped delivering"):
        eye.read(0.05)
    eye.close()
    assert sensor.holder is None
    CameraManager.plugged.clear()
    with pytest.raises(CameraError, match="no camera 0: libcamera sees 0: look at the ribbon cable"):
        eye.open()
    eye.close()
    sensor.out = False
    CameraManager.plugged.append(sensor)
    eye.open()
    assert sensor.expose(clock.now)
    eye.read(1.0)
    eye.close()


def test_trying_to_open_a_camera_that_somebody_has_leaves_nothing_open(sensor: Camera, clock: Clock) -> None:
    eye = camera(clock)
    sensor.busy = True
    files: list[int] = []
    for _ in range(5):
        with pytest.raises(CameraError, match="camera 0: Failed to acquire camera: Device or resource busy"):
            eye.open()
        eye.close()
        gc.collect()
        files.append(len(list(Path("/proc/self/fd").iterdir())))
    assert files[1:] == files[:-1]


@pytest.mark.parametrize(
    "path", ["Virtual0", "/base/axi/pcie/usb@200000-2:1.0-0bda:5880", "\\_SB_.PCI0.XHC_.RHUB.HS05"]
)
def test_what_is_not_on_the_boards_connector_is_refused(sensor: Camera, clock: Clock, path: str) -> None:
    sensor.id = path
    eye = camera(clock)
    with pytest.raises(CameraError, match="is not on the board's own connector"):
        eye.open()
    assert eye.live


def test_the_boards_own_cameras_are_known() -> None:
    refuse_other_cameras(0, "/base/soc/i2c0mux/i2c@1/imx219@10")
    refuse_other_cameras(1, "/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a")


@pytest.mark.parametrize(
    ("options", "controls"),
    [
        ({"fps": 25}, {"FrameDurationLimits": (40_000, 40_000)}),
        ({"fps": 25, "flicker": 50}, {"AeFlickerMode": 1, "AeFlickerPeriod": 10_000}),
        ({"fps": 25, "flicker": 60}, {"AeFlickerMode": 1, "AeFlickerPeriod": 8_333}),
        ({"fps": 25, "flicker": "off"}, {"AeFlickerMode": 0}),
        ({"fps": 25, "exposure": 8}, {"ExposureTime": 8_000}),
        ({"fps": 25, "exposure": "auto"}, {}),
    ],
)
def test_the_configuration_in_libcameras_words(options: dict[str, Any], controls: dict[str, object]) -> None:
    found = wanted(RaspberryPiOptions.model_validate(options), PI)
    assert found == {"FrameDurationLimits": (40_000, 40_000)} | controls


def test_a_lens_that_moves_is_kept_in_focus() -> None:
    assert wanted(RaspberryPiOptions(), PI | {"AfMode": (0, 2, 0)})["AfMode"] == 2


@pytest.mark.parametrize(("flicker", "offered"), [("auto", PI), (50, {}), ("off", {})])
def test_what_the_camera_cannot_do_is_an_error(flicker: Any, offered: dict[str, tuple[Any, Any, Any]]) -> None:
    with pytest.raises(CameraError, match=f"cannot do flicker = {flicker}"):
        wanted(RaspberryPiOptions(flicker=flicker), offered)


@pytest.mark.parametrize(("stops", "value"), [(1.5, 1.5), (99.0, 8.0), (-1.0, 0.0)])
def test_it_is_brightened_within_bounds(sensor: Camera, clock: Clock, stops: float, value: float) -> None:
    eye = opened(clock)
    eye.brighten(stops)
    assert sensor.expose(clock.now)
    eye.read(1.0)
    eye.close()
    assert sensor.set["ExposureValue"] == value


def test_a_camera_that_is_opened_again_is_as_bright_as_before(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    eye.brighten(1.5)
    eye.close()
    sensor.set.clear()
    eye.open()
    assert sensor.expose(clock.now)
    eye.read(1.0)
    eye.close()
    assert sensor.set["ExposureValue"] == 1.5


def test_neither_a_fixed_exposure_nor_a_sensor_without_it_is_brightened(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock, exposure=10)
    eye.brighten(1.0)
    eye.close()
    del sensor.limits["ExposureValue"]
    eye = opened(clock)
    eye.brighten(1.0)
    assert sensor.expose(clock.now)
    eye.read(1.0)
    eye.close()
    eye.brighten(1.0)
    assert "ExposureValue" not in sensor.set


def test_a_picture_is_memory_of_its_own(sensor: Camera, clock: Clock) -> None:
    eye = opened(clock)
    assert sensor.expose(clock.now)
    first = eye.read(1.0).image
    eye.close()
    assert np.all(first[:, :, 1] == 1)
