"""The window on a real platform plug-in (xcb, under Xvfb), driven with real mouse and key events of the X server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.qt

ROOT = Path(__file__).parents[2]


@pytest.fixture
def display() -> Iterator[dict[str, str]]:
    """The environment of an X server of 800 x 480 without a window manager, as a board has it."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{program} is not installed")
            pytest.skip(f"{program} is not installed")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x480x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    with server, os.fdopen(read) as said:
        os.close(write)
        environ = {
            name: value for name, value in os.environ.items() if name not in {"QT_QPA_PLATFORM", "WAYLAND_DISPLAY"}
        }
        yield environ | {"DISPLAY": f":{said.readline().strip()}"}
        server.terminate()


@pytest.fixture
def window(display: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.gui.real_window"],
        cwd=ROOT,
        env=display,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        yield child
        child.kill()


def until(child: subprocess.Popen[str], begins: str) -> str:
    """Reads what the window says up to a line that begins so."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(begins):
            return line
    pytest.fail(f"the window never said {begins!r}")


def test_a_visitor_gets_through_and_nobody_gets_out(display: dict[str, str], window: subprocess.Popen[str]) -> None:
    def do(*command: str) -> None:
        subprocess.run(["xdotool", *command], env=display, check=True)

    def touch(place: str) -> None:
        do("mousemove", *place.split(","), "click", "1")

    assert until(window, "platform") == "platform xcb 800x480\n"
    keys = dict(part.split("=") for part in until(window, "state idle True").split()[3:])
    do("key", "alt+F4")
    do("key", "--delay", "120", "Escape", "ctrl+q", "super+d", "Menu")
    touch(keys["number"])
    until(window, "state number True")
    do("key", "--delay", "3", "4", "7", "1", "1", "Return")  # a scan
    do("key", "--delay", "1200", "Shift_L")  # which is over after half a second
    do("key", "--delay", "150", "4", "7", "1", "1", "Return")
    assert until(window, "asked") == "asked Claimed\n"
    until(window, "state pin True")
    do("key", "--delay", "150", "2", "0", "4", "0", "6", "0", "Return")
    assert until(window, "asked") == "asked PinTyped\n"
    assert window.stdin is not None
    window.stdin.close()
    assert until(window, "size") == "size 800x480\n"
    assert window.wait(20) == 0


def test_the_corner_that_is_held_calls_staff(display: dict[str, str], window: subprocess.Popen[str]) -> None:
    until(window, "state idle True")
    subprocess.run(["xdotool", "mousemove", "780", "24", "mousedown", "1"], env=display, check=True)
    until(window, "staff")
