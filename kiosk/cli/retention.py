"""`kiosk retention`: erases who has left long ago, and cuts old records, as [retention] says."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import zip_longest
from pathlib import Path

import click

from kiosk.cli.clock import judge
from kiosk.cli.console import called, config_option, emit, json_option, pass_home, say, settings, told_or_not
from kiosk.cli.registers import ask_the_kiosk, own_gallery, register_of, running_kiosk
from kiosk.cli.subjects_erase import row
from kiosk.config import Config
from kiosk.domain.errors import ConfigError, GalleryError
from kiosk.station.register import Register
from kiosk.station.timekeeping import MESSAGES
from kiosk.station.upkeep import Upkeep
from kiosk.storage.audit import Audit, Floor
from kiosk.storage.database import open_database
from kiosk.storage.erasure import EXPIRED, ended_before, erase, keeping
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.visits import Visits
from kiosk.system.time_sync import synchronised

LONGEST = timedelta(days=7)
"""A log that is silent for longer lets the clock be doubted: by a wrong one everybody could be erased."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--clock-is-right", is_flag=True, help="Although nothing was recorded for a week.")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def retention(home: Home, dry_run: bool, clock_is_right: bool, config_file: Path | None, as_json: bool) -> None:
    """Erases whose validity ended long ago, and cuts old records of the log, as [retention] says. For a timer."""
    config = settings(config_file)
    wanted = config.retention
    if wanted.ended_days is None and wanted.log_days is None:
        raise ConfigError("[retention] says of nothing how long it is kept: see deploy/kiosk.toml")
    if not home.database.exists():
        raise GalleryError(f"{home.database}: there is no gallery yet: enrol somebody first")
    now = datetime.now(UTC)
    with closing(open_database(home.database, read_only=True)) as store:
        _trust_clock(config, Audit(store).floor(), now, clock_is_right)
    if running_kiosk() is None and not dry_run:  # else the kiosk itself looks
        with own_gallery(home) as gallery:
            Visits(gallery).end_if_over()
    with register_of(home, read_only=dry_run, erasure=partial(erase, home, keeping=keeping(config))) as register:
        _people(register, config, now, dry_run, as_json)
    _records(home, config, dry_run, as_json)


def _trust_clock(config: Config, floor: Floor, now: datetime, told: bool) -> None:
    """Raises GalleryError when the clock may be wrong."""
    trouble = judge(now, floor, config.clock.trust, config.clock.trust == "ntp" and synchronised())
    if trouble is not None:
        raise GalleryError(f"{MESSAGES[trouble]}: nothing was removed")
    if not told and floor.at is not None and now - floor.at > LONGEST:
        raise GalleryError(
            f"nothing was recorded for {(now - floor.at).days} days: is the clock right? Nothing was removed; if it is "
            "right, say --clock-is-right"
        )


def _people(register: Register, config: Config, now: datetime, dry_run: bool, as_json: bool) -> None:
    days = config.retention.ended_days
    if days is None:
        return
    who = ended_before((listed.subject for listed in register.everybody()), now, days)
    erased = [] if dry_run or not who else register.erase_all([one.id for one in who], EXPIRED)
    for one, done in zip_longest(who, erased):
        with told_or_not():
            if as_json:
                emit(row(done) if done is not None else {"subject": one.id, "would_be_erased": True})
            else:
                what = "would be erased" if dry_run else "erased"
                say(f"{what}: {called(one.name, one.id)}, ended more than {days} days ago")
    if not who and not as_json:
        with told_or_not():
            say(f"nobody's validity ended more than {days} days ago")


def _records(home: Home, config: Config, dry_run: bool, as_json: bool) -> None:
    days, running = config.retention.log_days, running_kiosk()
    if days is None:
        return
    if running is not None:
        number = running.cut(dry_run)
    else:
        with closing(open_gallery(home, read_only=dry_run)) as gallery:
            number = Upkeep(home, gallery, keeping(config)).cut(dry_run)
    with told_or_not():
        if as_json:
            emit({"records": number, "cut": not dry_run})
        else:
            say(f"{number} records of the log {'would be' if dry_run else 'were'} cut, older than {days} days")
