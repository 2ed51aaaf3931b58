"""A badge reader by its USB ids: grabbed, read, lost and found again."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.domain.typed import LONGEST_LINE
from kiosk.system import badge_reader
from kiosk.system.badge_reader import EVENT, BadgeReader, Linux
from tests.fakes.evdev import FakeBus

IDS, OTHER = (0x08FF, 0x0009), (0x046D, 0xC31C)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.bus = FakeBus(folder)
        self.lines: list[str] = []
        self.now = 100.0
        self.reader = BadgeReader("08ff:0009", self.lines.append, lambda: self.now, folder, self.bus)

    def turn(self) -> None:
        self.now += 2
        self.reader.turn()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(badge_reader, "TURN_SECONDS", 0.0)
    made = Bench(tmp_path)
    yield made
    made.reader.close()


def test_a_line_of_the_named_reader_is_taken_and_of_no_other_device(bench: Bench) -> None:
    badge, keyboard = bench.bus.add("event3", IDS), bench.bus.add("event0", OTHER)
    bench.turn()
    keyboard.type("666")
    badge.type("0042")
    bench.turn()
    assert bench.lines == ["0042"]
    assert bench.bus.grabbed == {"event3"}


def test_a_further_device_of_the_reader_is_grabbed_whenever_it_comes(bench: Bench) -> None:
    """Otherwise the badge would be typed into the window, which takes keys."""
    first = bench.bus.add("event3", IDS)
    bench.turn()
    later = bench.bus.add("event9", IDS)
    bench.turn()
    assert bench.bus.grabbed == {"event3", "event9"}
    later.type("0042")
    first.type("0077")
    bench.turn()
    assert sorted(bench.lines) == ["0042", "0077"]
    bench.turn()
    assert bench.bus.asked == ["event3", "event9"], "each is asked once, not with each turn"


def test_a_further_device_that_another_program_holds_is_tried_again(bench: Bench) -> None:
    bench.bus.add("event3", IDS)
    bench.turn()
    bench.bus.taken_by_others = {IDS}
    bench.bus.add("event9", IDS)
    bench.turn()
    assert bench.bus.grabbed == {"event3"}
    bench.bus.taken_by_others.clear()
    bench.turn()
    assert bench.bus.grabbed == {"event3", "event9"}


def open_ones() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_looking_for_devices_leaves_no_descriptor_open(bench: Bench) -> None:
    before = open_ones()
    for name in ("event0", "event1"):
        bench.bus.add(name, OTHER)
    bench.bus.taken_by_others = {IDS}
    bench.bus.add("event3", IDS)
    there = open_ones() - before
    for _ in range(10):
        bench.turn()
    assert open_ones() - before == there


def test_a_reader_that_another_program_holds_is_not_read(bench: Bench) -> None:
    badge = bench.bus.add("event3", IDS)
    bench.bus.taken_by_others = {IDS}
    bench.turn()
    badge.type("0042")
    bench.turn()
    assert bench.lines == []
    bench.bus.taken_by_others.clear()
    bench.turn()
    bench.turn()
    assert bench.lines == ["0042"]


def test_a_reader_that_is_pulled_out_comes_back(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    badge = bench.bus.add("event3", IDS)
    bench.turn()
    badge.type("0042")
    bench.turn()
    badge.pull()
    for _ in range(5):
        bench.turn()
    badge.plug()
    bench.turn()
    badge.type("0077")
    bench.turn()
    assert bench.lines == ["0042", "0077"]
    told = capfd.readouterr().err
    assert told.count("badge_reader_found") == 2
    assert told.count("badge_reader_missing") == 1, "it is told once, not with each try"
    assert "0042" not in told


def test_half_a_line_is_forgotten_with_the_reader(bench: Bench) -> None:
    badge = bench.bus.add("event3", IDS)
    bench.turn()
    badge.send(1, 11, 1)
    bench.turn()
    badge.pull()
    bench.turn()
    badge.plug()
    bench.turn()
    badge.type("42")
    bench.turn()
    assert bench.lines == ["42"]


@pytest.mark.parametrize("size", [1, EVENT.size - 1, EVENT.size + 5, 3000])
def test_rubbish_is_no_line(bench: Bench, size: int) -> None:
    badge = bench.bus.add("event3", IDS)
    bench.turn()
    badge.raw(os.urandom(size))
    for _ in range(4):
        bench.turn()
    assert all(len(line) <= LONGEST_LINE and line.isalnum() for line in bench.lines)


def test_a_folder_without_devices_is_looked_at_again(bench: Bench) -> None:
    bench.turn()
    (bench.bus.folder / "event9").touch()
    bench.turn()
    badge = bench.bus.add("event3", IDS)
    bench.turn()
    badge.type("0042")
    bench.turn()
    assert bench.lines == ["0042"]


def test_the_numbers_of_the_kernels_calls_are_those_of_its_header() -> None:
    def number(direction: int, kind: str, nr: int, size: int) -> int:
        return direction << 30 | size << 16 | ord(kind) << 8 | nr

    assert number(2, "E", 0x02, struct.calcsize("HHHH")) == badge_reader.EVIOCGID
    assert number(1, "E", 0x90, struct.calcsize("i")) == badge_reader.EVIOCGRAB
    assert EVENT.size == 24


def test_the_kernel_refuses_what_is_no_input_device(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        for ask in (Linux().ids, Linux().grab):
            with pytest.raises(OSError, match=r"ioctl|appropriate"):
                ask(file.fileno())
