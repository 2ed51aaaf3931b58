"""Any camera that GStreamer knows, by a pipeline of the configuration: a Jetson's nvarguscamerasrc, for one.

The text ends before the sink: the kiosk adds the conversion and its own. The capture time is the buffer's, by the
system's monotonic clock, which the pipeline is made to use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kiosk.cameras import system_library
from kiosk.cameras.newest import Newest, Taken, utc_now
from kiosk.cameras.v4l2 import VideoDevices
from kiosk.domain.errors import CameraError, ConfigError
from kiosk.domain.face import Frame, Image
from kiosk.system.clock import boottime

LIVE = frozenset({"nvarguscamerasrc"})
"""Sources that show nothing but a camera of this board. For v4l2src Linux is asked (cameras.v4l2). libcamerasrc is none
of them: libcamera also gives cameras that a program plays."""
PLAYED = frozenset(
    {
        "appsrc",
        "dataurisrc",
        "fakesrc",
        "fakevideosrc",
        "fdsrc",
        "filesrc",
        "giosrc",
        "giostreamsrc",
        "imagesequencesrc",
        "intervideosrc",
        "multifilesrc",
        "playbin",
        "playbin3",
        "shmsrc",
        "splitfilesrc",
        "splitmuxsrc",
        "uridecodebin",
        "uridecodebin3",
        "urisourcebin",
        "videotestsrc",
        "ximagesrc",
    }
)
"""Sources of recordings, of a program's pictures, and of patterns. They are never live, whatever `live` says."""
FIRST_FRAME = 5.0
"""Seconds in which a pipeline must give its first frame: a Jetson's camera takes two."""
_SINK = "kiosk-frames"
_ENDING = f" ! videoconvert ! video/x-raw,format=BGR ! appsink name={_SINK} max-buffers=1 drop=true"


class GStreamerOptions(BaseModel):
    """[camera] kind = "gstreamer"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: Annotated[str, Field(min_length=1, max_length=2000)]
    live: bool = False
    """Said outright for a source that the kiosk does not know: it shows what is in front of the kiosk now."""
    fps: Annotated[float, Field(ge=1, le=60)] = 30.0
    """What the pipeline gives; frames that are older than two of them are thrown away."""


class GStreamerCamera:
    """Implements the port Camera."""

    Options: ClassVar[type[GStreamerOptions]] = GStreamerOptions

    def __init__(
        self,
        options: GStreamerOptions,
        clock: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = utc_now,
        stamps: Callable[[], float] = time.monotonic,
        devices: VideoDevices | None = None,
    ) -> None:
        """Raises ConfigError when GStreamer is missing, or the pipeline is none."""
        self._gst, _ = system_library.gstreamer()
        self._options = options
        self._devices = devices or VideoDevices()
        self._newest = Newest("pipeline", options.fps, clock, wall, stamps)
        self._pipeline: Any = None
        self._first: Any = None
        self.live = self._is_live(self._parsed())

    def open(self) -> None:
        """Starts the pipeline and waits for its first frame. Raises CameraError when there is none, or when a source
        is no longer what it was."""
        gst = self._gst
        pipeline = self._parsed()
        if self.live and not self._is_live(pipeline):
            raise CameraError("the pipeline: a device of it is no camera any more, but pictures of a program")
        self._pipeline = pipeline  # from here on close() stops it
        pipeline.use_clock(gst.SystemClock.obtain())
        # A recording is played at its own pace; what is live is taken as it comes.
        pipeline.get_by_name(_SINK).set_property("sync", not self.live)
        if pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE:
            raise CameraError(self._error() or "the pipeline: it does not start")
        self._first = self._sample(FIRST_FRAME)
        if self.live and not self._is_still_live(pipeline):
            raise CameraError("the pipeline plays a recording, and is said to be live")

    def read(self, timeout: float) -> Frame:
        """The newest frame (cameras.newest). Raises CameraError when there is no good frame within `timeout` seconds,
        EOFError at the end of a recording."""
        if self._pipeline is None:
            raise CameraError("the pipeline is not open")
        return self._newest.read(self._take, timeout)

    def close(self) -> None:
        """Never raises."""
        pipeline, self._pipeline, self._first = self._pipeline, None, None
        if pipeline is not None:
            pipeline.set_state(self._gst.State.NULL)

    def _parsed(self) -> Any:
        """The pipeline, not started. Raises ConfigError."""
        text = self._options.pipeline
        if "appsink" in text:
            raise ConfigError("[camera] pipeline: leave appsink out: the kiosk adds its own at the end")
        try:
            pipeline = self._gst.parse_launch(text + _ENDING)
        except Exception as error:  # GLib.Error
            raise ConfigError(f"[camera] pipeline: {getattr(error, 'message', error)}") from error
        if not any(map(_is_source, _elements(self._gst, pipeline))):
            raise ConfigError("[camera] pipeline: it has no source, such as nvarguscamerasrc")
        return pipeline

    def _is_live(self, pipeline: Any) -> bool:
        """Whether all its sources show a camera. Raises ConfigError when `live` is said of one that never does."""
        sources = [e for e in _elements(self._gst, pipeline) if _is_source(e)]
        played = [e for e in sources if _is_played(e) or self._is_video_of_a_program(e)]
        if played and self._options.live:
            raise ConfigError(f"[camera] live = true: {_kind(played[0])} of the pipeline shows no camera")
        return not played and (self._options.live or all(_kind(e) in LIVE or self._is_usb(e) for e in sources))

    def _is_still_live(self, pipeline: Any) -> bool:
        """The same of a pipeline that runs: some elements choose their source only then."""
        try:
            return self._is_live(pipeline)
        except ConfigError:
            return False

    def _is_usb(self, source: Any) -> bool:
        return _kind(source) == "v4l2src" and not self._devices.is_virtual(source.get_property("device"))

    def _is_video_of_a_program(self, source: Any) -> bool:
        return _kind(source) == "v4l2src" and self._devices.is_played(source.get_property("device"))

    def _take(self, timeout: float) -> Taken:
        sample, self._first = self._first, None
        sample = sample or self._sample(timeout)
        buffer, segment = sample.get_buffer(), sample.get_segment()
        running = segment.to_running_time(self._gst.Format.TIME, buffer.pts)
        if running == self._gst.CLOCK_TIME_NONE:
            raise CameraError("the pipeline gives frames without a time")
        stamp = (self._pipeline.get_base_time() + running) / 1e9
        return Taken(stamp, lambda: self._picture(sample))

    def _sample(self, timeout: float) -> Any:
        sink = self._pipeline.get_by_name(_SINK)
        sample = sink.try_pull_sample(round(max(timeout, 0.001) * 1e9))
        if sample is not None:
            return sample
        ended = sink.is_eos()
        trouble = self._error()  # an element that fails ends the pipeline, too
        if trouble is None and ended and not self.live:
            raise EOFError
        raise CameraError(trouble or f"the pipeline: {'it has ended' if ended else f'no frame for {timeout:.1f} s'}")

    def _picture(self, sample: Any) -> Image | None:
        """The sample's picture, without the padding of its rows, which GStreamer rounds up to 4 bytes."""
        shape = sample.get_caps().get_structure(0)
        width, height = int(shape.get_value("width")), int(shape.get_value("height"))
        stride = -(-width * 3 // 4) * 4
        good, memory = sample.get_buffer().map(self._gst.MapFlags.READ)
        if not good:
            return None
        try:
            pixels = np.frombuffer(memory.data, np.uint8)
            if pixels.size < stride * height:
                return None
            rows = pixels[: stride * height].reshape(height, stride)
            return rows[:, : width * 3].reshape(height, width, 3).copy()
        finally:
            sample.get_buffer().unmap(memory)

    def _error(self) -> str | None:
        """What an element has said of its failure, in one line; None if none has."""
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        if message is None:
            return None
        error, _ = message.parse_error()
        return f"the pipeline: {message.src.get_name()}: {' '.join(error.message.split())}"


def _elements(gst: Any, pipeline: Any) -> Iterator[Any]:
    """All elements of a pipeline, those within others included."""
    elements = pipeline.iterate_recurse()
    while True:
        result, element = elements.next()
        if result == gst.IteratorResult.OK:
            yield element
        elif result == gst.IteratorResult.RESYNC:
            elements.resync()
        else:
            return


def _kind(element: Any) -> str:
    factory = element.get_factory()
    return str(factory.get_name()) if factory is not None else ""


def _is_source(element: Any) -> bool:
    """Whether pictures begin in it. What holds others, such as uridecodebin, may make its source only later."""
    return element.numsinkpads == 0 and _kind(element) not in {"", "pipeline", "bin"}


def _is_played(element: Any) -> bool:
    return _kind(element) in PLAYED
