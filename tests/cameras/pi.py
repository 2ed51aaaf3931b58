"""picamera2's real package over tests/fakes/libcamera.py, for the tests that want it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kiosk.cameras import system_library
from kiosk.domain.errors import ConfigError
from tests.fakes import libcamera

UNPACKED = Path(sys.prefix) / "picamera2"
"""`make picamera2` installs it there, without the half of its dependencies that only cameras' films need."""
WARNS = "ignore:setDaemon:DeprecationWarning"
"""picamera2 0.3.38."""


def sensor() -> libcamera.Camera:
    """The only camera that is plugged in. Skips the test where picamera2 is not installed."""
    if str(UNPACKED) not in sys.path:
        sys.path.append(str(UNPACKED))
    libcamera.install()
    try:
        system_library.picamera2()
    except ConfigError as error:
        pytest.skip(f"picamera2's package is not here (`make picamera2`, which needs libcap-dev and gcc): {error}")
    allocator = importlib.import_module("picamera2.allocators.dmaallocator")
    vars(allocator).update(DmaHeap=libcamera.MemoryHeap, fcntl=SimpleNamespace(ioctl=lambda *_: 0))
    made = libcamera.Camera()
    libcamera.CameraManager.plugged[:] = [made]
    return made
