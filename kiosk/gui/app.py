"""Starts Qt: chooses the platform, checks the system libraries, loads the font. Importing this module does not import
Qt."""

from __future__ import annotations

import ctypes
import functools
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kiosk.domain.errors import KioskError
from kiosk.gui import probe

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QWidget

FONTS = Path(__file__).parent / "fonts"

_QT = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
_XCB = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
_WAYLAND = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
}
_KMS = {"libdrm.so.2": "libdrm2"}
_LIBRARIES = {
    "offscreen": _QT,
    "xcb": _QT | _XCB,
    "wayland": _QT | _WAYLAND,
    "linuxfb": _QT | _KMS,
    "eglfs": _QT | _KMS,
    "vkkhrdisplay": _QT | _KMS,
}
"""The libraries that each Qt platform loads, and the Debian packages that contain them."""

PACKAGES = _QT | _XCB | _WAYLAND | _KMS
"""Debian's package of each of these; the Debian package depends on the same (deploy/debian/trim.py)."""

_UNSEEN = frozenset({"offscreen", "minimal", "vnc"})
"""Platforms that show nothing on a screen at the machine."""


def missing_packages(platform: str = "offscreen") -> list[str]:
    """Missing Debian packages that Qt needs for this platform. For an unknown platform: those that Qt itself needs."""
    if sys.platform != "linux":
        return []
    return sorted({package for library, package in _LIBRARIES.get(platform, _QT).items() if not _loads(library)})


def display_available(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a window would be visible: a display is configured and answers, or QT_QPA_PLATFORM names a visible
    platform."""
    return _platform(os.environ if environ is None else environ) is not None


def create_application(argv: Sequence[str], offscreen: bool) -> QApplication:
    """Makes the only QApplication and loads the shipped font.

    Raises KioskError when there is no display, when a system library is missing (it names the package), or when the
    platform does not start. In these cases Qt itself would end the process, so all of them are checked before; the
    platform's start is tried in a separate process.
    """
    platform = "offscreen" if offscreen else _platform(os.environ)
    if platform is None:
        raise KioskError("no display answers (DISPLAY and WAYLAND_DISPLAY): run it with --headless")
    missing = missing_packages(platform)
    if missing:
        raise KioskError(f"the window needs system libraries: sudo apt-get install {' '.join(missing)}")
    if offscreen or not os.environ.get("QT_QPA_PLATFORM"):
        os.environ["QT_QPA_PLATFORM"] = platform
    if not offscreen and (trouble := probe.platform_trouble(os.environ["QT_QPA_PLATFORM"])):
        raise KioskError(cannot_start(os.environ["QT_QPA_PLATFORM"], trouble))
    try:
        from PySide6.QtGui import QFontDatabase  # noqa: PLC0415
        from PySide6.QtWidgets import QApplication  # noqa: PLC0415
    except ImportError as error:
        raise KioskError(_explained(error)) from error
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(list(argv))
    application.setApplicationName("kiosk")
    application.setApplicationDisplayName("Kiosk")
    for path in sorted(FONTS.glob("*.ttf")):
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            raise KioskError(f"{path.name}: the window's font cannot be loaded: install the kiosk again")
    return application


def cannot_start(platform: str, trouble: str) -> str:
    """The error message for a platform that does not start. Names the package of a missing library."""
    found = re.search(r"(lib[\w.+-]+\.so[.\d]*) is missing", trouble)
    package = PACKAGES.get(found[1]) if found else None
    others = " and ".join(p for p in ("linuxfb", "wayland", "xcb") if p != platform.split(":", maxsplit=1)[0])
    hint = f": sudo apt-get install {package}" if package else f"; others are {others} (QT_QPA_PLATFORM)"
    return f"the window's platform {platform} cannot start here: {trouble}{hint}"


def screenshot(window: QWidget, path: Path) -> None:
    """Writes the window's content as PNG. Raises KioskError when the file cannot be written."""
    if not window.grab().save(str(path), "PNG"):
        raise KioskError(f"{path}: the screenshot cannot be written: does the folder exist, and may you write there?")


def _platform(environ: Mapping[str, str]) -> str | None:
    """Qt's platform for the display that answers; None if there is none."""
    chosen = environ.get("QT_QPA_PLATFORM", "").split(";")[0].split(":")[0]
    if chosen and chosen not in {"wayland", "xcb"}:
        return None if chosen in _UNSEEN else chosen
    if chosen != "xcb" and _wayland_answers(environ) and not (missing_packages("wayland") and environ.get("DISPLAY")):
        return "wayland"
    if chosen != "wayland" and environ.get("DISPLAY") and _x_answers(environ["DISPLAY"]):
        return "xcb"
    return None


def _wayland_answers(environ: Mapping[str, str]) -> bool:
    name, folder = environ.get("WAYLAND_DISPLAY"), environ.get("XDG_RUNTIME_DIR", "")
    if not name or not hasattr(socket, "AF_UNIX"):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(Path(folder) / name))
        except OSError:
            return False
    return True


@functools.cache
def _x_answers(display: str) -> bool:
    """Whether the X server answers. Connects as Qt would, with the same authority. True without libxcb, because then it
    cannot be known; the missing package is reported later. Keeps a successful connection open: an X server whose only
    client leaves restarts, and would refuse Qt at that moment."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(os.fsencode(display), None)
    answers = bool(xcb.xcb_connection_has_error(connection) == 0)
    if not answers:
        xcb.xcb_disconnect(connection)
    return answers


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _explained(error: ImportError) -> str:
    found = re.search(r"(lib[\w.+-]+\.so[.\d]*)", str(error))
    if found is None:
        return f"Qt cannot be loaded: {error}"
    package = PACKAGES.get(found[1])
    hint = f"sudo apt-get install {package}" if package else "install the package that brings it"
    return f"Qt cannot be loaded, {found[1]} is missing: {hint}"
