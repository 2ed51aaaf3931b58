"""`kiosk retention`: erases who has left long ago, and cuts old records, as [retention] says."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from kiosk.cli.clock import judge
from kiosk.cli.console import called, config_option, emit, json_option, pass_home, say, settings, told_or_not
from kiosk.cli.subjects_erase import row
from kiosk.config import Config
from kiosk.domain.errors import ConfigError, GalleryError
from kiosk.station.timekeeping import MESSAGES
from kiosk.storage import retention as cutting
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import open_signer
from kiosk.storage.erasure import EXPIRED, ended_before, erase, keeping
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.verification import verify
from kiosk.system.time_sync import synchronised

LONGEST = timedelta(days=7)
"""A log that is silent for longer lets the clock be doubted: by a wrong one everybody could be erased."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--clock-is-right", is_flag=True, help="Although nothing was recorded for a week.")
@config_option
@json_option
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
    with closing(open_gallery(home, read_only=dry_run)) as gallery:
        _trust_clock(config, gallery, now, clock_is_right)
        _people(home, gallery, config, now, dry_run, as_json)
        _records(gallery, config, now, dry_run, as_json)


def _trust_clock(config: Config, gallery: Gallery, now: datetime, told: bool) -> None:
    """Raises GalleryError when the clock may be wrong."""
    floor = Audit(gallery.store).floor()
    trouble = judge(now, floor, config.clock.trust, config.clock.trust == "ntp" and synchronised())
    if trouble is not None:
        raise GalleryError(f"{MESSAGES[trouble]}: nothing was removed")
    if not told and floor.at is not None and now - floor.at > LONGEST:
        raise GalleryError(
            f"nothing was recorded for {(now - floor.at).days} days: is the clock right? Nothing was removed; if it is "
            "right, say --clock-is-right"
        )


def _people(home: Home, gallery: Gallery, config: Config, now: datetime, dry_run: bool, as_json: bool) -> None:
    days = config.retention.ended_days
    if days is None:
        return
    who = ended_before(gallery, now, days)
    names = {subject.id: called(subject.name, subject.id) for subject in gallery.subjects()}
    done = [] if dry_run else erase(home, gallery, who, EXPIRED, keeping(config))
    with told_or_not():
        if as_json:
            for certificate in done:
                emit(row(certificate))
            if dry_run:
                for one in who:
                    emit({"subject": one, "would_be_erased": True})
            return
        for one in who:
            say(f"{'would be erased' if dry_run else 'erased'}: {names[one]}, ended more than {days} days ago")
        if not who:
            say(f"nobody's validity ended more than {days} days ago")


def _records(gallery: Gallery, config: Config, now: datetime, dry_run: bool, as_json: bool) -> None:
    days = config.retention.log_days
    if days is None:
        return
    store, before = gallery.store, now - timedelta(days=days)
    planned = cutting.plan(store, before)
    if planned is not None and not dry_run:
        verdict = verify(store)
        if not verdict.good:
            raise GalleryError(f"{verdict.faults[0].message}: nothing was cut; see `kiosk audit verify`")
        cutting.cut(store, open_signer(store, gallery.vault), planned, before, now)
    number = 0 if planned is None else planned.records
    with told_or_not():
        if as_json:
            emit({"records": number, "cut": not dry_run})
        else:
            say(f"{number} records of the log {'would be' if dry_run else 'were'} cut, older than {days} days")
