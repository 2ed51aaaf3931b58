"""Imports libraries that only the system brings: picamera2 with libcamera, GStreamer's Python binding.

They are built for the system's own Python, and a virtual environment sees them only when it was made with
--system-site-packages. Each way in which they can be missing is one line that says what to do.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from kiosk.domain.errors import ConfigError

SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")
_OTHER_QTS = ("PyQt5", "PyQt6", "PySide2")
_ENVIRONMENT = ("QT_QPA_PLATFORM", "QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR", "PYOPENGL_PLATFORM")


def picamera2() -> ModuleType:
    """The module picamera2. It loads no Qt and leaves Qt's settings as they were: a second Qt beside the window's ends
    the process. Raises ConfigError when it or libcamera cannot be loaded."""
    with _no_qt():
        if not any(name in sys.modules or importlib.util.find_spec(name) for name in ("kms", "pykms")):
            # It asks for this when it is imported, to draw to a screen by itself, which nobody does here.
            sys.modules["pykms"] = _NoScreen("pykms")
        return _imported("picamera2", {"picamera2": "python3-picamera2", "libcamera": "python3-libcamera"})


def gstreamer() -> tuple[ModuleType, ModuleType]:
    """GStreamer's modules Gst and GstApp, started. Raises ConfigError when they cannot be loaded."""
    gi = _imported("gi", {"gi": "python3-gi"})
    try:
        gi.require_version("Gst", "1.0")
        gi.require_version("GstApp", "1.0")
        gst = importlib.import_module("gi.repository.Gst")
        app = importlib.import_module("gi.repository.GstApp")
    except (ValueError, ImportError) as error:
        raise ConfigError(
            f"GStreamer cannot be loaded ({error}): sudo apt install gir1.2-gst-plugins-base-1.0 "
            "gstreamer1.0-plugins-good"
        ) from error
    if not gst.is_initialized():
        gst.init(None)
    return gst, app


class _NoFormats:
    def __getattr__(self, name: str) -> str:
        return name


class _NoScreen(ModuleType):
    """In place of the library that picamera2 draws to a screen with."""

    PixelFormat = _NoFormats()


def _imported(name: str, packages: dict[str, str]) -> ModuleType:
    """The module. `packages`: what the system's package is called that brings it, or what it needs. Raises
    ConfigError."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(_missing(error, name, packages)) from error
    except Exception as error:
        raise ConfigError(f"{name} cannot be loaded: {' '.join(str(error).split())}") from error


def _missing(error: ImportError, name: str, packages: dict[str, str]) -> str:
    lacking = (error.name or name).split(".")[0]
    package = packages.get(lacking)
    if package is None or not isinstance(error, ModuleNotFoundError):
        return f"{name} cannot be loaded: {error}"
    if not (SYSTEM_PACKAGES / lacking).is_dir():
        return f"{lacking} is not there: sudo apt install {package}"
    if "." in (error.name or "") or str(SYSTEM_PACKAGES) in sys.path:
        running = ".".join(map(str, sys.version_info[:2]))
        return f"{lacking} is built for the system's own Python, not for this one ({running}): use /usr/bin/python3"
    return (
        f"{lacking} is there for the system's Python, but this virtual environment does not see it: make it again with "
        f"`/usr/bin/python3 -m venv --system-site-packages {sys.prefix}`"
    )


@contextmanager
def _no_qt() -> Iterator[None]:
    """Within it no Qt but the window's can be imported."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    blocked = [name for name in _OTHER_QTS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type] # None: importing it fails
    try:
        yield
    finally:
        for name in blocked:
            sys.modules.pop(name, None)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
