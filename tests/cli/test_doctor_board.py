"""What `kiosk doctor` reads of the board: the files of Raspberry Pi, eMMC, thermal zones and clocks, written here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kiosk.cli import doctor_board
from kiosk.cli.doctor_check import Finding, Patient
from kiosk.config import Config
from kiosk.storage.home import Home

Look = Callable[[Patient], Iterator[Finding]]


def put(root: Path, **files: str) -> None:
    """Files below the root; the names have _ where their paths have /."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def state(look: Look, root: Path) -> list[str]:
    found = list(look(Patient(Config(), place=Home(root / "home"), root=root)))
    return [f"{f.state} {f.what}" for f in found]


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        ("0", "ok "),
        ("50000", "problem the voltage was"),
        ("50005", "problem the voltage is too low now"),
        ("20002", "ok "),
    ],
)
@pytest.mark.parametrize("place", ["soc:firmware", "soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_the_firmware_tells_of_a_weak_supply(tmp_path: Path, place: str, bits: str, said: str) -> None:
    put(tmp_path, **{f"sys/devices/platform/{place}/get_throttled": f"{bits}\n"})
    (found,) = state(doctor_board.power, tmp_path)
    assert found.startswith(said)


def test_the_hwmon_tells_of_a_weak_supply_where_the_firmware_does_not(tmp_path: Path) -> None:
    assert state(doctor_board.power, tmp_path) == ["unknown this board does not tell its voltage"]
    hwmon = tmp_path / "sys/class/hwmon"
    put(hwmon, **{"hwmon0/name": "cpu_thermal\n", "hwmon1/name": "rpi_volt\n", "hwmon1/in0_lcrit_alarm": "0\n"})
    assert state(doctor_board.power, tmp_path) == ["ok the voltage is not too low now"], "of before it knows nothing"
    put(hwmon, **{"hwmon1/in0_lcrit_alarm": "1\n"})
    assert state(doctor_board.power, tmp_path)[0].startswith("problem")


@pytest.mark.parametrize(("hot", "said"), [("52000", "ok 52"), ("76000", "ok 76"), ("85000", "problem 85")])
def test_the_hottest_zone_counts(tmp_path: Path, hot: str, said: str) -> None:
    zones = tmp_path / "sys/class/thermal"
    put(zones, **{"thermal_zone0/temp": "40000\n", "thermal_zone1/temp": f"{hot}\n", "thermal_zone2/temp": "no\n"})
    put(zones, **{"thermal_zone3/temp": "100000\n", "thermal_zone3/type": "PMIC-Die\n"})
    (found,) = state(doctor_board.temperature, tmp_path)
    assert found.startswith(said)


def test_a_machine_without_sensors_is_not_called_cool(tmp_path: Path) -> None:
    assert state(doctor_board.temperature, tmp_path)[0].startswith("unknown")


@pytest.mark.parametrize(
    ("life", "reserve", "said"),
    [
        ("0x01 0x02", "0x01", "ok mmcblk0: at most 20%"),
        ("0x0a 0x01", "0x01", "problem mmcblk0: 100%"),
        ("0x0b 0x0b", "0x01", "problem mmcblk0: 100%"),
        ("0x01 0x01", "0x02", "problem mmcblk0: 10% of its life is used, reserve 2 of 3"),
        ("0x00 0x00", "0x00", "unknown"),
        ("torn", "0x01", "unknown"),
    ],
)
def test_flash_tells_how_worn_it_is(tmp_path: Path, life: str, reserve: str, said: str) -> None:
    device = tmp_path / "sys/block/mmcblk0/device"
    put(device, life_time=f"{life}\n", pre_eol_info=f"{reserve}\n")
    (found,) = state(doctor_board.card, tmp_path)
    assert found.startswith(said)


def test_an_sd_card_tells_nothing(tmp_path: Path) -> None:
    put(tmp_path, **{"sys/block/mmcblk0/device/name": "SC32G\n"})
    assert state(doctor_board.card, tmp_path)[0].startswith("unknown")


@pytest.mark.parametrize(("free", "said"), [(50, "problem 50 MiB"), (500, "ok 500 MiB"), (5000, "ok 5000 MiB")])
def test_room_is_measured_where_the_gallery_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: str
) -> None:
    asked: list[Path] = []

    def usage(folder: Path) -> SimpleNamespace:
        asked.append(folder)
        return SimpleNamespace(free=free << 20)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    (found,) = state(doctor_board.room, tmp_path)
    assert found.startswith(said)
    assert asked == [tmp_path], "the home is not there yet"


def test_whether_a_clock_is_right_that_nobody_set_and_that_stops_without_power_cannot_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no timedatectl
    assert state(doctor_board.time, tmp_path)[0].startswith("unknown whether it is right")
    put(tmp_path, **{"sys/class/rtc/rtc0/name": "rtc-ds1307\n"})
    assert state(doctor_board.time, tmp_path)[0].startswith("ok not synchronised")
    put(tmp_path, **{"run/systemd/timesync/synchronized": ""})
    assert state(doctor_board.time, tmp_path)[0].startswith("ok synchronised")
