"""Video devices as Linux tells of them: a made-up /sys and /dev, with the paths of real machines."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from kiosk.cameras.v4l2 import VideoDevices
from kiosk.domain.errors import CameraError

ON_A_PC = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0"
ON_A_PI_5 = "platform/axi/1000120000.pcie/1f00300000.usb/xhci-hcd.1/usb3/3-1/3-1:1.0"
OF_USBIP = "platform/vhci_hcd.0/usb5/5-1/5-1:1.0"
OF_A_GADGET = "platform/dummy_hcd.0/usb7/7-1/7-1:1.0"
OF_THE_ISP = "platform/axi/1000880000.pisp_be"


class Machine:
    """A folder that is /sys and /dev."""

    def __init__(self, root: Path) -> None:
        self.classes, self.dev, self._devices = root / "class", root / "dev", root / "devices"
        for folder in (self.classes, self.dev):
            folder.mkdir()
        self.set: list[tuple[int, int]] = []
        self.refuses: set[int] = set()

    def plug(self, name: str, where: str | None, ids: str = "046d:0825", index: int = 0) -> Path:
        """A device: `where` below /sys/devices it is plugged in; None for one that no device is behind."""
        at = self._devices / (where or "virtual") / "video4linux" / name
        at.mkdir(parents=True)
        (at / "index").write_text(f"{index}\n")
        if where is not None:
            (at / "device").symlink_to(self._devices / where)
            vendor, product = ids.split(":")
            parent = (self._devices / where).parent
            (parent / "idVendor").write_text(f"{vendor}\n")
            (parent / "idProduct").write_text(f"{product}\n")
        (self.classes / name).symlink_to(at)
        (self.dev / name).touch()
        return self.dev / name

    def ioctl(self, file: int, request: int, content: bytes) -> int:
        control, value = struct.unpack("=Ii", content)
        if control in self.refuses:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.set.append((control, value))
        return 0

    @property
    def devices(self) -> VideoDevices:
        return VideoDevices(self.classes, self.dev, self.ioctl)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("where", "virtual"),
    [
        (ON_A_PC, False),
        (ON_A_PI_5, False),
        (OF_USBIP, True),
        (OF_A_GADGET, True),
        (OF_THE_ISP, True),
        (None, True),  # v4l2loopback
    ],
)
def test_only_a_camera_on_this_machines_usb_is_none_of_a_program(
    machine: Machine, where: str | None, virtual: bool
) -> None:
    path = machine.plug("video0", where)
    assert machine.devices.is_virtual(str(path)) is virtual
    link = machine.dev / "by-id"
    link.symlink_to(path)
    assert machine.devices.is_virtual(str(link)) is virtual


def test_a_device_file_that_linux_knows_by_another_name_or_not_at_all_is_a_programs(machine: Machine) -> None:
    """Somebody made it, or a container shows it under another name."""
    made = machine.dev / "camera"
    made.touch()
    assert machine.devices.is_virtual(str(made))
    assert machine.devices.is_played(str(made))
    machine.plug("video3", ON_A_PC)
    (machine.classes / "video3" / "dev").write_text("81:3\n")
    (machine.dev / "video3").unlink()
    (machine.dev / "video3").symlink_to("/dev/null")  # a device, and another one
    machine.plug("null", ON_A_PC, index=1)
    (machine.classes / "null" / "dev").write_text("81:3\n")
    assert machine.devices.is_virtual(str(machine.dev / "video3"))


def test_a_device_that_is_not_there_is_looked_at_again_when_it_is_opened(machine: Machine) -> None:
    assert not machine.devices.is_virtual("/dev/video9")
    assert not machine.devices.is_virtual("046d:0825")


def test_a_camera_is_found_by_its_usb_ids_and_not_its_second_device(machine: Machine) -> None:
    machine.plug("video0", OF_THE_ISP, "ffff:ffff")
    machine.plug("video1", "usb1/1-3/1-3:1.0", "1bcf:2c99")
    machine.plug("video2", ON_A_PC, index=1)
    path = machine.plug("video3", ON_A_PC.replace("1-2:1.0", "1-2:1.1"))
    assert machine.devices.find("046d:0825") == path
    assert machine.devices.find("/dev/whatever") == Path("/dev/whatever")


def test_a_camera_that_is_not_plugged_in_and_one_of_two_alike_say_what_to_do(machine: Machine) -> None:
    with pytest.raises(CameraError, match="no such camera is plugged in: `lsusb`"):
        machine.devices.find("046d:0825")
    machine.plug("video0", ON_A_PC)
    machine.plug("video1", ON_A_PI_5)
    with pytest.raises(CameraError, match="2 cameras have these USB ids: name one by its path"):
        machine.devices.find("046d:0825")


def test_the_exposure_is_set_by_the_kernels_numbers(machine: Machine) -> None:
    path = machine.plug("video0", ON_A_PC)
    machine.devices.set_light(path, 50, 12.5)
    assert machine.set == [(0x00980918, 1), (0x009A0901, 1), (0x009A0902, 125)]
    machine.set.clear()
    machine.devices.set_light(path, "auto", "auto")
    assert machine.set == [(0x00980918, 3), (0x009A0901, 3)]
    machine.set.clear()
    machine.devices.set_light(path, None, None)
    assert machine.set == []


def test_what_the_camera_cannot_do_is_named(machine: Machine) -> None:
    path = machine.plug("video0", ON_A_PC)
    machine.refuses = {0x00980918}
    with pytest.raises(CameraError, match="cannot do flicker = 60 of \\[camera\\]: leave it out"):
        machine.devices.set_light(path, 60, None)
    with pytest.raises(CameraError, match="cannot do exposure"):
        machine.devices.set_light(machine.dev / "gone", None, 10.0)
