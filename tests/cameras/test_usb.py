"""Which USB camera it is, and whether it is one. What it delivers: tests/contract/test_cameras.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.cameras.usb import UsbCamera, UsbOptions
from kiosk.domain.errors import CameraError
from kiosk.testing.cameras import Clock
from tests.cameras.test_v4l2 import ON_A_PC, Machine
from tests.contract.test_cameras import ScriptedCapture


def camera(machine: Machine, opened: list[str], **options: object) -> UsbCamera:
    capture = ScriptedCapture(Clock())

    def open_it(device: str) -> ScriptedCapture:
        opened.append(device)
        return capture

    return UsbCamera(UsbOptions.model_validate(options), open_it, devices=machine.devices)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_camera_is_opened_by_its_usb_ids_and_exposed_as_wanted(machine: Machine) -> None:
    path = machine.plug("video0", ON_A_PC)
    opened: list[str] = []
    eye = camera(machine, opened, device="046d:0825", flicker=60)
    assert eye.live
    eye.open()
    assert opened == [str(path)]
    assert machine.set == [(0x00980918, 2)]


def test_a_device_of_a_program_is_opened_and_is_not_live(machine: Machine) -> None:
    path = machine.plug("video0", None)
    opened: list[str] = []
    eye = camera(machine, opened, device=str(path))
    assert not eye.live
    eye.open()
    assert opened


def test_a_camera_that_counted_as_live_is_not_opened_as_a_device_of_a_program(machine: Machine) -> None:
    """It was not plugged in at the start; v4l2loopback has its number now."""
    opened: list[str] = []
    eye = camera(machine, opened, device=str(machine.dev / "video0"))
    assert eye.live
    machine.plug("video0", None)
    with pytest.raises(CameraError, match="no camera on this machine's USB, but pictures of a program"):
        eye.open()
    assert not opened


def test_a_camera_that_cannot_be_exposed_as_wanted_is_an_error_and_is_let_go(machine: Machine) -> None:
    machine.plug("video0", ON_A_PC)
    machine.refuses = {0x00980918}
    eye = camera(machine, [], device="046d:0825", flicker=60)
    with pytest.raises(CameraError, match="flicker = 60"):
        eye.open()
    eye.close()
    with pytest.raises(CameraError, match="not open"):
        eye.read(0.1)


@pytest.mark.parametrize("device", ["video0", "046D:0825", "046d:825", ""])
def test_a_device_is_a_path_or_usb_ids(device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        UsbOptions(device=device)
