"""`kiosk clock`: whether the wall clock can be trusted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk.cli.console import config_option, emit, json_option, name_home, pass_home, say, settings
from kiosk.cli.doctor_check import Finding, Patient, ok, problem
from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.decision import Reason
from kiosk.domain.errors import HomeError, KioskError
from kiosk.station.timekeeping import MESSAGES, is_behind
from kiosk.storage.audit import Audit, Floor
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.system.owner import acting_for
from kiosk.system.time_sync import TIMESYNCD, has_rtc, synchronised

DROP_IN = "/etc/systemd/system/kiosk.service.d"
CHRONY = (
    f"sudo mkdir -p {DROP_IN} && sudo cp /usr/share/doc/face-kiosk/examples/kiosk.service.d/chrony.conf {DROP_IN}/ && "
    "sudo systemctl daemon-reload && sudo systemctl restart kiosk"
)
"""It gives the unit D-Bus back, over which it asks (kiosk.system.time_sync)."""
UNSET = 'sudo timedatectl set-ntp true, then timedatectl; for a clock that runs without power: [clock] trust = "rtc"'


@click.group()
def clock() -> None:
    """The wall clock, which decides when rights begin and end."""


@clock.command()
@config_option
@json_option
@pass_home
def status(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Shows the clock's time, the newest time that this gallery knows, and who sets the clock.

    Exit status 1 when the clock keeps everybody with a validity out.
    """
    now, floor, trust = datetime.now(UTC), _floor(home), settings(config_file).clock.trust
    told = synchronised()
    trouble = judge(now, floor, trust, told)
    if as_json:
        emit(
            {
                "clock": now.isoformat(),
                "floor": floor.at.isoformat() if floor.at else None,
                "trust": trust,
                "synchronised": told,
                "reason": trouble.value if trouble else None,
            }
        )
    else:
        say(f"clock         {_shown(now)}")
        say(f"floor         {_shown(floor.at) if floor.at else 'none: the log is empty'}")
        say(f"trust         {trust}")
        say(f"synchronised  {'yes' if told else 'no, or nobody says so'}")
        if trouble is not None:
            say(f"{trouble.value}: {MESSAGES[trouble]}")
    click.get_current_context().exit(0 if trouble is None else 1)


@clock.command()
@name_home
def accept(home: Home) -> None:
    """Confirms that the clock is right. Later times that the kiosk knows no longer count.

    For root only, after the clock was set; `kiosk clock status` shows both times. The audit log records it. A running
    kiosk takes it over too, because it may have seen a later time that no record holds.
    """
    if os.geteuid() != 0:
        raise HomeError("only root may say that the clock is right: sudo kiosk clock accept")
    with acting_for(home.folder):
        _accept(home)


def _accept(home: Home) -> None:
    floor = _floor(home)
    now = datetime.now(UTC)
    if floor.at is None:
        say("the log is empty: nothing was changed")
        return
    detail: dict[str, str | int | float | bool | None] = {"floor_was": floor.at.isoformat(), "floor": now.isoformat()}
    with closing(Audit(open_database(home.database))) as audit:
        audit.append([AuditRecord(AuditKind.CLOCK, now, outcome=AuditOutcome.ACCEPTED, detail=detail)])
    say(f"the floor was {_shown(floor.at)}, from now on it is {_shown(now)}")
    if not is_behind(now, floor):
        say("the clock was not behind the newest record; a kiosk that runs and took it for behind believes it again")


def judge(now: datetime, floor: Floor, trust: str, told: bool) -> Reason | None:
    """Why the clock keeps everybody with a validity out; None if it does not."""
    if is_behind(now, floor):
        return Reason.CLOCK_BEHIND
    return Reason.CLOCK_UNSYNCHRONISED if trust == "ntp" and not told else None


def findings(patient: Patient) -> Iterator[Finding]:
    """For `kiosk doctor`: whether the clock is believed."""
    marker = patient.root / TIMESYNCD.relative_to("/")
    told = patient.settings.clock.trust == "ntp" and synchronised(marker)
    if told and not marker.exists() and "/run/dbus" in patient.unit("kiosk.service").get("InaccessiblePaths", ""):
        yield problem(
            "chrony or ntpd has set it, of which kiosk.service is not told: to the kiosk it is not set", CHRONY
        )
        return
    try:
        with acting_for(patient.home.folder):  # not around the question before: that starts a process
            floor = _floor(patient.home)
    except KioskError as error:
        yield problem(f"cannot be judged: {error}")
        return
    now, trust = datetime.now(UTC), patient.settings.clock.trust
    trouble = judge(now, floor, trust, told)
    if trouble is not None:
        yield problem(f"{_shown(now)}: {MESSAGES[trouble]}", UNSET if trouble is Reason.CLOCK_UNSYNCHRONISED else "")
        return
    yield ok(f"{_shown(now)}, not behind the log; [clock] trust is {trust}")
    if trust == "rtc" and not has_rtc():
        yield ok(
            "this board has no clock that runs without power: after a power cut its time is too early, and a right "
            "that has ended may be alive again",
            'set [clock] trust = "ntp" in the configuration, or add such a clock',
        )


def _floor(home: Home) -> Floor:
    """The newest time that the gallery knows. Raises GalleryError."""
    if not home.database.exists():
        return Floor(None)
    with closing(Audit(open_database(home.database, read_only=True, check=False))) as audit:
        return audit.floor()


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
