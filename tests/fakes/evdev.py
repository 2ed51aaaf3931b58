"""Badge readers without hardware: pipes that carry the kernel's input_event structs, named as in /dev/input.

What it does not model: that a grabbed device types nowhere else (the kernel's own work; the fake only counts grabs, and
refuses a second one), the device's repeat rate, SYN_DROPPED by a full buffer, and udev, which makes the node.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from kiosk.domain.typed import EV_KEY, EV_SYN, KEYS
from kiosk.system.badge_reader import EVENT

CODES = {letter: code for code, letter in KEYS.items() if code < 64}
ENTER = 28


class FakeReader:
    """One device: a FIFO. `pull` takes it away, `plug` brings it back."""

    def __init__(self, bus: FakeBus, name: str, ids: tuple[int, int]) -> None:
        self._bus = bus
        self.path = bus.folder / name
        self.ids = ids
        self._writer = -1
        self.plug()

    def plug(self) -> None:
        os.mkfifo(self.path)
        self._keep = os.open(self.path, os.O_RDWR)  # a FIFO without a writer would read as ended

    def pull(self) -> None:
        """Whoever reads gets the end, as ENODEV in the kernel."""
        self.path.unlink()
        os.close(self._keep)
        self._bus.grabbed.discard(self.path.name)

    def send(self, kind: int, code: int, value: int) -> None:
        os.write(self._keep, EVENT.pack(0, 0, kind, code, value))

    def raw(self, data: bytes) -> None:
        os.write(self._keep, data)

    def type(self, text: str) -> None:
        for code in [*(CODES[letter] for letter in text), ENTER]:
            for value in (1, 0):
                self.send(EV_KEY, code, value)
                self.send(EV_SYN, 0, 0)


class FakeBus:
    """A folder of devices, and the kernel that tells their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.readers: list[FakeReader] = []
        self.grabbed: set[str] = set()
        self.asked: list[str] = []
        self.taken_by_others: set[tuple[int, int]] = set()

    def add(self, name: str, ids: tuple[int, int]) -> FakeReader:
        self.readers.append(FakeReader(self, name, ids))
        return self.readers[-1]

    def _of(self, descriptor: int) -> FakeReader:
        there = os.fstat(descriptor)
        for reader in self.readers:
            if reader.path.exists() and os.path.samestat(reader.path.stat(), there):
                return reader
        raise OSError(errno.ENOTTY, "no input device")

    def ids(self, descriptor: int) -> tuple[int, int]:
        reader = self._of(descriptor)
        self.asked.append(reader.path.name)
        return reader.ids

    def grab(self, descriptor: int) -> None:
        reader = self._of(descriptor)
        if reader.ids in self.taken_by_others or reader.path.name in self.grabbed:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.grabbed.add(reader.path.name)
