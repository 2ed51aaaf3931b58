"""USB relay boards: which board is chosen, how its answers are checked, and what happens when it is pulled out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosk import config, plugins
from kiosk.domain.door.events import DoorEventKind
from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.door.machine import RETRY_SECONDS, DoorMachine
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorState, Readings
from kiosk.domain.errors import LockError, LockLostError
from kiosk.locks import secure_line, usb_board
from kiosk.locks.usb_hid import CHECK_SECONDS, UsbHidLock
from tests.fakes.hidraw import DEAF, GET, HANG, SET, SHORT, Bus

ROOT = Path(__file__).parents[2]
STRIKE: dict[str, object] = {"channel": 1, "fail_mode": "secure"}
MAGLOCK: dict[str, object] = {"channel": 1, "fail_mode": "safe"}


@dataclass
class Clock:
    now: float = 1000.0
    step: float = CHECK_SECONDS

    def monotonic(self) -> float:
        """As time.monotonic; between two questions `step` passes."""
        self.now += self.step
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("kiosk.locks.usb_hid.time", clock)
    return clock


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bus:
    bus = Bus(tmp_path)
    bus.install(monkeypatch)
    return bus


def lock_of(options: dict[str, object]) -> UsbHidLock:
    return UsbHidLock(UsbHidLock.Options.model_validate(options))


@pytest.fixture
def strike(bus: Bus) -> Iterator[UsbHidLock]:
    bus.plug()
    lock = lock_of(STRIKE)
    yield lock
    lock.close()


def test_the_requests_are_those_of_the_kernels_header() -> None:
    assert (usb_board.HIDIOCSFEATURE, usb_board.HIDIOCGFEATURE) == (SET, GET)


# Which board


def test_the_only_board_needs_no_serial(bus: Bus) -> None:
    bus.plug(3)
    bus.plug(0, name="Logitech USB Receiver", usb_id="0003:0000046D:0000C52B")
    bus.plug(1, name="obdev.at Thermometer")
    bus.plug(2, usb_id="0003:00000519:00002018")
    lock_of(STRIKE).close()
    assert [bus.commands(number) for number in range(4)] == [[], [], [], ["FD 1", "FD 1"]]


def test_of_two_boards_none_is_guessed(bus: Bus) -> None:
    bus.plug(0, b"AAAAA")
    bus.plug(1, b"BBBBB")
    with pytest.raises(LockError, match=r"name one as `serial`: 'AAAAA' \(.*hidraw0\), 'BBBBB'"):
        lock_of(STRIKE)
    assert bus.commands(0) == bus.commands(1) == []
    lock = lock_of(STRIKE | {"serial": "BBBBB"})
    lock.release(1)
    assert (bus.bits(0), bus.bits(1)) == (0, 1)
    assert bus.commands(0) == []
    lock.close()


def test_two_boards_of_one_serial_are_refused(bus: Bus) -> None:
    bus.plug(0)
    bus.plug(1)
    with pytest.raises(LockError, match="2 USB relay boards have the serial 'BITFT'"):
        lock_of(STRIKE | {"serial": "BITFT"})


def test_another_serial_is_another_board(bus: Bus) -> None:
    bus.plug(0)
    with pytest.raises(LockError, match="no USB relay board has the serial 'OTHER'; there are: 'BITFT'"):
        lock_of(STRIKE | {"serial": "OTHER"})
    assert bus.commands() == []


def test_a_board_has_as_many_relays_as_its_name_says(bus: Bus) -> None:
    bus.plug(0)
    with pytest.raises(LockError, match="has 2 relays: channel = 3"):
        lock_of(STRIKE | {"channel": 3})
    assert bus.commands() == []


def test_no_board_is_one_line_that_says_what_to_look_at(bus: Bus) -> None:
    with pytest.raises(LockError, match=r"no USB relay board .* is there: see `lsusb`"):
        lock_of(STRIKE)


def test_a_usb_board_that_may_not_be_opened_is_an_error(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may open all, so the refusal is played."""
    bus.plug(0)

    def refused(path: object, _flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("kiosk.locks.usb_board.os.open", refused)
    for options in (STRIKE, STRIKE | {"serial": "BITFT"}):
        with pytest.raises(LockError, match=r"hidraw0 may not be opened: it needs the udev rule"):
            lock_of(options)


def test_a_board_has_one_owner(strike: UsbHidLock) -> None:
    with pytest.raises(LockError, match="another program holds it"):
        lock_of(STRIKE)


def test_the_other_relays_of_the_board_stay_as_they_are(bus: Bus) -> None:
    bus.plug(0, name="USBRelay8")
    bus.force(0b1010_0101)
    lock = lock_of(STRIKE | {"channel": 2})
    lock.release(1)
    assert bus.bits() == 0b1010_0111
    lock.close()
    assert bus.bits() == 0b1010_0101


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": 0},
        {"channel": 9},
        {"channel": True},
        {"channel": "1"},
        {"fail_mode": "open"},
        {"serial": ""},
        {"serial": "TOOLONG"},
        {"serial": "A B"},
    ],
)
def test_options_take_nothing_ambiguous(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UsbHidLock.Options.model_validate(STRIKE | wrong)


@pytest.mark.parametrize("missing", STRIKE)
def test_options_guess_nothing(missing: str) -> None:
    with pytest.raises(ValidationError):
        UsbHidLock.Options.model_validate({k: v for k, v in STRIKE.items() if k != missing})


def test_the_shown_configuration_is_complete() -> None:
    text = (ROOT / "deploy" / "kiosk.toml").read_text()
    shown = re.search(r'#   \[lock\]\n#   kind = "usb-hid"\n(#   .*\n)+', text)
    assert shown is not None
    lock = config.parse(re.sub(r"^#   ", "", shown[0], flags=re.MULTILINE), "kiosk.toml", {}).lock
    assert lock is not None
    _, options = plugins.configured("locks", lock)
    assert options.model_fields_set == set(UsbHidLock.Options.model_fields)


# What it says back


@pytest.mark.parametrize(("options", "stuck"), [(STRIKE, 1), (MAGLOCK, 0)])
def test_a_relay_that_is_not_as_it_was_set_is_no_lock(bus: Bus, options: dict[str, object], stuck: int) -> None:
    bus.plug()
    bus.force(stuck)
    bus.fault(DEAF)
    with pytest.raises(LockError, match="was set"):
        lock_of(options)


def test_a_release_that_does_not_read_back_fails(strike: UsbHidLock, bus: Bus) -> None:
    bus.fault(DEAF)
    with pytest.raises(LockError, match="was set on and is off"):
        strike.release(1)
    with pytest.raises(LockError, match="not there"):
        strike.release(1)


@pytest.mark.parametrize(("fault", "says"), [(HANG, "Protocol error"), (SHORT, "does not answer as a USB relay board")])
def test_a_board_that_answers_wrongly_fails(strike: UsbHidLock, bus: Bus, fault: str, says: str) -> None:
    bus.fault(fault)
    with pytest.raises(LockError, match=says):
        strike.release(1)
    with pytest.raises(LockError, match=says):
        strike.secure()
    bus.fault("")
    strike.secure()
    assert bus.bits() == 0


def test_reading_asks_the_board_and_finds_nothing_wrong(strike: UsbHidLock) -> None:
    assert strike.read() == strike.read() == Readings()
    strike.release(1)
    assert strike.read() == Readings()


def test_reading_does_not_ask_more_often_than_it_must(strike: UsbHidLock, bus: Bus, clock: Clock) -> None:
    strike.read()
    clock.step = CHECK_SECONDS / 2.5
    bus.unplug()
    assert strike.read() == strike.read() == Readings()
    with pytest.raises(LockLostError):
        strike.read()


def test_a_relay_that_somebody_else_has_set_is_found_out(strike: UsbHidLock, bus: Bus) -> None:
    bus.force(1)
    with pytest.raises(LockLostError, match="is on and was not set so"):
        strike.read()
    strike.secure()
    assert bus.bits() == 0
    assert strike.read() == Readings()


def test_a_board_that_is_pulled_out_is_found_out_once_and_had_again_by_secure_alone(
    strike: UsbHidLock, bus: Bus
) -> None:
    bus.unplug()
    with pytest.raises(LockLostError, match="No such device"):
        strike.read()
    assert strike.read() == Readings()
    with pytest.raises(LockError, match="no USB relay board"):
        strike.secure()
    bus.plug(7)
    bus.force(1, 7)
    with pytest.raises(LockError, match="not there"):
        strike.release(1)
    assert bus.commands(7) == []
    strike.secure()
    assert bus.bits(7) == 0
    strike.release(1)
    assert bus.bits(7) == 1


def test_a_closed_usb_lock_stays_closed(strike: UsbHidLock) -> None:
    strike.close()
    for move in (strike.secure, lambda: strike.release(1)):
        with pytest.raises(LockError):
            move()


# With the door's machine


@dataclass
class Door:
    bus: Bus
    lock: UsbHidLock
    machine: DoorMachine

    def told(self) -> list[tuple[DoorEventKind, str]]:
        return [(news.kind, news.reason) for news in self.machine.take_news()]

    def grant(self, name: str, now: float) -> str:
        reply = self.machine.grant(Grant(name, now, now + 1), 1, now)
        return "released" if reply.result is DoorResult.RELEASED else reply.reason


@pytest.fixture
def door(strike: UsbHidLock, bus: Bus) -> Door:
    machine = DoorMachine(strike, 0.0, DoorRules())
    machine.start(0.0)
    machine.take_news()
    return Door(bus, strike, machine)


def test_a_board_that_goes_in_a_release_is_a_fault_until_it_is_back_and_secured(door: Door) -> None:
    assert door.grant("a", 1.0) == "released"
    door.bus.unplug()
    door.machine.tick(6.0)
    assert door.machine.state is DoorState.FAULT
    assert door.told()[1:] == [(DoorEventKind.FAULT, "lock")]
    assert door.grant("b", 6.1) == "fault"
    door.bus.plug(5)
    door.bus.force(1, 5)
    door.machine.tick(6.1 + RETRY_SECONDS)
    assert (door.machine.state, door.bus.bits(5)) == (DoorState.SECURED, 0)
    assert door.told() == [(DoorEventKind.FAULT_ENDED, "lock"), (DoorEventKind.SECURED, "fault")]
    assert door.grant("c", 7.0) == "released"


def test_a_board_that_goes_when_it_is_to_release_grants_nothing(door: Door) -> None:
    door.bus.unplug()
    assert door.grant("a", 1.0) == "fault"
    assert door.machine.state is DoorState.FAULT
    door.bus.plug(0)
    door.machine.tick(2.0)
    assert (door.machine.state, door.bus.bits()) == (DoorState.SECURED, 0)


def test_a_release_whose_answer_is_lost_is_taken_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command arrives, the answer does not: on the wire the lock is released."""
    real = usb_board.Board.is_on

    def lost_once(_board: usb_board.Board, _relay: int) -> bool:
        monkeypatch.setattr(usb_board.Board, "is_on", real)
        raise OSError(71, "Protocol error")

    monkeypatch.setattr(usb_board.Board, "is_on", lost_once)
    assert door.grant("a", 1.0) == "fault"
    assert door.bus.commands()[-2:] == ["FF 1", "FD 1"]
    assert (door.machine.state, door.bus.bits()) == (DoorState.SECURED, 0)
    assert door.told() == [
        (DoorEventKind.FAULT, "lock"),
        (DoorEventKind.FAULT_ENDED, "lock"),
        (DoorEventKind.SECURED, "fault"),
    ]


# Without the door


@pytest.fixture
def named(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text('[lock]\nkind = "usb-hid"\nchannel = 2\nfail_mode = "safe"\n')
    return path


def test_the_relay_is_secured_without_the_door(bus: Bus, named: Path) -> None:
    bus.plug()
    assert secure_line.main([str(named)]) == 0
    assert (bus.commands(), bus.bits()) == (["FF 2"], 0b10)


def test_a_door_that_runs_keeps_its_board(bus: Bus, named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bus.plug()
    lock = lock_of({"channel": 2, "fail_mode": "safe"})
    lock.release(1)
    assert secure_line.main([str(named)]) == 2
    assert "another program holds it" in capsys.readouterr().err
    assert bus.bits() == 0
    lock.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('channel = 9\nfail_mode = "safe"', "channel"),
        ('channel = true\nfail_mode = "safe"', "channel"),
        ("channel = 2", "fail_mode"),
        ('channel = 2\nfail_mode = "safe"\nserial = 12345', "serial"),
        ('channel = 2\nfail_mode = "safe"\nserial = "TOOLONG"', "serial"),
        ('channel = 2\nfail_mode = "safe"', "no USB relay board"),
    ],
)
def test_securing_without_the_door_guesses_nothing(
    bus: Bus, named: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    named.write_text(f'[lock]\nkind = "usb-hid"\n{text}\n')
    assert secure_line.main([str(named)]) == 2
    assert says in capsys.readouterr().err


def test_the_board_that_is_held_first_is_the_one_that_the_lock_takes_over(bus: Bus, named: Path) -> None:
    bus.plug()
    secure_line.hold(named)
    assert bus.commands() == ["FF 2"]
    lock = lock_of({"channel": 2, "fail_mode": "safe"})
    assert bus.commands() == ["FF 2"]
    lock.release(1)
    assert bus.bits() == 0
    lock.close()
    lock_of(STRIKE).close()


def test_securing_without_the_door_needs_the_standard_library_alone(tmp_path: Path, named: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from tests.fakes.hidraw import install\n"
        "install(pathlib.Path(sys.argv[1]))\n"
        "from kiosk.locks import secure_line\n"
        "code = secure_line.main([sys.argv[2]])\n"
        "print(*sys.modules)\n"
        "sys.exit(code)\n"
    )
    bus = Bus(tmp_path)
    bus.plug()
    command = [sys.executable, "-c", script, str(tmp_path), str(named)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    assert bus.bits() == 0b10
    assert not {"pydantic", "gpiod", "ctypes", "kiosk.locks.usb_hid"} & set(result.stdout.split())
