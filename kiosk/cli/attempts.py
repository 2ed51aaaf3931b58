"""`kiosk attempts`: how many people were refused within the last hour, and whether that turned face alone off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import click

from kiosk.cli import door_log
from kiosk.cli.console import config_option, emit, json_option, name_home, pass_home, say, settings, told_or_not
from kiosk.cli.doctor_check import Finding, Patient, ok, problem
from kiosk.domain.audit import AuditKind, AuditReason
from kiosk.domain.errors import GalleryError
from kiosk.station.refusal_limit import message, read_limit
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.system.clock import boottime
from kiosk.system.owner import acting_for

NO_LIMIT = "no number of refusals turns face alone off ([policy] refusals_an_hour is not set)"


@dataclass(frozen=True, slots=True)
class Count:
    """The refusals within the last hour that count, and for how many more seconds face alone is off."""

    refusals: int
    seconds_off: float


@click.group()
def attempts() -> None:
    """Refusals within the last hour, which may turn face alone off."""


@attempts.command()
@config_option
@json_option
@pass_home
def status(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Shows how many people were refused within the last hour, and whether face alone is off.

    Exit status 1 while it is off.
    """
    limit = settings(config_file).policy.refusals_an_hour
    count = counted(home, limit)
    if as_json:
        emit({"limit": limit, "refusals": count.refusals, "face": face(count), "seconds_off": ceil(count.seconds_off)})
    elif limit is None:
        say(NO_LIMIT)
    else:
        say(f"limit     {limit} people refused within an hour", f"refusals  {count.refusals} that count now")
        say("face      on" if not count.seconds_off else f"face      {message(limit, count.seconds_off)}")
    click.get_current_context().exit(1 if count.seconds_off else 0)


@attempts.command()
@config_option
@json_option
@name_home
def reset(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Makes all refusals so far count no more, so that face alone is on again. A running kiosk follows within a second.

    For root and the kiosk's own user. The audit log records it, with the user's number. A face that was refused ten
    times within the hour, or has to wait, still waits.
    """
    limit = settings(config_file).policy.refusals_an_hour
    with acting_for(home.folder):
        count = _reset(home, limit)
    with told_or_not():
        if as_json:
            emit({"reset": True, "refusals": count.refusals, "was": face(count)})
        elif limit is None:
            say(f"recorded; but {NO_LIMIT}")
        else:
            was = "was off and is on again" if count.seconds_off else "was on"
            say(f"face alone {was}; {count.refusals} refusals no longer count")


def _reset(home: Home, limit: int | None) -> Count:
    """Records the reset and returns the count before it. Raises GalleryError if there is no audit log, or it cannot be
    written."""
    count = counted(home, limit)
    if not home.database.exists():
        raise GalleryError(f"{home.database}: there is nothing to reset: name the kiosk's home with --home")
    record = door_log.record(AuditKind.ATTEMPTS, AuditReason.RESET)
    told = replace(record, detail={**record.detail, "refusals": count.refusals, "face": face(count)})
    with closing(Audit(open_database(home.database, check=False))) as audit:
        audit.append([told])
    return count


def counted(home: Home, limit: int | None) -> Count:
    """Reads the count from the audit log. Raises GalleryError."""
    if limit is None or not home.database.exists():
        return Count(0, 0.0)
    now = boottime()
    with closing(Audit(open_database(home.database, read_only=True, check=False))) as audit:
        alone = read_limit(limit, audit, now=now)
    return Count(alone.count(now), alone.seconds_off(now))


def findings(patient: Patient) -> Iterator[Finding]:
    """For `kiosk doctor`."""
    limit = patient.settings.policy.refusals_an_hour
    count = counted(patient.home, limit)
    if limit is None:
        yield ok(NO_LIMIT)
    elif count.seconds_off:
        yield problem(message(limit, count.seconds_off))
    else:
        yield ok(f"{limit} people refused within an hour turn face alone off; {count.refusals} count now")


def face(count: Count) -> str:
    """Whether face alone is "on" or "off"."""
    return "off" if count.seconds_off else "on"
