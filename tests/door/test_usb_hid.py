"""The real kiosk-door with a USB relay board. tests/fakes/hidraw stands in for the kernel and the board."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.door.state import DoorState
from kiosk.station.door_client import DoorClient
from tests.doors import Doors
from tests.fakes.hidraw import Bus

ROOT = Path(__file__).parents[2]
PROGRAM = """
import pathlib, sys
sys.path.insert(0, {root!r})
from tests.fakes.hidraw import install
install(pathlib.Path({folder!r}))
from kiosk.door.__main__ import main
sys.exit(main())
"""


class UsbDoors(Doors):
    """As Doors, with a USB relay board for a lock."""

    def write(self, **door: object) -> Path:
        path = super().write(**door)
        before, _, _ = path.read_text().partition("[lock]")
        keys = {"kind": "usb-hid", "channel": 1, "fail_mode": "secure"}
        path.write_text(f"{before}[lock]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in keys.items()))
        return path


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    bus = Bus(tmp_path)
    bus.plug()
    return bus


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[UsbDoors]:
    doors = UsbDoors(tmp_path, program=["-c", PROGRAM.format(root=str(ROOT), folder=str(tmp_path))])
    yield doors
    doors.clean_up()


def test_a_usb_relay_releases_and_secures(
    doors: UsbDoors, bus: Bus, client_of: Callable[..., DoorClient], grant: Callable[..., Grant]
) -> None:
    door = doors.start()
    assert bus.commands() == ["FD 1", "FD 1"], "door_start before all else, then the state machine"
    client = client_of(door)
    assert client.release(grant()).result is DoorResult.RELEASED
    assert bus.bits() == 1
    client.close()
    door.wait_for(DoorState.SECURED)
    assert bus.bits() == 0


def test_a_real_door_that_nobody_gave_a_name_is_secured_and_not_served(
    doors: UsbDoors, bus: Bus, patience: float
) -> None:
    path = doors.write()
    path.write_text(path.read_text().replace('name = "main"\n', ""))
    process = doors.launch("--config", str(path))
    assert process.wait(patience) == 2
    said = (doors.folder / "log").read_text()
    assert said.startswith("kiosk-door: [door] name is missing: say what this door is called")
    assert said.count("\n") == 1
    assert bus.commands()[-1] == "FD 1"
    assert bus.bits() == 0


def test_a_board_that_is_pulled_out_is_a_fault_and_is_secured_when_it_is_back(
    doors: UsbDoors, bus: Bus, client_of: Callable[..., DoorClient], grant: Callable[..., Grant], patience: float
) -> None:
    door = doors.start()
    client = client_of(door)
    assert client.release(grant("a")).result is DoorResult.RELEASED
    bus.unplug()
    door.wait_for(DoorState.FAULT)
    assert client.release(grant("b")).reason == "fault"
    (fault,) = [event for event in door.events() if event["event"] == "fault"]
    assert "no USB relay board" in str(fault["error"])
    bus.plug(4)
    bus.force(1, 4)
    door.wait_for(DoorState.SECURED)
    assert bus.bits(4) == 0
    until = time.monotonic() + patience
    while client.release(grant(f"c{time.monotonic()}")).result is not DoorResult.RELEASED:
        assert time.monotonic() < until
    assert bus.bits(4) == 1
    assert client.status(patience).faults == ()


def test_a_relay_that_somebody_else_moves_is_moved_back_and_told(
    doors: UsbDoors, bus: Bus, client_of: Callable[..., DoorClient], patience: float
) -> None:
    door = doors.start()
    client = client_of(door)
    bus.force(1)
    until = time.monotonic() + patience
    while bus.bits() != 0:
        client.status(patience)
        assert time.monotonic() < until
    door.process.terminate()
    door.process.wait(patience)
    told = [event for event in door.events() if event["event"] in {"fault", "fault_ended", "secured"}]
    assert [event["event"] for event in told] == ["fault", "fault_ended", "secured"]
    assert "relay 1" in str(told[0]["error"])
    assert "was not set so" in str(told[0]["error"])


def test_a_killed_door_leaves_the_relay_on_and_the_next_one_begins_by_securing_it(
    doors: UsbDoors, bus: Bus, client_of: Callable[..., DoorClient], grant: Callable[..., Grant]
) -> None:
    door = doors.start()
    client_of(door).release(grant())
    door.kill()
    assert bus.bits() == 1, "the board does not know that its owner is dead"
    before = len(bus.commands())
    doors.start()
    assert bus.commands()[before] == "FD 1"
    assert bus.bits() == 0


def test_without_its_board_it_does_not_start(doors: UsbDoors, bus: Bus, patience: float) -> None:
    bus.unplug()
    process = doors.launch("--config", str(doors.write()))
    assert process.wait(patience) == 2
    (line,) = (doors.folder / "log").read_text().splitlines()
    assert "no USB relay board" in line
    assert not os.path.lexists(doors.folder / "door.sock")
