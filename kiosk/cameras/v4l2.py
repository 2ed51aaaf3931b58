"""Video devices as Linux tells of them: which one is meant, whether a USB camera is behind it, its exposure.

OpenCV opens any video device. It cannot tell a camera from a device that a program writes pictures into (v4l2loopback),
and has no name for the mains frequency.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

from kiosk.cameras.light import Exposure, Flicker
from kiosk.domain.errors import CameraError, os_trouble

USB_IDS = re.compile("[0-9a-f]{4}:[0-9a-f]{4}")

# linux/videodev2.h, linux/v4l2-controls.h
_SET_CONTROL = 0xC008561C
_CONTROL = struct.Struct("=Ii")
_FLICKER = 0x00980918
_FLICKERS: dict[Flicker, int] = {"off": 0, 50: 1, 60: 2, "auto": 3}
_EXPOSURE_MODE, _EXPOSURE_TIME = 0x009A0901, 0x009A0902
_MANUAL, _CAMERAS_OWN = 1, 3
_TENTHS_OF_MS = 10

_FROM_A_PROGRAM = ("vhci_hcd", "dummy_hcd")
"""USB controllers without a plug: devices of another computer (usbip), and devices that a program plays."""

UNKNOWN = ""

Ioctl = Callable[[int, int, bytes], bytes | int]


class VideoDevices:
    """The video devices of this machine."""

    def __init__(
        self,
        classes: Path = Path("/sys/class/video4linux"),
        dev: Path = Path("/dev"),
        ioctl: Ioctl = fcntl.ioctl,
    ) -> None:
        self._classes = classes
        self._dev = dev
        self._ioctl = ioctl

    def find(self, device: str) -> Path:
        """The device's path. `device` is a path, or the camera's USB ids ("046d:0825"). Raises CameraError when there
        is no such camera, or more than one."""
        if not USB_IDS.fullmatch(device):
            return Path(device)
        found = [d for d in self._names() if self._ids(d) == device and self._captures(d)]
        if not found:
            raise CameraError(f"{device}: no such camera is plugged in: `lsusb` shows which ones are")
        if len(found) > 1:
            raise CameraError(
                f"{device}: {len(found)} cameras have these USB ids: name one by its path of /dev/v4l/by-path"
            )
        return self._dev / found[0]

    def is_virtual(self, device: str) -> bool:
        """Whether there is such a device, and it is no camera on this machine's own USB: somebody may show it a
        film. False where there is none: opening it looks again."""
        name = self._name(device)
        return name is not None and (name == UNKNOWN or not self._on_usb(name))

    def is_played(self, device: str) -> bool:
        """Whether there is such a device, and no hardware of this machine is behind it."""
        name = self._name(device)
        if name is None or name == UNKNOWN:
            return name is not None
        return not (self._classes / name / "device").exists() or self._of_a_program(name)

    def set_light(self, device: Path, flicker: Flicker | None, exposure: Exposure | None) -> None:
        """Sets what is given. Raises CameraError when the camera cannot do it."""
        if flicker is not None:
            self._set(device, f"flicker = {flicker}", [(_FLICKER, _FLICKERS[flicker])])
        if exposure == "auto":
            self._set(device, "exposure", [(_EXPOSURE_MODE, _CAMERAS_OWN)])
        elif exposure is not None:
            tenths = max(1, round(exposure * _TENTHS_OF_MS))
            self._set(device, f"exposure = {exposure:g}", [(_EXPOSURE_MODE, _MANUAL), (_EXPOSURE_TIME, tenths)])

    def _set(self, device: Path, key: str, controls: list[tuple[int, int]]) -> None:
        try:
            file = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                for control, value in controls:
                    self._ioctl(file, _SET_CONTROL, _CONTROL.pack(control, value))
            finally:
                os.close(file)
        except OSError as error:
            why = os_trouble(error)
            raise CameraError(f"{device}: the camera cannot do {key} of [camera]: leave it out ({why})") from error

    def _name(self, device: str) -> str | None:
        """The name of the device that is there now; UNKNOWN where Linux knows it by another name or not at all, as a
        device file that somebody has made; None where there is none."""
        try:
            path = Path(os.path.realpath(self.find(device)))
        except CameraError:
            return None
        if not (self._classes / path.name).exists():
            return UNKNOWN if path.exists() else None
        number = _text(self._classes / path.name / "dev")
        return UNKNOWN if path.is_char_device() and number != _number(path) else path.name

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in self._classes.iterdir())
        except OSError:
            return []

    def _captures(self, name: str) -> bool:
        """Whether it is a camera's first device: the second gives no pictures but what the camera knows of them."""
        return _text(self._classes / name / "index") in {"", "0"}

    def _ids(self, name: str) -> str:
        parent = (self._classes / name / "device").resolve().parent
        return f"{_text(parent / 'idVendor')}:{_text(parent / 'idProduct')}"

    def _on_usb(self, name: str) -> bool:
        path = (self._classes / name / "device").resolve()
        return not self._of_a_program(name) and any(re.fullmatch(r"usb\d+", part) for part in path.parts)

    def _of_a_program(self, name: str) -> bool:
        path = (self._classes / name / "device").resolve()
        return any(part.startswith(_FROM_A_PROGRAM) for part in path.parts)


def _number(path: Path) -> str:
    device = path.stat().st_rdev
    return f"{os.major(device)}:{os.minor(device)}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
