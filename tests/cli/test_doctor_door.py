"""What `kiosk doctor` reports about the door: about the board from its files, about the door by asking it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import pytest

from kiosk.cli import doctor_door
from kiosk.cli.doctor_check import Patient
from kiosk.config import Config
from kiosk.domain.door.state import DoorMode, DoorState, DoorStatus
from kiosk.domain.errors import ConfigError, DoorError
from kiosk.sections import DoorConfig, LockConfig
from tests.fakes.hidraw import Bus

GPIO = {"chip": "/dev/gpiochip0", "line": 17, "active_high": True, "fail_mode": "secure"}


class Client:
    """A door that answers with `status`."""

    status_now = DoorStatus(DoorState.SECURED, False, 0.0)

    def __init__(self, _path: Path) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def status(self, timeout: float) -> DoorStatus:
        return self.status_now


def told(settings: Config, root: Path) -> list[str]:
    """The findings: state, "note" where all is well and there is advice, then what is so and what to do."""
    found = doctor_door.findings(Patient(settings, root=root))
    return [f"{'note' if f.state == 'ok' and f.mend else f.state} {f.what}: {f.mend}".removesuffix(": ") for f in found]


def said(monkeypatch: pytest.MonkeyPatch, root: Path, status: DoorStatus | None = None, **lock: object) -> list[str]:
    monkeypatch.setattr(doctor_door, "DoorClient", Client)
    monkeypatch.setattr(Client, "status_now", status or DoorStatus(DoorState.SECURED, False, 0.0))
    settings = Config(
        door=DoorConfig(name="main"), lock=LockConfig.model_validate({"kind": "gpio", **GPIO, "contact": {}, **lock})
    )
    return told(settings, root)


def board(root: Path, module: str, keeps: str, config: str) -> None:
    parameters = root / "sys/module" / module / "parameters"
    parameters.mkdir(parents=True)
    (parameters / "persist_gpio_outputs").write_text(keeps + "\n")
    (root / "boot/firmware").mkdir(parents=True)
    (root / "boot/firmware/config.txt").write_text(config)


@pytest.mark.parametrize("module", doctor_door.PERSIST)
def test_doctor_reports_a_board_that_keeps_the_lines_level(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    board(tmp_path, module, "Y", "dtparam=audio=on\ngpio=17=op,dl\n")
    state, line, boot = said(monkeypatch, tmp_path)
    assert state == "ok secured"
    assert line.startswith("ok the kernel keeps the line's level")
    assert boot.startswith("ok ")


@pytest.mark.parametrize(
    ("lock", "pull"),
    [
        ({}, "down"),
        ({"active_high": False}, "up"),
        ({"fail_mode": "safe"}, "up"),
        ({"fail_mode": "safe", "active_high": False}, "down"),
    ],
)
def test_doctor_reports_a_board_that_gives_the_line_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lock: dict[str, object], pull: str
) -> None:
    board(tmp_path, "pinctrl_bcm2835", "N", "")
    _, line, boot = said(monkeypatch, tmp_path, line="GPIO17", **lock)
    assert f"its pull must be {pull}" in line
    assert f"gpio=17=op,d{'h' if pull == 'up' else 'l'} " in boot


def test_doctor_reports_an_unknown_board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, line = said(monkeypatch, tmp_path)
    assert line.startswith("unknown")
    assert "measure" in line


def test_doctor_reports_the_doors_own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fault = DoorStatus(DoorState.SECURED, False, 0.0, faults=("contact_chatter",), mode=DoorMode.LOCKDOWN)
    state, lockdown, *_ = said(monkeypatch, tmp_path, fault)
    assert state.startswith("problem secured, contact_chatter")
    assert lockdown.startswith("note lockdown")


def test_doctor_reports_a_door_without_contact_or_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Config(door=DoorConfig(socket=tmp_path / "none"))
    with pytest.raises(DoorError):
        told(nowhere, tmp_path)
    monkeypatch.setattr(doctor_door, "DoorClient", Client)
    bare = Config(door=DoorConfig(name="main"), lock=LockConfig.model_validate({"kind": "gpio", **GPIO}))
    assert any("no [lock.contact]" in line for line in told(bare, tmp_path))


def said_of_usb(monkeypatch: pytest.MonkeyPatch, bus: Bus, **lock: object) -> list[str]:
    """What is said of the board; the door's own state comes after it."""
    bus.install(monkeypatch)
    monkeypatch.setattr(doctor_door, "DoorClient", Client)
    keys = {"kind": "usb-hid", "channel": 2, "fail_mode": "secure", **lock}
    settings = Config(door=DoorConfig(name="main"), lock=LockConfig.model_validate(keys))
    *of_board, state = told(settings, bus.folder)
    assert state == "ok secured"
    return of_board


def test_doctor_accepts_a_usb_board_that_only_kiosk_door_may_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bus = Bus(tmp_path)
    bus.plug()
    bus.node(0).chmod(0o600)
    owner, contact = said_of_usb(monkeypatch, bus)
    assert owner.startswith("note a USB relay stays as it is when kiosk-door dies")
    assert contact.startswith("note a USB relay board has no contact")
    assert bus.commands() == []


def test_doctor_reports_a_missing_usb_board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert said_of_usb(monkeypatch, Bus(tmp_path))[0].startswith("problem no USB relay board")


def test_doctor_reports_several_usb_boards_without_a_configured_serial(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bus = Bus(tmp_path)
    for number in (0, 1):
        bus.plug(number)
        bus.node(number).chmod(0o600)
    assert said_of_usb(monkeypatch, bus)[0].startswith("problem 2 USB relay boards")
    assert said_of_usb(monkeypatch, bus, serial="BITFT")[0].startswith("note ")


def test_doctor_reports_a_usb_board_that_every_user_may_use_and_a_missing_relay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bus = Bus(tmp_path)
    bus.plug()
    bus.node(0).chmod(0o666)
    relays, others, *_ = said_of_usb(monkeypatch, bus, channel=8)
    assert relays.startswith("problem channel = 8")
    assert "others can move the relay" in others


def test_doctor_reports_a_wrong_usb_relay_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="channel"):
        said_of_usb(monkeypatch, Bus(tmp_path), channel=9)


NAMELESS = "problem [door] name is missing"


@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        ({"lock": {"kind": "gpio", **GPIO}}, True),
        ({"lock": {"kind": "gpio", **GPIO}, "door": {"name": "main"}}, False),
        ({"panel": {"kind": "other", "facility": 1}}, True),
        ({"lock": {"kind": "simulated"}}, False),
        ({"lock": {"kind": "simulated"}, "notifiers": {"guard": {"kind": "webhook"}}}, True),
        (
            {"lock": {"kind": "simulated"}, "notifiers": {"guard": {"kind": "webhook"}}, "door": {"name": "north"}},
            False,
        ),
    ],
)
def test_doctor_reports_a_missing_door_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, object], bad: bool
) -> None:
    monkeypatch.setattr(doctor_door, "DoorClient", Client)
    lines = told(Config.model_validate(settings), tmp_path)
    assert any(line.startswith(NAMELESS) for line in lines) is bad


def test_doctor_says_that_a_door_without_a_name_has_that_of_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor_door, "DoorClient", Client)
    trial: dict[str, object] = {"lock": {"kind": "simulated"}}
    (line, _) = told(Config.model_validate(trial), tmp_path)
    assert line.startswith("note it has no name of its own, and is called main")
    assert len(told(Config.model_validate(trial | {"door": {"name": "main"}}), tmp_path)) == 1


def test_doctor_reports_a_listener_that_can_reach_the_command_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor_door, "DoorClient", Client)
    path = tmp_path / "door.sock"
    path.touch()
    monkeypatch.setattr(doctor_door.os, "getgrouplist", lambda _name, _group: [path.stat().st_gid])
    settings = Config(door=DoorConfig(socket=path, subscribers=("nobody",)))
    lines = [line for line in told(settings, tmp_path) if line.startswith("problem")]
    assert len(lines) == 1
    assert lines[0].startswith("problem nobody only listens, and is in the group")
    monkeypatch.setattr(doctor_door.os, "getgrouplist", lambda _name, _group: [12345])
    assert not any(line.startswith("problem") for line in told(settings, tmp_path))
