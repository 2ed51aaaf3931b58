"""What a check of `kiosk doctor` is, and what it is told of this machine.

All checks stand in one list, `kiosk.cli.doctor.CHECKS`. A check of your own is a function from `Patient` to findings,
in the module that knows the matter, and one line in that list.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kiosk.config import Config
from kiosk.domain.errors import ConfigError, KioskError, os_trouble
from kiosk.storage.home import Home
from kiosk.system.owner import acting_for

ROOT = Path("/")
PATIENCE = 5.0
"""Seconds for an answer of systemd."""
REINSTALL = "sudo apt-get install --reinstall ./face-kiosk_*.deb"
"""In the folder with the package's file: it comes from no archive that apt could ask."""


class State(StrEnum):
    """What became of a check. A problem: the kiosk will not run, or not safely. Unknown: it cannot be told here."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has found."""

    state: State
    what: str
    """What is so, or what is wrong."""
    mend: str = ""
    """What to do: a command wherever one does it. With the state "ok" it is advice."""


def ok(what: str, mend: str = "") -> Finding:
    """All is well; with `mend`, it could be better."""
    return Finding(State.OK, what, mend)


def problem(what: str, mend: str = "") -> Finding:
    """The kiosk will not run, or not safely. Without `mend` the check's own holds."""
    return Finding(State.PROBLEM, what, mend)


def unknown(what: str, mend: str = "") -> Finding:
    """It cannot be told here. Without `mend` the check's own holds."""
    return Finding(State.UNKNOWN, what, mend)


def unit_properties(unit: str) -> dict[str, str]:
    """A unit's properties as systemd tells them (`systemctl show`); empty if systemd does not know the unit, or is
    missing."""
    try:
        said = subprocess.run(  # noqa: S603 - the units are named in this program
            ["systemctl", "show", unit],  # noqa: S607 - found by the system's PATH
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = dict(line.split("=", 1) for line in said.decode("utf-8", "replace").splitlines() if "=" in line)
    return pairs if pairs.get("LoadState") == "loaded" else {}


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: a configuration, a home, a machine."""

    config: Config | None
    """None: it cannot be read, which the check "config" reports."""
    file: Path | None = None
    """Where the configuration was read from; None: there is none, so these are the defaults."""
    place: Home | None = None
    """The home of the gallery; None if it is not clear which home the kiosk has."""
    root: Path = ROOT
    """In front of the machine's own paths (/proc, /sys, /usr). Tests write these files."""
    unit: Callable[[str], Mapping[str, str]] = field(default=unit_properties)
    """A unit's properties, from systemd."""

    @property
    def settings(self) -> Config:
        """The configuration. Raises ConfigError when there is none that can be read."""
        if self.config is None:
            raise ConfigError("the configuration cannot be read")
        return self.config

    @property
    def home(self) -> Home:
        """The home. Raises ConfigError if it is not known."""
        if self.place is None:
            raise ConfigError("it is not known where the gallery is")
        return self.place


Look = Callable[[Patient], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. `look` may find several things, or nothing where there is nothing to say."""

    name: str
    why: str
    """Why it matters: one sentence."""
    mend: str
    """What to do where a finding does not say it."""
    look: Look
    after: tuple[str, ...] = ()
    """Checks without whose success this one cannot be made. They stand before it in the list."""
    as_owner: bool = False
    """Looks with the rights of the home's owner if root asks. Such a look must start no process: its real user would
    still be root, and Qt, for example, refuses to run like that."""
    configured: bool = False
    """Only where there is a configuration file: without one this is the demonstration."""


@dataclass(frozen=True, slots=True)
class Result:
    """A finding, with what its check says of it."""

    check: Check
    finding: Finding

    @property
    def row(self) -> dict[str, str]:
        """As a program reads it."""
        found, check = self.finding, self.check
        fine = found.state is State.OK
        return {
            "name": check.name,
            "state": found.state.value,
            "what": found.what,
            "why": "" if fine and not found.mend else check.why,
            "mend": found.mend or ("" if fine else check.mend),
        }


def examine(checks: Iterable[Check], patient: Patient) -> Iterator[Result]:
    """Makes all checks, one after another, also when one fails. What cannot be looked at because of an earlier problem
    is unknown."""
    failed: set[str] = set()
    for check in checks:
        if check.configured and patient.file is None:
            continue
        missing = [name for name in check.after if name in failed]
        if missing:
            failed.add(check.name)
            yield Result(check, unknown(f"not looked at, because of {missing[0]}", f"mend {missing[0]} first"))
            continue
        for finding in _looked(check, patient):
            if finding.state is State.PROBLEM:
                failed.add(check.name)
            yield Result(check, finding)


def _looked(check: Check, patient: Patient) -> list[Finding]:
    """What a check finds; an error in it becomes a problem too."""
    found: list[Finding] = []
    try:
        if check.as_owner:
            with acting_for(patient.home.folder):
                found.extend(check.look(patient))
        else:
            found.extend(check.look(patient))
    except KioskError as error:
        found.append(problem(str(error)))
    except OSError as error:
        found.append(problem(os_trouble(error)))
    return found
