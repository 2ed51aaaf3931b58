"""libcamera's Python interface, as far as picamera2 uses it, with one sensor that the test exposes.

After libcamera 0.5's src/py/libcamera and the Raspberry Pi pipeline: names, types, the order of events. Frames are real
memory behind file descriptors, with rows that are padded to 64 bytes, as the Pi's ISP pads them.

It does not model: what an exposure does to the picture, the sensor's modes beyond their sizes, more than one client,
the IPA's delays (a control holds from the next frame on), buffers that run out, the kernel's dma-heap (the memory is a
memfd's, and nothing is synchronised with a cache).
"""

from __future__ import annotations

import enum
import mmap
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

PADDING = 0xEE
ALIGNMENT = 64


class Size:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height


class Rectangle:
    def __init__(self, x: int, y: int, width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height


class Transform:
    def __init__(self, other: Transform | None = None, hflip: int = 0, vflip: int = 0, transpose: int = 0) -> None:
        self.hflip: bool = other.hflip if other else bool(hflip)
        self.vflip: bool = other.vflip if other else bool(vflip)
        self.transpose: bool = other.transpose if other else bool(transpose)

    def __str__(self) -> str:
        return f"{self.hflip:d}{self.vflip:d}{self.transpose:d}"


class ColorSpace:
    class YcbcrEncoding(enum.Enum):
        Null = 0
        Rec601 = 1

    class Range(enum.Enum):
        Full = 0
        Limited = 1

    def __init__(self, other: ColorSpace | None = None, name: str = "") -> None:
        self.primaries: str = other.primaries if other else name
        self.transferFunction = self.primaries
        self.ycbcrEncoding = self.YcbcrEncoding.Rec601
        self.range = self.Range.Full

    def __str__(self) -> str:
        return self.primaries

    @classmethod
    def Sycc(cls) -> ColorSpace:
        return cls(name="sycc")

    @classmethod
    def Smpte170m(cls) -> ColorSpace:
        return cls(name="smpte170m")

    @classmethod
    def Rec709(cls) -> ColorSpace:
        return cls(name="rec709")

    @classmethod
    def Raw(cls) -> ColorSpace:
        return cls(name="raw")


Orientation = enum.Enum(
    "Orientation",
    "Rotate0 Rotate0Mirror Rotate180 Rotate180Mirror Rotate90 Rotate90Mirror Rotate270 Rotate270Mirror",
)
StreamRole = enum.Enum("StreamRole", "Raw StillCapture VideoRecording Viewfinder")
ControlType = enum.Enum("ControlType", "Null Bool Integer32 Integer64 Float Rectangle Size")


class PixelFormat:
    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


class ControlId:
    def __init__(self, name: str) -> None:
        self.name, self.type = name, ControlType.Integer32


class Controls:
    """libcamera.controls: each control is one object."""

    draft = SimpleNamespace(NoiseReductionModeEnum=SimpleNamespace(Fast=1, HighQuality=2, Minimal=3))

    def __getattr__(self, name: str) -> ControlId:
        if name.startswith("__"):
            raise AttributeError(name)
        made = ControlId(name)
        setattr(self, name, made)
        return made


controls = Controls()


class FrameBuffer:
    class Plane:
        fd = offset = length = 0

    def __init__(self, planes: list[FrameBuffer.Plane]) -> None:
        self.planes = planes
        self.metadata = SimpleNamespace(status=FrameMetadata.Status.Startup)


class FrameMetadata:
    Status = enum.Enum("Status", "Success Error Cancelled Startup")


class Request:
    Status = enum.Enum("Status", "Pending Complete Cancelled")

    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.buffers: dict[Stream, FrameBuffer] = {}
        self.metadata: dict[ControlId, object] = {}
        self.wanted: dict[str, object] = {}
        self.status = Request.Status.Pending

    def add_buffer(self, stream: Stream, buffer: FrameBuffer) -> None:
        self.buffers[stream] = buffer

    def set_control(self, control: ControlId, value: object) -> None:
        self.wanted[control.name] = value

    def reuse(self) -> None:
        self.status, self.metadata, self.wanted = Request.Status.Pending, {}, {}


class SensorConfiguration:
    bit_depth = 10
    output_size: Size | None = None


class Stream:
    def __init__(self, configuration: StreamConfiguration) -> None:
        self.configuration = configuration


class StreamConfiguration:
    def __init__(self, role: object) -> None:
        self.raw = role is StreamRole.Raw
        self.stream = Stream(self)
        self.pixel_format = PixelFormat("SRGGB10_CSI2P" if self.raw else "XBGR8888")
        self.size = Size(640, 480)
        self.buffer_count = BUFFERS
        self.color_space: ColorSpace | None = None
        self.stride = self.frame_size = 0
        sizes = [Size(640, 480), Size(1640, 1232), Size(3280, 2464)]
        self.formats = SimpleNamespace(pixel_formats=[self.pixel_format], sizes=lambda _: sizes)

    def fit(self) -> None:
        """The rows as the ISP writes them."""
        row = self.size.width * {"RGB888": 3, "BGR888": 3}.get(str(self.pixel_format), 4)
        self.stride = -(-row // ALIGNMENT) * ALIGNMENT
        self.frame_size = self.stride * self.size.height


BUFFERS = 4


class CameraConfiguration:
    Status = enum.Enum("Status", "Valid Adjusted Invalid")

    def __init__(self, roles: list[object]) -> None:
        self.streams = [StreamConfiguration(role) for role in roles]
        self.orientation = Orientation.Rotate0
        self.sensor_config: SensorConfiguration | None = SensorConfiguration()

    def at(self, index: int) -> StreamConfiguration:
        return self.streams[index]

    def __iter__(self) -> Iterator[StreamConfiguration]:
        return iter(self.streams)

    def validate(self) -> enum.Enum:
        for stream in self.streams:
            stream.fit()
        return CameraConfiguration.Status.Valid


class Camera:
    """The sensor. A test says what it shows, and exposes it."""

    def __init__(self, path: str = "/base/axi/pcie@1000120000/rp1/i2c@88000/imx219@10") -> None:
        self.id = path
        self.properties = {
            ControlId("Model"): "imx219",
            ControlId("ColorFilterArrangement"): 0,
            ControlId("PixelArraySize"): Size(3280, 2464),
        }
        self.limits: dict[str, tuple[object, object, object]] = {
            "AeFlickerMode": (0, 1, 0),
            "AeFlickerPeriod": (100, 1_000_000, None),
            "ExposureTime": (75, 11_766_829, 20_000),
            "ExposureValue": (-8.0, 8.0, 0.0),
            "FrameDurationLimits": (16_971, 11_767_556, 33_333),
            "NoiseReductionMode": (0, 4, 0),
            "ScalerCrop": (Rectangle(0, 0, 1, 1), Rectangle(0, 0, 3280, 2464), Rectangle(0, 0, 3280, 2464)),
        }
        self.holder: object = None
        self.configuration: CameraConfiguration | None = None
        self.queued: deque[Request] = deque()
        self.set: dict[str, object] = {}
        """All controls that were given, the newest value of each."""
        self.shown = 0
        """How many frames were exposed."""
        self.out = False
        """Whether the ribbon cable is out: nothing completes, and stopping fails."""
        self.busy = False
        self.stampless = False

    @property
    def controls(self) -> Mapping[ControlId, SimpleNamespace]:
        return {
            getattr(controls, name): SimpleNamespace(min=least, max=most, default=usual)
            for name, (least, most, usual) in self.limits.items()
        }

    def acquire(self) -> None:
        if self.busy or self.holder is not None:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self.holder = object()

    def release(self) -> None:
        self.holder = None
        self.queued.clear()

    def generate_configuration(self, roles: list[object]) -> CameraConfiguration:
        return CameraConfiguration(roles)

    def configure(self, configuration: CameraConfiguration) -> int:
        self.configuration = configuration
        return 0

    def create_request(self, cookie: int) -> Request:
        return Request(cookie)

    def start(self, wanted: Mapping[ControlId, object]) -> None:
        self.set |= {control.name: value for control, value in wanted.items()}

    def stop(self) -> None:
        if self.out:
            raise RuntimeError("Failed to stop camera: No such device")
        while self.queued:
            request = self.queued.popleft()
            request.status = Request.Status.Cancelled
            CameraManager.finished(request)

    def queue_request(self, request: Request) -> None:
        self.set |= request.wanted
        self.queued.append(request)

    def expose(self, stamp: float | None, status: str = "Success") -> bool:
        """Fills the oldest buffer that waits: green that grows by one a frame, blue above, red below. `stamp`: seconds.
        Whether there was one."""
        if self.out or not self.queued:
            return False
        self.shown += 1
        request = self.queued.popleft()
        for stream, buffer in request.buffers.items():
            _paint(buffer, stream.configuration, self.shown)
            buffer.metadata.status = FrameMetadata.Status[status]
        request.metadata = {controls.ExposureTime: 20_000}
        if stamp is not None and not self.stampless:
            request.metadata[controls.SensorTimestamp] = round(stamp * 1e9)
        request.status = Request.Status.Complete
        CameraManager.finished(request)
        return True


def _paint(buffer: FrameBuffer, stream: StreamConfiguration, count: int) -> None:
    if stream.raw:
        return
    with mmap.mmap(buffer.planes[0].fd, stream.frame_size) as memory:
        rows = np.full((stream.size.height, stream.stride), PADDING, np.uint8)
        pixels = np.zeros((stream.size.height, stream.size.width, 3), np.uint8)
        half = stream.size.height // 2
        pixels[:half, :, 0], pixels[half:, :, 2], pixels[:, :, 1] = 255, 255, count % 256
        rows[:, : stream.size.width * 3] = pixels.reshape(stream.size.height, -1)
        memory.write(rows.tobytes())


class CameraManager:
    """All cameras of the machine."""

    plugged: ClassVar[list[Camera]] = []
    _done: ClassVar[deque[Request]] = deque()
    event_fd: ClassVar[int] = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    @classmethod
    def singleton(cls) -> type[CameraManager]:
        return cls

    @classmethod
    def finished(cls, request: Request) -> None:
        cls._done.append(request)
        os.eventfd_write(cls.event_fd, 1)

    @classmethod
    def get_ready_requests(cls) -> list[Request]:
        try:
            os.eventfd_read(cls.event_fd)
        except BlockingIOError:
            return []
        ready = []
        while cls._done:
            ready.append(cls._done.popleft())
        return ready


class _Cameras:
    def __get__(self, _: object, owner: type[CameraManager]) -> list[Camera]:
        return owner.plugged


CameraManager.cameras = _Cameras()  # type: ignore[attr-defined]


class MemoryHeap:
    """In place of the kernel's dma-heap: memory behind a file descriptor."""

    def alloc(self, name: str, size: int) -> Any:
        file = os.memfd_create(name, os.MFD_CLOEXEC)
        os.ftruncate(file, size)
        return SimpleNamespace(get=lambda: file, isValid=lambda: True)

    def close(self) -> None:
        pass


def install() -> None:
    """Makes this module `libcamera`, for the first import of picamera2."""
    this = sys.modules[__name__]
    inner = ModuleType("libcamera._libcamera")
    vars(inner).update(ColorSpace=ColorSpace, Transform=Transform)
    this._libcamera = inner  # type: ignore[attr-defined]
    sys.modules.update({"libcamera": this, "libcamera._libcamera": inner})
