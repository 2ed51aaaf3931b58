"""`kiosk doctor`: checks the board: its supply, heat, card, room on it, and clock. All is read below `Patient.root`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kiosk.cli.doctor_check import Finding, Patient, ok, problem, unknown
from kiosk.system.time_sync import RTC, TIMESYNCD, has_rtc, synchronised

THROTTLED = ("sys/devices/platform/*firmware/get_throttled", "sys/devices/platform/*/*firmware/get_throttled")
"""What Raspberry Pi's firmware tells, in hexadecimal, in Raspberry Pi OS's kernel alone: soc/soc:firmware on boards up
to 4, also soc:firmware. The bits are those of `vcgencmd get_throttled` (raspberrypi.com, documentation/computers/
os.html): 0 the voltage is too low now, 1 the clock is capped now, 2 throttled now, 3 at the soft limit of heat now; 16
to 19 the same since the start."""
VOLTAGE_ALARM = "sys/class/hwmon/hwmon*"
"""hwmon's rpi_volt in any kernel: in0_lcrit_alarm is 1 where the voltage was too low since the driver asked before,
seconds ago (kernel, Documentation/hwmon/raspberrypi-hwmon, drivers/hwmon/raspberrypi-hwmon.c)."""
ZONES = "sys/class/thermal/thermal_zone*"
"""Their `temp` is in thousandths of a degree Celsius (kernel, Documentation/driver-api/thermal/sysfs-api)."""
NO_SENSOR = "PMIC-Die"
"""The zone's `type` on a Jetson Nano or TX2 that always reads 100 degrees: a limit, and no measurement."""
HOT, TOO_HOT = 75.0, 85.0
"""Degrees Celsius: a Raspberry Pi slows its processor down between 80 and 85, and the GPU too from 85 on (raspberrypi.
com, documentation/computers/raspberry-pi.html, Frequency management and thermal control). The first is 5 below that,
for the summer. A Jetson Orin bears more before it slows down (NVIDIA's Jetson Linux Developer Guide, Thermal
management); in a housing at a door 85 are too many there as well."""
CARDS = "sys/block/mmcblk*/device"
"""life_time: what type A and type B cells have used of their life, in tenths (0x01: up to 10%; 0x0b: all).
pre_eol_info: 0x01 normal, 0x02 80% of the reserve used, 0x03 90% (kernel, Documentation/driver-api/mmc/mmc-dev-attrs;
JEDEC JESD84-B51, 7.4). An SD card has neither; an eMMC before 5.0 says 0x00."""
WORN = 9
"""Tenths of its life after which a card should be replaced."""
ROOM, LITTLE_ROOM = 200, 1000
"""MiB: below the first a backup or a rotation of the key may not fit; below the second somebody should look."""
SUPPLY = "use the board's own power supply and a short cable; the lock has a supply of its own (deploy/door.md)"

LOW = "the voltage is too low now: the board may stop at any time"
EARLIER = "whether it was before: journalctl -k | grep -i voltage"


def power(patient: Patient) -> Iterator[Finding]:
    """Whether the supply was too weak since the start."""
    said = False
    for file in sorted(file for pattern in THROTTLED for file in patient.root.glob(pattern)):
        with suppress(OSError, ValueError):
            bits = int(file.read_text(encoding="ascii").strip(), 16)
            said = True
            yield _voltage(bool(bits & 1), bool(bits & 1 << 16))
    for folder in sorted(patient.root.glob(VOLTAGE_ALARM)):
        with suppress(OSError):
            if said or _text(folder / "name") != "rpi_volt":
                continue
            low = _text(folder / "in0_lcrit_alarm") == "1"
            said = True
            yield problem(LOW, SUPPLY) if low else ok("the voltage is not too low now", EARLIER)
    if not said:
        yield unknown(
            "this board does not tell its voltage", "measure it at the board under load: 5.1 V, never below 4.8"
        )


def _voltage(now: bool, before: bool) -> Finding:
    if now:
        return problem(LOW, SUPPLY)
    if before:
        return problem("the voltage was too low since the start", SUPPLY)
    return ok("the voltage was never too low since the start")


def temperature(patient: Patient) -> Iterator[Finding]:
    """The hottest zone of the board."""
    found: list[float] = []
    for zone in patient.root.glob(ZONES):
        with suppress(OSError, ValueError):  # a zone without a sensor, or whose part is off, answers with an error
            if not (zone / "type").exists() or _text(zone / "type") != NO_SENSOR:
                found.append(int(_text(zone / "temp")) / 1000)
    if not found:
        yield unknown("this machine does not tell its temperature", "measure it in the housing, in summer")
        return
    hottest = max(found)
    said = f"{hottest:.0f} °C"
    if hottest >= TOO_HOT:
        yield problem(f"{said}: the board slows down, and lives shorter")
    elif hottest >= HOT:
        yield ok(f"{said}: it will slow down in summer", "shade, a heat sink, or holes in the housing")
    else:
        yield ok(said)


def card(patient: Patient) -> Iterator[Finding]:
    """How worn the card or the soldered flash is."""
    said = False
    for device in sorted(patient.root.glob(CARDS)):
        name = device.parent.name
        try:
            used = [int(word, 16) for word in _text(device / "life_time").split()]
            reserve = int(_text(device / "pre_eol_info"), 16)
        except (OSError, ValueError):
            continue
        worst = max(used, default=0)
        if not worst and not reserve:
            continue
        said = True
        if reserve >= 2 or worst > WORN:
            yield problem(f"{name}: {min(10 * worst, 100)}% of its life is used, reserve {reserve} of 3")
        else:
            yield ok(f"{name}: at most {10 * worst}% of its life is used")
    if not said:
        yield unknown(
            "what is built in does not tell how worn it is (SD cards do not)",
            "an industrial card, a backup elsewhere, another card every two years; an SSD: sudo smartctl -a /dev/nvme0",
        )


def room(patient: Patient) -> Iterator[Finding]:
    """What is free where the gallery is."""
    folder = patient.home.folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free >> 20
    said = f"{free} MiB are free at {folder}"
    if free < ROOM:
        yield problem(said)
    elif free < LITTLE_ROOM:
        yield ok(said, "sudo journalctl --vacuum-size=200M; sudo apt-get clean")
    else:
        yield ok(said)


def time(patient: Patient) -> Iterator[Finding]:
    """Whether somebody set the clock since the start, and whether it runs without power."""
    told = synchronised(patient.root / TIMESYNCD.relative_to("/"))
    battery = has_rtc(patient.root / RTC.relative_to("/"))
    runs = "a clock that runs without power is there" if battery else "no clock that runs without power"
    if told:
        yield ok(f"synchronised since the start; {runs}")
    elif battery:
        yield ok(
            f"not synchronised since the start; {runs}", "sudo timedatectl set-ntp true; without a network: look at it"
        )
    else:
        yield unknown(f"whether it is right: not synchronised since the start, and {runs}")


def _text(file: Path) -> str:
    return file.read_text(encoding="ascii", errors="replace").strip()
