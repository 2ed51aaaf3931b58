"""A badge reader that types like a keyboard: found by its USB ids, and grabbed, so that it types nowhere else.

Read as the kernel gives it (linux/input.h), with the standard library: the package evdev has no wheels. It may be
pulled out and come back at any time.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kiosk.domain.typed import TypedLine
from kiosk.system.systemd import log

EVIOCGID = 0x80084502
"""_IOR('E', 0x02, struct input_id): bus, vendor, product, version."""
EVIOCGRAB = 0x40044590
"""_IOW('E', 0x90, int): from now on this descriptor alone gets the device's events."""
_ID = struct.Struct("HHHH")
EVENT = struct.Struct("llHHi")
"""struct input_event: seconds, microseconds, type, code, value; 24 bytes on machines of 64 bits."""
BATCH = 64
"""Events that are read at a time."""
TURN_SECONDS = 0.5
"""How long a turn waits for keys, and how often a reader that is not there is looked for."""
INPUTS = Path("/dev/input")


class Kernel(Protocol):
    """What the kernel does for a device. Methods raise OSError."""

    def ids(self, descriptor: int) -> tuple[int, int]:
        """Vendor and product."""

    def grab(self, descriptor: int) -> None:
        """Takes the device's events away from everybody else."""


class Linux:
    """The real one."""

    def ids(self, descriptor: int) -> tuple[int, int]:
        """See Kernel."""
        found = bytearray(_ID.size)
        fcntl.ioctl(descriptor, EVIOCGID, found)
        _, vendor, product, _ = _ID.unpack(found)
        return vendor, product

    def grab(self, descriptor: int) -> None:
        """See Kernel."""
        fcntl.ioctl(descriptor, EVIOCGRAB, 1)


class BadgeReader:
    """Calls `take` with each line that the reader types. For one thread."""

    def __init__(
        self,
        usb_ids: str,
        take: Callable[[str], None],
        clock: Callable[[], float],
        folder: Path = INPUTS,
        kernel: Kernel | None = None,
    ) -> None:
        """`usb_ids`: "08ff:0009", as `lsusb` shows them. `clock`: seconds that nobody sets."""
        vendor, product = usb_ids.split(":")
        self._usb_ids = usb_ids
        self._wanted = int(vendor, 16), int(product, 16)
        self._take = take
        self._clock = clock
        self._folder = folder
        self._kernel = kernel or Linux()
        self._lines: dict[int, TypedLine] = {}
        """What is typed at each open device: a reader may have several, of which one types."""
        self._looked: set[tuple[str, int]] = set()
        """Name and inode of each device that is there and was asked for its ids: it is asked once."""
        self._there: bool | None = None

    def turn(self) -> None:
        """Reads what was typed within TURN_SECONDS. Looks for the reader, and for a further device of it, which may
        come later. Never raises OSError."""
        self._find()
        ready = select.select(list(self._lines), [], [], TURN_SECONDS)[0]
        for descriptor in ready:
            try:
                data = os.read(descriptor, BATCH * EVENT.size)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._lose()
                return
            for _, _, kind, code, value in EVENT.iter_unpack(data[: len(data) - len(data) % EVENT.size]):
                line = self._lines[descriptor].take(kind, code, value, self._clock())
                if line is not None:
                    self._take(line)

    def close(self) -> None:
        """Gives the reader back."""
        for descriptor in self._lines:
            with suppress(OSError):
                os.close(descriptor)
        self._lines.clear()
        self._looked.clear()

    def _find(self) -> None:
        """Opens and grabs all devices of the reader that have come. What cannot be opened or grabbed is tried again."""
        trouble = "no device with these USB ids"
        looked = set()
        for path in sorted(self._folder.glob("event*")):
            try:
                node = path.name, path.stat().st_ino
                if node not in self._looked:
                    self._open(path)
                looked.add(node)
            except OSError as error:  # not ours to open, no input device, or grabbed by another program
                trouble = f"{path}: {error.strerror}"
        self._looked = looked
        self._tell(there=bool(self._lines), trouble=trouble)

    def _open(self, path: Path) -> None:
        """Opens a device, and grabs and keeps it if it is of the reader. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if self._kernel.ids(descriptor) == self._wanted:
                self._kernel.grab(descriptor)
                self._lines[descriptor] = TypedLine()
        finally:
            if descriptor not in self._lines:
                os.close(descriptor)

    def _lose(self) -> None:
        self.close()
        self._tell(there=False, trouble="it was pulled out")

    def _tell(self, *, there: bool, trouble: str) -> None:
        """Logs it once, not with each try."""
        if there is not self._there:
            self._there = there
            if there:
                log("info", "badge_reader_found", usb=self._usb_ids)
            else:
                log("warning", "badge_reader_missing", usb=self._usb_ids, reason=trouble)
