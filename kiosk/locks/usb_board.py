"""A USB relay board of the kind "USBRelay1" to "USBRelay8" (www.dcttech.com and its copies), through Linux's hidraw.

It needs only the standard library, because kiosk-door uses it before all else and the unit's ExecStopPost uses it after
kiosk-door has ended (locks.secure_line).

The maker documents nothing. Three free programs (pavel-a/usb-relay-hid, darrylb123/usbrelay, JPEWdev/pyhid-usb-relay)
agree on this protocol: feature report 0, eight bytes.

    to the board      FF n: relay n, from 1, on; FD n: off
    from the board    0 to 4: its serial number; 7: one bit for each relay, the lowest is relay 1, 1 is on
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from kiosk.domain.errors import ConfigError
from kiosk.system.files import lock

SYSFS, DEV = Path("/sys/class/hidraw"), Path("/dev")
USB_ID = "0003:000016C0:000005DF"
"""Bus, vendor and product. Many other devices have the same numbers; the device's name (NAME) tells them apart."""
NAME = re.compile(r"USBRelay([1-8])$")
RELAYS = 8
SERIAL = re.compile(r"[!-~]{1,5}")
NONE = "no USB relay board (16c0:05df, USBRelay1 to USBRelay8) is there: see `lsusb` and the cable"
ON, OFF = 0xFF, 0xFD
REPORT_BYTES = 9
"""One byte for the report's number, eight for the report."""


def _feature(number: int) -> int:
    """The ioctl number _IOC(_IOC_READ | _IOC_WRITE, 'H', number, REPORT_BYTES) of <linux/hidraw.h>."""
    return 3 << 30 | REPORT_BYTES << 16 | ord("H") << 8 | number


HIDIOCSFEATURE, HIDIOCGFEATURE = _feature(0x06), _feature(0x07)
"""The kernel waits at most 5 s for the board's answer to each of them."""


class Place(NamedTuple):
    """Where a board is: its device file, and the number of relays that its name states."""

    device: Path
    relays: int


def places() -> list[Place]:
    """Lists all boards that the kernel knows, by their names. Opens none."""
    found = []
    for entry in sorted(SYSFS.glob("hidraw*")):
        with suppress(OSError):  # it was unplugged meanwhile
            text = (entry / "device" / "uevent").read_text(encoding="utf-8", errors="replace")
            of = dict(line.partition("=")[::2] for line in text.splitlines())
            name = NAME.search(of.get("HID_NAME", ""))
            if name is not None and of.get("HID_ID", "").upper() == USB_ID:
                found.append(Place(DEV / entry.name, int(name[1])))
    return found


class Board:
    """An open board. Its methods raise OSError: the board is gone, does not answer, or answers wrongly."""

    def __init__(self, place: Place) -> None:
        self.device, self.relays = place
        try:
            self._file = os.open(self.device, os.O_RDWR | os.O_CLOEXEC)
        except PermissionError as error:
            raise PermissionError(
                f"{self.device} may not be opened: it needs the udev rule and the unit's drop-in of deploy/door.md"
            ) from error

    def serial(self) -> str:
        """Serial number: up to five characters, set by the maker or the owner."""
        return self._report()[1:6].rstrip(b"\0").decode("latin-1")

    def own(self) -> None:
        """Locks the board for this process alone. A board, unlike a line of a gpiochip, would obey two processes."""
        try:
            lock(self._file)
        except BlockingIOError as error:
            raise OSError(errno.EBUSY, "another program holds it", str(self.device)) from error

    def is_on(self, relay: int) -> bool:
        """Whether the board reports the relay as on. It does not know whether the relay's contact has moved."""
        return bool(self._report()[8] >> (relay - 1) & 1)

    def put(self, relay: int, on: bool) -> None:
        """Sets a relay and then reads its state back. The other relays stay as they are."""
        fcntl.ioctl(self._file, HIDIOCSFEATURE, bytearray((0, ON if on else OFF, relay)).ljust(REPORT_BYTES, b"\0"))
        if self.is_on(relay) is not on:
            raise OSError(f"relay {relay} of {self.device} was set {level(on)} and is {level(not on)}")

    def close(self) -> None:
        """Never raises. The relays stay as they are."""
        with suppress(OSError):
            os.close(self._file)
        self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _report(self) -> bytes:
        report = bytearray(REPORT_BYTES)
        if fcntl.ioctl(self._file, HIDIOCGFEATURE, report) != REPORT_BYTES:
            raise OSError(f"{self.device} does not answer as a USB relay board does")
        return bytes(report)


class UsbRelay(NamedTuple):
    """One relay of a board, for `locks.secure_line`. `serial` may be empty when there is only one board."""

    serial: str
    relay: int
    fail_mode: str

    @property
    def secured_on(self) -> bool:
        """Whether the relay is energised while the lock is secured."""
        return self.fail_mode == "safe"

    def secured(self, consumer: str) -> Board:
        """Opens the board and sets the relay to its secured level. Raises OSError. Does not use `consumer`: the board
        cannot store it."""
        board = _find(self.serial)
        try:
            if self.relay > board.relays:
                raise OSError(f"{board.device} has {board.relays} relays: channel = {self.relay} is not one of them")
            board.own()
            board.put(self.relay, self.secured_on)
        except OSError:
            board.close()
            raise
        return board


def configured(lock: Mapping[str, object]) -> UsbRelay:
    """The relay of [lock] with kind = "usb-hid". Raises ConfigError: it guesses nothing."""
    serial, channel, fail_mode = lock.get("serial", ""), lock.get("channel"), lock.get("fail_mode")
    known = isinstance(channel, int) and not isinstance(channel, bool) and 1 <= channel <= RELAYS
    if not known or fail_mode not in {"secure", "safe"}:
        raise ConfigError("[lock] needs channel and fail_mode")
    if not isinstance(serial, str) or (serial and not SERIAL.fullmatch(serial)):
        raise ConfigError("[lock] serial is not the board's")
    return UsbRelay(serial, int(str(channel)), str(fail_mode))


def level(on: bool) -> str:
    """The word for messages."""
    return "on" if on else "off"


def _find(serial: str) -> Board:
    """Opens the board with this serial number, or the only board if `serial` is empty. Raises OSError; it never takes
    the first of several."""
    there = places()
    if not there:
        raise OSError(NONE)
    if not serial and len(there) == 1:
        return Board(there[0])
    found: list[Board] = []
    seen, troubles = [], []
    for place in there:
        try:
            board = Board(place)
        except OSError as error:
            troubles.append(str(error))
            continue
        try:
            name = board.serial()
        except OSError as error:
            troubles.append(f"{place.device}: {error}")
            name = ""
        seen.append(f"{name!r} ({place.device})")
        if serial and name == serial:
            found.append(board)
        else:
            board.close()
    if len(found) == 1:
        return found[0]
    for board in found:
        board.close()
    if not serial:
        raise OSError(f"{len(there)} USB relay boards are there: name one as `serial`: {', '.join(seen + troubles)}")
    many = "no USB relay board has" if not found else f"{len(found)} USB relay boards have"
    raise OSError(f"{many} the serial {serial!r}; there are: {', '.join(seen + troubles)}")
