"""`kiosk notify`: checks whether the notifiers work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk import config
from kiosk.cli.console import config_option, emit, json_option, say
from kiosk.cli.doctor_check import Finding, Patient, ok, problem, unknown
from kiosk.cli.numbers import Finite
from kiosk.config import Config
from kiosk.domain.errors import ConfigError, HomeError, OutboxError
from kiosk.domain.ids import new_id
from kiosk.domain.notices import TEST, Notice
from kiosk.notify.file import in_use
from kiosk.notify.outbox import Outbox, Standing, standing_of
from kiosk.system.owner import acting_for

LOOK_SECONDS = 0.2
NOT_RUNNING = "kiosk-notify does not run: sudo systemctl start kiosk-notify"


@click.group()
def notify() -> None:
    """The notifiers of kiosk-notify."""


@notify.command()
@config_option
@json_option
@click.pass_context
def status(ctx: click.Context, config_file: Path | None, as_json: bool) -> None:
    """Shows for each notifier what waits, how many notices were ever dropped, and what is wrong.

    Exit status 1 when something is wrong.
    """
    found = _standing(_settings(config_file))
    for name, standing in found.items():
        if as_json:
            emit({"notifier": name, **_row(standing)})
        else:
            say(f"{name:<16} {standing.waiting} waiting  {standing.dropped} dropped  {standing.trouble or 'ok'}")
    ctx.exit(1 if any(standing.trouble for standing in found.values()) else 0)


@notify.command()
@click.option("--timeout", type=Finite(1, 600), default=30, show_default=True, help="Seconds to wait.")
@config_option
@json_option
@click.pass_context
def test(ctx: click.Context, timeout: float, config_file: Path | None, as_json: bool) -> None:
    """Sends a test notice through the running kiosk-notify to every notifier, and waits for it to arrive.

    Exit status 1 when it has not arrived everywhere.
    """
    settings = _settings(config_file)
    notice = Notice(new_id(), TEST, settings.door.name, datetime.now(UTC), urgent=True)
    until = time.monotonic() + timeout
    with _outbox(settings) as outbox:
        before = outbox.standing()
        outbox.put(notice)
        while (missing := outbox.waits(notice.id)) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        after = outbox.standing()
    bad = False
    for name, standing in after.items():
        refused = standing.dropped > before[name].dropped
        why = "not taken: refused, or dropped for want of room" if refused else None
        if name in missing:
            why = standing.trouble or f"not delivered within {timeout:g} s; others wait before it"
        bad = bad or why is not None
        if as_json:
            emit({"notifier": name, "delivered": why is None, "error": why})
        else:
            say(f"{name:<16} {why or 'delivered'}")
    ctx.exit(1 if bad else 0)


def findings(patient: Patient) -> Iterator[Finding]:
    """For `kiosk doctor`: whether the notifiers get through."""
    settings = patient.settings
    if not settings.notifiers:
        return
    try:
        with acting_for(settings.notify.outbox):
            running = in_use(settings.notify.outbox)
    except (OutboxError, HomeError) as error:
        yield unknown(str(error))
        return
    if not running:
        yield problem(NOT_RUNNING, "sudo systemctl enable --now kiosk-notify")
        return
    try:
        standings = _standing(settings)
    except OutboxError as error:
        yield problem(str(error))
        return
    for name, standing in standings.items():
        said = f"{name}: {standing.trouble or 'ok'}; {standing.waiting} waiting, {standing.dropped} dropped"
        yield ok(said, "sudo kiosk notify test" if standing.trouble else "")


def _row(standing: Standing) -> dict[str, int | str | None]:
    return {"waiting": standing.waiting, "dropped": standing.dropped, "trouble": standing.trouble or None}


def _settings(config_file: Path | None) -> Config:
    """The configuration. Raises ConfigError if there is none, or no notifier in it."""
    found = config.find(config_file)
    if found is None:
        raise ConfigError("there is no configuration: name one with --config")
    settings = config.read(found)
    if not settings.notifiers:
        raise ConfigError(f"{found}: there is no [notifiers.NAME] in it")
    return settings


def _standing(settings: Config) -> dict[str, Standing]:
    """The state of the configured notifiers. Raises OutboxError when kiosk-notify does not run, or this user may not
    read its outbox."""
    path = settings.notify.outbox
    if not in_use(path):
        raise OutboxError(NOT_RUNNING)
    return {name: standing for name, standing in standing_of(path).items() if name in settings.notifiers}


@contextmanager
def _outbox(settings: Config) -> Iterator[Outbox]:
    """The outbox of the running kiosk-notify. Root opens it with that user's rights. Raises OutboxError when
    kiosk-notify does not run, or this user may not use its outbox."""
    path = settings.notify.outbox
    takes = {name: section.alarms_only for name, section in settings.notifiers.items()}
    with acting_for(path):
        if not in_use(path):
            raise OutboxError(NOT_RUNNING)
        with closing(Outbox(path, settings.door.name, settings.notify.capacity, takes)) as outbox:
            yield outbox
