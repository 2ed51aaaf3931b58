"""Output of the running kiosk to a closed, full or stuck stream: the writing thread is never affected."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import TextIO

import pytest

from kiosk.cli.outlet import ROOM, Outlet


def pipe() -> tuple[int, TextIO]:
    """The end to read, and the stream to write."""
    read, write = os.pipe()
    return read, os.fdopen(write, "w", encoding="latin-1")


def test_lines_arrive_in_order_and_escaped() -> None:
    read, stream = pipe()
    outlet = Outlet(stream)
    for line in ("granted", "Łukasz\x1b[2J\nforged"):
        outlet.put(line)
    outlet.close()
    stream.close()
    with os.fdopen(read, "rb") as got:
        assert got.read() == b"granted\n\\u0141ukasz\\x1b[2J\\x0aforged\n"
    assert outlet.lost == 0


def test_a_reader_that_does_not_read_is_not_waited_for() -> None:
    read, stream = pipe()
    outlet = Outlet(stream)
    before = time.monotonic()
    for _ in range(3 * ROOM):
        outlet.put("x" * 200)
    outlet.close(0.1)
    assert time.monotonic() - before < 5
    assert outlet.lost >= ROOM
    assert outlet.trouble == "it is not read"
    os.close(read)  # lets the thread go
    stream.close()


def test_a_closed_pipe_loses_the_lines_and_nothing_else() -> None:
    read, stream = pipe()
    os.close(read)
    outlet = Outlet(stream)
    outlet.put("one")
    outlet.put("two")
    outlet.close()
    assert (outlet.lost, outlet.trouble) == (2, "Broken pipe")
    stream.close()


def test_a_full_disk_loses_the_lines_and_nothing_else() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        outlet = Outlet(stream)
        outlet.put("one")
        outlet.close()
    assert (outlet.lost, outlet.trouble) == (1, "No space left on device")


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_without_a_file_every_line_is_lost_and_counted(stream: TextIO | None) -> None:
    outlet = Outlet(stream)
    outlet.put("one")
    outlet.close()
    assert outlet.lost == 1
