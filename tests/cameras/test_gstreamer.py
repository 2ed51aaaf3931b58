"""A camera of GStreamer: the real one, with a pattern, and with a clip that the test records. Not run here: a Jetson's
nvarguscamerasrc, and any other camera."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kiosk.cameras import system_library
from kiosk.cameras.gstreamer import GStreamerCamera, GStreamerOptions
from kiosk.config import parse
from kiosk.domain.errors import CameraError, ConfigError
from kiosk.station.assembly import camera as configured
from tests.cameras import gst
from tests.cameras.test_v4l2 import ON_A_PC, Machine

RED = "videotestsrc is-live=true pattern=red ! video/x-raw,width=333,height=240,framerate=30/1"


@pytest.fixture(autouse=True)
def _gstreamer() -> None:
    gst.needed()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class Eyes:
    """Makes cameras, and closes them."""

    def __init__(self) -> None:
        self._made: list[GStreamerCamera] = []

    def __call__(self, pipeline: str, machine: Machine | None = None, live: bool = False) -> GStreamerCamera:
        # One frame a second: this machine may be busy, and a frame's age is not what these tests are about.
        options = GStreamerOptions(pipeline=pipeline, live=live, fps=1)
        eye = GStreamerCamera(options, devices=machine.devices if machine else None)
        self._made.append(eye)
        return eye

    def close(self) -> None:
        for eye in self._made:
            eye.close()


def read_on(eye: GStreamerCamera) -> None:
    for _ in range(20):
        eye.read(5.0)


@pytest.fixture
def eyes() -> Iterator[Eyes]:
    made = Eyes()
    yield made
    made.close()


def test_a_picture_is_blue_green_red_without_the_rows_padding_and_memory_of_its_own(eyes: Eyes) -> None:
    eye = eyes(RED)
    eye.open()
    frame = eye.read(5.0)
    eye.close()
    assert frame.image.shape == (240, 333, 3), "333 pixels are no multiple of 4 bytes"
    base = frame.image.base
    assert frame.image.flags.owndata or (isinstance(base, np.ndarray) and base.flags.owndata)
    assert (frame.image == [0, 0, 255]).all()


def test_the_capture_time_is_the_buffers_by_the_kiosks_clock(eyes: Eyes) -> None:
    eye = eyes(RED)
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    eye.open()
    frames = [eye.read(5.0) for _ in range(3)]
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before - 0.1 <= frames[0].captured_at <= frames[1].captured_at <= frames[2].captured_at <= after
    assert [f.number for f in frames] == [1, 2, 3]


def test_a_clip_is_played_to_its_end_and_again(eyes: Eyes, tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    record = "videotestsrc num-buffers=12 pattern=blue ! video/x-raw,width=64,height=48,framerate=30/1 ! jpegenc"
    module, _ = system_library.gstreamer()
    recorder = module.parse_launch(f"{record} ! avimux ! filesink location={clip}")
    recorder.set_state(module.State.PLAYING)
    ended = recorder.get_bus().timed_pop_filtered(30 * module.SECOND, module.MessageType.EOS | module.MessageType.ERROR)
    recorder.set_state(module.State.NULL)
    assert ended is not None
    assert ended.type == module.MessageType.EOS
    eye = eyes(f"filesrc location={clip} ! avidemux ! jpegdec")
    assert not eye.live
    for _ in range(2):
        eye.open()
        image = eye.read(5.0).image
        assert image.shape == (48, 64, 3)
        assert np.abs(image.astype(int) - [255, 0, 0]).max() < 40, "blue, by way of JPEG"
        with pytest.raises(EOFError):
            read_on(eye)
        eye.close()
        with pytest.raises(CameraError, match="not open"):
            eye.read(0.1)


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("nosuchsrc", 'no element "nosuchsrc"'),
        ("videotestsrc ! ", "syntax error"),
        ("videotestsrc pattern=nosuch", "pattern"),
        ("videotestsrc ! video/x-raw,format=NONE", "could not link"),
        ("videoconvert", "it has no source, such as nvarguscamerasrc"),
        ("videotestsrc ! appsink", "leave appsink out"),
    ],
)
def test_a_pipeline_that_is_none_is_one_line_of_the_configuration(eyes: Eyes, pipeline: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^\[camera\] pipeline: ") as told:
        eyes(pipeline)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_an_element_that_fails_says_why_in_one_line(eyes: Eyes, tmp_path: Path) -> None:
    eye = eyes(f"filesrc location={tmp_path}/gone ! decodebin")
    with pytest.raises(CameraError, match=r"^the pipeline: filesrc\d+: Resource not found\.$"):
        eye.open()
    eye.close()


def test_an_element_that_fails_in_the_middle_says_so_and_the_pipeline_can_be_opened_again(eyes: Eyes) -> None:
    eye = eyes("videotestsrc is-live=true ! identity error-after=5")
    for _ in range(2):
        eye.open()
        with pytest.raises(CameraError, match=r"^the pipeline: identity\d+: "):
            read_on(eye)
        eye.close()


def test_a_pipeline_that_hangs_is_a_fault(eyes: Eyes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.cameras.gstreamer.FIRST_FRAME", 0.1)
    eye = eyes("videotestsrc is-live=true ! valve drop=true")
    with pytest.raises(CameraError, match=r"the pipeline: no frame for 0\.1 s"):
        eye.open()


def test_a_live_pipeline_that_ends_is_a_fault_and_not_the_end_of_a_recording(eyes: Eyes) -> None:
    eye = eyes("videotestsrc is-live=true num-buffers=2")
    eye.open()
    eye.live = True  # as a camera whose driver gives up
    with pytest.raises(CameraError, match=r"^the pipeline: it has ended$"):
        read_on(eye)


def test_a_live_pipeline_that_turns_out_to_play_something_is_a_fault(
    eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds other elements may make its source only when it starts."""
    eye = eyes(RED)
    eye.live = True
    before = iter([True])  # as long as it has not started
    really = eye._is_live
    monkeypatch.setattr(eye, "_is_live", lambda pipeline: next(before, False) or really(pipeline))
    with pytest.raises(CameraError, match="plays a recording, and is said to be live"):
        eye.open()


def test_frames_without_a_time_are_none(eyes: Eyes) -> None:
    eye = eyes("videotestsrc is-live=true ! identity name=i")
    eye.open()

    class Timeless:
        def get_buffer(self) -> object:
            return type("Buffer", (), {"pts": eye._gst.CLOCK_TIME_NONE})()

        def get_segment(self) -> object:
            return type("Segment", (), {"to_running_time": lambda *_: eye._gst.CLOCK_TIME_NONE})()

    eye._first = Timeless()
    with pytest.raises(CameraError, match="without a time"):
        eye.read(1.0)


@pytest.mark.parametrize(
    "pipeline",
    [
        "videotestsrc is-live=true",
        "filesrc location=/x ! decodebin",
        "uridecodebin uri=file:///x",
        "multifilesrc location=/x ! jpegdec",
        "videotestsrc ! fakesink v4l2src device=/dev/none",
    ],
)
def test_what_plays_something_is_never_live_whatever_is_said(eyes: Eyes, pipeline: str) -> None:
    assert not eyes(pipeline).live
    with pytest.raises(ConfigError, match=r"live = true: [a-z0-9]+ of the pipeline shows no camera"):
        eyes(pipeline, live=True)


def test_a_source_that_the_kiosk_does_not_know_is_live_where_it_is_said_outright(eyes: Eyes) -> None:
    unknown = "udpsrc ! application/x-rtp,encoding-name=JPEG,media=video ! rtpjpegdepay ! jpegdec"
    assert not eyes(unknown).live
    assert eyes(unknown, live=True).live


def test_v4l2src_is_live_where_a_camera_on_usb_is_behind_it(eyes: Eyes, machine: Machine) -> None:
    camera = machine.plug("video0", ON_A_PC)
    loopback = machine.plug("video1", None)
    isp = machine.plug("video2", "platform/tegra-capture-vi")
    assert eyes(f"v4l2src device={camera}", machine).live
    assert not eyes(f"v4l2src device={loopback}", machine).live
    with pytest.raises(ConfigError, match="v4l2src of the pipeline shows no camera"):
        eyes(f"v4l2src device={loopback}", machine, live=True)
    assert not eyes(f"v4l2src device={isp}", machine).live
    assert eyes(f"v4l2src device={isp}", machine, live=True).live


def test_a_pipeline_that_counted_as_live_is_not_opened_with_a_device_of_a_program(eyes: Eyes, machine: Machine) -> None:
    eye = eyes(f"v4l2src device={machine.dev}/video0", machine)
    assert eye.live
    machine.plug("video0", None)
    with pytest.raises(CameraError, match="is no camera any more"):
        eye.open()


def test_it_is_what_the_configuration_names() -> None:
    section = parse(f'[camera]\nkind = "gstreamer"\nrotate = 90\npipeline = "{RED}"\n', "kiosk.toml").camera
    eye = configured(section)
    assert not eye.live
    eye.open()
    assert eye.read(5.0).image.shape == (333, 240, 3)
    eye.close()
