"""Contact, exit button, tamper switch and sounder on the real chip, moved from outside."""

from __future__ import annotations

from collections.abc import Callable

import gpiod
from gpiod.line import Bias, Direction, Value

from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.door.state import Alarm, DoorStatus, Leaf
from kiosk.station.door_client import DoorClient
from tests.doors import PATIENCE, RunningDoor
from tests.vm.guest.conftest import (
    CHIP,
    CONTACT,
    INPUTS,
    LINE,
    REX,
    SOUNDER,
    STRIKE,
    TAMPER,
    GpioDoors,
    Wires,
    owned,
    until,
)

Connect = Callable[[RunningDoor], DoorClient]
MakeGrant = Callable[..., Grant]
NOISE = 3000


def test_what_happens_at_the_door_is_noticed(doors: GpioDoors, wires: Wires, client_of: Connect) -> None:
    doors.parts = INPUTS | {"sounder": {"line": SOUNDER, "active_high": True}}
    door = doors.start(rex_seconds=PATIENCE)
    client = client_of(door)

    def becomes(what: Callable[[DoorStatus], bool]) -> None:
        until(lambda: what(client.status(PATIENCE)))

    becomes(lambda status: (status.leaf, status.alarm, status.tamper) == (Leaf.CLOSED, Alarm.NONE, False))
    assert owned(CONTACT) == ("kiosk-door", "in", False)

    mark = wires.mark()
    wires.drive(CONTACT, True)
    becomes(lambda status: (status.leaf, status.alarm) == (Leaf.OPEN, Alarm.FORCED_OPEN))
    until(lambda: owned(SOUNDER) == ("kiosk-door", "out", True))
    wires.drive(CONTACT, False)
    becomes(lambda status: (status.leaf, status.alarm) == (Leaf.CLOSED, Alarm.NONE))
    until(lambda: owned(SOUNDER) == ("kiosk-door", "out", False))
    assert wires.levels(SOUNDER, mark)[0:2] == [False, True]

    wires.drive(REX, True)
    wires.drive(REX, False)  # shorter than any period of reading: its edge tells
    wires.drive(CONTACT, True)
    becomes(lambda status: status.leaf is Leaf.OPEN)
    wires.drive(CONTACT, False)
    becomes(lambda status: status.leaf is Leaf.CLOSED)
    told = [event["event"] for event in door.events()]
    assert told.count("rex_pressed") == 1
    assert told.count("forced_open") == 1

    wires.drive(TAMPER, True)
    becomes(lambda status: status.tamper)
    assert wires.levels(LINE, mark) == [STRIKE.secured]


def test_a_contact_that_never_rests_does_not_lengthen_a_release(
    doors: GpioDoors, wires: Wires, client_of: Connect, grant: MakeGrant
) -> None:
    doors.parts = {"contact": INPUTS["contact"]}
    door = doors.start(release_seconds=0.5, relock="time")
    client = client_of(door)
    mark = wires.mark()
    wires.begin_noise(CONTACT, NOISE)
    reply = client.release(grant())
    assert reply.result is DoorResult.RELEASED
    assert reply.released_until is not None
    late = until(lambda: owned(LINE) == ("kiosk-door", "out", STRIKE.secured)) - reply.released_until
    wires.wait()
    assert late < 0.1
    assert wires.levels(LINE, mark) == [STRIKE.secured, not STRIKE.secured, STRIKE.secured]


def test_a_pull_that_the_chip_cannot_set_is_passed_over_in_silence(wires: Wires) -> None:
    """PL061 has no resistors: what door.md says of a Jetson is so. A wire that is cut reads low here, not high."""
    wires.drive(CONTACT, False)
    settings = gpiod.LineSettings(direction=Direction.INPUT, bias=Bias.PULL_UP)
    with gpiod.request_lines(CHIP, config={CONTACT: settings}) as lines:
        assert lines.get_value(CONTACT) is Value.INACTIVE
