"""Stands for the kernel's hidraw and the USB relay boards behind it, where there is neither.

A folder with the kernel's names (sys/class/hidraw/hidrawN/device/uevent) and, for each board, a file dev/hidrawN with
the eight bytes of its feature report: opening, permissions and flock are the real ones, and several processes see one
board. What stands for the kernel is ioctl() alone. dev/hidrawN.set is what the board was told: "FF 1" in each line.

It does not model: USB itself (time, hubs, a transfer that fails half-way), the 5 s that the kernel waits for a board
that hangs, report descriptors, udev, and the board's coil and contact. A real board tells of the pin that drives its
relay: a contact that is welded shut would not be told there either.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SET, GET = 0xC0094806, 0xC0094807
"""HIDIOCSFEATURE(9) and HIDIOCGFEATURE(9), as a C compiler gives them."""
DEAF, HANG, SHORT = "deaf", "hang", "short"
"""Faults: it takes commands and does nothing; every transfer fails; its answers are too short."""


def ioctl(file: int, request: int, report: bytearray, mutate: bool = True) -> int:
    """As fcntl.ioctl with these two requests."""
    if os.fstat(file).st_nlink == 0:
        raise OSError(19, "No such device")
    node = Path(f"/proc/self/fd/{file}").readlink()
    fault = node.with_suffix(".fault")
    fault_now = fault.read_text() if fault.exists() else ""
    if fault_now == HANG:
        raise OSError(71, "Protocol error")
    assert len(report) == 9
    assert report[0] == 0, "a report with a number shifts all the rest"
    assert request in {SET, GET}
    if request == GET:
        report[1:] = os.pread(file, 8, 0)
        return 3 if fault_now == SHORT else 9
    command, relay = report[1], report[2]
    assert command in {0xFF, 0xFD}, "nothing but one relay on or off is ever wanted"
    with node.with_suffix(".set").open("a") as told:
        told.write(f"{command:02X} {relay}\n")
    if fault_now != DEAF:
        bits = os.pread(file, 1, 7)[0]
        bit = 1 << (relay - 1)
        os.pwrite(file, struct.pack("B", bits | bit if command == 0xFF else bits & ~bit), 7)
    return 9


def install(folder: Path) -> None:
    """For a process of its own: what it sees from here on is in `folder`."""
    from kiosk.locks import usb_board

    fcntl.ioctl = ioctl  # type: ignore[assignment]
    usb_board.SYSFS, usb_board.DEV = folder / "sys/class/hidraw", folder / "dev"


@dataclass
class Bus:
    """The boards of one folder."""

    folder: Path

    def install(self, monkeypatch: Any) -> None:
        """For this process, until the test is over."""
        monkeypatch.setattr("fcntl.ioctl", ioctl)
        monkeypatch.setattr("kiosk.locks.usb_board.SYSFS", self.folder / "sys/class/hidraw")
        monkeypatch.setattr("kiosk.locks.usb_board.DEV", self.folder / "dev")

    def node(self, number: int) -> Path:
        """The device."""
        return self.folder / "dev" / f"hidraw{number}"

    def plug(
        self,
        number: int = 0,
        serial: bytes = b"BITFT",
        name: str = "www.dcttech.com USBRelay2",
        usb_id: str = "0003:000016C0:000005DF",
    ) -> None:
        """A device comes; a board's relays are off then."""
        device = self.folder / "sys/class/hidraw" / f"hidraw{number}" / "device"
        device.mkdir(parents=True)
        (device / "uevent").write_text(f"DRIVER=hid-generic\nHID_ID={usb_id}\nHID_NAME={name}\nHID_UNIQ=\n")
        self.node(number).parent.mkdir(exist_ok=True)
        self.node(number).write_bytes(serial.ljust(8, b"\0"))

    def unplug(self, number: int = 0) -> None:
        """It goes; what was opened of it fails from here on."""
        shutil.rmtree(self.folder / "sys/class/hidraw" / f"hidraw{number}")
        self.node(number).unlink()

    def fault(self, what: str, number: int = 0) -> None:
        """DEAF, HANG, SHORT; "" ends it."""
        self.node(number).with_suffix(".fault").write_text(what)

    def force(self, bits: int, number: int = 0) -> None:
        """Somebody else sets the relays, or the power has failed."""
        with self.node(number).open("r+b") as device:
            device.seek(7)
            device.write(bytes([bits]))

    def bits(self, number: int = 0) -> int:
        """How the relays are."""
        return self.node(number).read_bytes()[7]

    def commands(self, number: int = 0) -> list[str]:
        """What the board was told since it was first plugged."""
        told = self.node(number).with_suffix(".set")
        return told.read_text().splitlines() if told.exists() else []
