"""The lock's line, seen by the kernel (debugfs) and by the wire."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import gpiod
import pytest
from gpiod.line import Direction, Value

from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.door.state import DoorState
from kiosk.station.door_client import DoorClient
from tests.doors import PATIENCE, RunningDoor
from tests.vm.guest.conftest import CHIP, LINE, STRIKE, STRIKE_LOW, WIRINGS, GpioDoors, Wires, Wiring, owned, until

Connect = Callable[[RunningDoor], DoorClient]
MakeGrant = Callable[..., Grant]
Tell = Callable[[str], None]

AT_ONCE = 2.0
LONG = 50.0
"""Seconds: far above all that is waited for."""


@pytest.mark.parametrize("wiring", WIRINGS, ids=str)
def test_secured_from_the_start_released_by_a_grant_until_its_deadline(
    doors: GpioDoors, wires: Wires, client_of: Connect, grant: MakeGrant, tell: Tell, wiring: Wiring
) -> None:
    doors.wiring = wiring
    start, began = wires.mark(), time.monotonic()
    door = doors.start(release_seconds=0.5)
    ready = time.monotonic() - began
    assert owned(LINE) == ("kiosk-door", "out", wiring.secured)
    assert wires.levels(LINE, start)[1:] in ([], [wiring.secured])

    mark, client = wires.mark(), client_of(door)
    reply = client.release(grant())
    assert reply.result is DoorResult.RELEASED
    assert reply.released_until is not None
    assert owned(LINE) == ("kiosk-door", "out", not wiring.secured)
    late = until(lambda: owned(LINE) == ("kiosk-door", "out", wiring.secured)) - reply.released_until
    assert 0 <= late < 0.1
    assert wires.levels(LINE, mark) == [wiring.secured, not wiring.secured, wiring.secured]
    tell(f"ready {ready:.2f} s after the start; secured {late * 1000:.1f} ms after the deadline")

    door.process.send_signal(signal.SIGTERM)
    assert door.process.wait(PATIENCE) == 0
    assert owned(LINE) is None
    assert wires.levels(LINE, mark)[-1] is wiring.secured


@pytest.mark.parametrize("wiring", [STRIKE, STRIKE_LOW], ids=str)
def test_a_killed_door_and_what_makes_it_good(
    doors: GpioDoors, wires: Wires, client_of: Connect, grant: MakeGrant, tell: Tell, wiring: Wiring
) -> None:
    doors.wiring = wiring
    door = doors.start(release_seconds=LONG)
    assert client_of(door).release(grant()).result is DoorResult.RELEASED
    mark = wires.mark()
    killed = time.monotonic()
    door.kill()
    assert owned(LINE) is None
    kept = wires.levels(LINE, mark) == [not wiring.secured]
    tell(f"killed while released: the kernel {'keeps' if kept else 'changes'} the level of a line without an owner")

    command = [sys.executable, "-m", "kiosk.locks.secure_line", str(doors.folder / "kiosk.toml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (0, 1), result.stderr
    assert wires.levels(LINE, mark) == ([not wiring.secured, wiring.secured] if kept else [wiring.secured])
    tell(f"ExecStopPost's command has secured it {time.monotonic() - killed:.2f} s after the kill")

    began = time.monotonic()
    doors.launch("--config", str(doors.folder / "kiosk.toml"))
    held = until(lambda: owned(LINE) == ("kiosk-door", "out", wiring.secured)) - began
    tell(f"a new kiosk-door holds it, secured, {held:.2f} s after its start")
    assert wires.levels(LINE, mark)[-1] is wiring.secured


def test_a_new_door_secures_what_a_killed_one_left(
    doors: GpioDoors, wires: Wires, client_of: Connect, grant: MakeGrant
) -> None:
    door = doors.start(release_seconds=LONG)
    assert client_of(door).release(grant()).result is DoorResult.RELEASED
    door.kill()
    doors.start()
    assert owned(LINE) == ("kiosk-door", "out", STRIKE.secured)
    assert wires.levels(LINE, wires.mark()) == [STRIKE.secured]


def test_a_killed_client_secures_at_once(doors: GpioDoors, wires: Wires, tell: Tell) -> None:
    door = doors.start(release_seconds=LONG)
    mark = wires.mark()
    holder = doors.holder(door)
    assert owned(LINE) == ("kiosk-door", "out", not STRIKE.secured)
    killed = time.monotonic()
    holder.kill()
    took = until(lambda: owned(LINE) == ("kiosk-door", "out", STRIKE.secured)) - killed
    assert took < AT_ONCE
    assert wires.levels(LINE, mark) == [STRIKE.secured, not STRIKE.secured, STRIKE.secured]
    tell(f"secured {took * 1000:.0f} ms after its client was killed")


def test_a_stop_during_a_release_secures(doors: GpioDoors, wires: Wires, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=LONG)
    assert client_of(door).release(grant()).result is DoorResult.RELEASED
    mark = wires.mark()
    door.process.terminate()
    assert door.process.wait(PATIENCE) == 0
    assert wires.levels(LINE, mark) == [not STRIKE.secured, STRIKE.secured]
    assert owned(LINE) is None


def test_a_line_that_somebody_else_holds_is_refused_in_one_line(doors: GpioDoors, wires: Wires) -> None:
    output = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    with gpiod.request_lines(CHIP, consumer="somebody", config={LINE: output}):
        mark = wires.mark()
        door = doors.launch("--config", str(doors.write()))
        assert door.wait(PATIENCE) == 2
        (line,) = (doors.folder / "log").read_text().splitlines()
        assert "cannot be requested" in line
        assert "busy" in line
        assert owned(LINE) == ("somebody", "out", False)
    assert wires.levels(LINE, mark) == [False]


def test_a_chip_that_goes_is_a_fault_and_no_grant(
    chip_goes: Callable[[], None], doors: GpioDoors, client_of: Connect, grant: MakeGrant
) -> None:
    door = doors.start()
    client = client_of(door)
    chip_goes()
    assert client.release(grant()).result is DoorResult.REFUSED
    assert client.status(PATIENCE).state is DoorState.FAULT
    assert not client.ready()
