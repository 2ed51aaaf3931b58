"""`kiosk doctor`: checks the program, its configuration, and what of it a real lock refuses."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from kiosk import __version__, config
from kiosk.cli.asking import Terminal
from kiosk.cli.console import home_of
from kiosk.cli.doctor_check import Finding, Patient, ok, problem
from kiosk.config import Config
from kiosk.domain.errors import KioskError
from kiosk.station.safeguards import weaknesses
from kiosk.storage.home import Home
from kiosk.storage.keys import chosen


def patient(config_file: Path | None, named: Path | None) -> tuple[Patient, list[Finding], list[Finding]]:
    """What is to be examined, what is to be said of its configuration, and of its home. `named`: that of --home."""
    found: Path | None = None
    settings: Config | None = None
    home: Home | None = None
    said: list[Finding] = []
    of_home: list[Finding] = []
    try:
        found = config.find(config_file)
        settings = config.parse("", "the defaults") if found is None else config.read(found)
        said.append(ok(str(found)) if found else ok("none: `kiosk run` would be the demonstration", "sudo kiosk setup"))
    except KioskError as error:
        said.append(problem(str(error)))
    if settings is not None:
        try:
            folder = home_of(named, found)
            home = Home(folder, chosen(settings.keys, folder, Terminal()))
            of_home.append(ok(str(folder)))
        except KioskError as error:
            of_home.append(problem(str(error), 'set home = "/var/lib/kiosk" in [kiosk] of the configuration'))
    elif named is not None:
        home = Home(named)
        of_home.append(ok(str(named)))
    return Patient(settings, found, home), said, of_home


def nothing(_: Patient) -> list[Finding]:
    """The look of the two checks whose findings `patient` has."""
    return []


def program(_: Patient) -> Iterator[Finding]:
    """Which program this is, and whether the system is of 64 bits."""
    if sys.maxsize < 2**32:
        yield problem("this is a 32-bit system: onnxruntime has no 32-bit build")
    yield ok(f"kiosk {__version__}, Python {platform.python_version()} on {platform.machine()}")


def policy(patient: Patient) -> Iterator[Finding]:
    """Settings that `kiosk run` refuses with a real lock. Those that depend on the gallery's size are checked later."""
    settings = patient.settings
    if settings.drives_a_real_lock:
        try:
            config.refuse_overrides()
        except KioskError as error:
            yield problem(str(error))
    for weakness in weaknesses(settings):
        said = f"{weakness}; refused before a real lock"
        yield problem(said) if settings.drives_a_real_lock else ok(said, "fine for a trial")


def swap(patient: Patient) -> Iterator[Finding]:
    """Plain swap, which would write templates to a disk in clear (/proc/swaps, man 5 proc). Core dumps are off in every
    command."""
    file = patient.root / "proc/swaps"
    swaps = file.read_text(encoding="ascii", errors="replace").splitlines()[1:] if file.exists() else []
    plain = [line.split()[0] for line in swaps if "zram" not in line and "/dm-" not in line]
    if plain:
        yield ok(
            f"swap that may be unencrypted: {', '.join(plain)}; kiosk.service does not swap",
            "sudo systemctl disable --now dphys-swapfile, or sudo swapoff -a and remove it from /etc/fstab",
        )
    else:
        yield ok("no plain swap")
