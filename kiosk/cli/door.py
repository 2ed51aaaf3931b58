"""`kiosk door`: operates the door by hand, through kiosk-door's socket, which checks the user."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from kiosk import config
from kiosk.cli.console import Row, complain, config_option, emit, json_option, name_home, say, told_or_not
from kiosk.cli.door_gallery import forget_gallery
from kiosk.cli.door_log import log_of, looked, record
from kiosk.cli.door_pair import pair
from kiosk.cli.numbers import Finite
from kiosk.domain.audit import AuditKind, Command, FreeText
from kiosk.domain.door.events import DoorEvent
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.door.state import DoorMode, DoorState, DoorStatus, Hand
from kiosk.domain.errors import ConfigError, DoorError, GalleryError
from kiosk.domain.ids import new_id
from kiosk.ipc.door_event_messages import DoorEventStream
from kiosk.sections import DoorConfig
from kiosk.station.door_client import DoorClient
from kiosk.storage.home import Home
from kiosk.system.clock import boottime

PATIENCE = 2.0
"""Longest wait for the door's answer, in seconds."""
LOOK_SECONDS = 0.2
HANDS = ", ".join(Hand)


@click.group(commands=[pair, forget_gallery])
def door() -> None:
    """Operates the door by hand: its state, releases, lockdown.

    The audit log of --home records each command. A release happens only after it is recorded. A user who only looks
    (status, monitor) is recorded once an hour.
    """


def _settings(config_file: Path | None) -> DoorConfig:
    found = config.find(config_file)
    if found is None:
        raise ConfigError("which door? name its configuration with --config")
    return config.read(found).door


def _order(home: Home, settings: DoorConfig, command: Command, act: Callable[[DoorClient], DoorStatus]) -> DoorStatus:
    """Runs a command first and records it then: what makes the door safer must not wait for a disk. Raises DoorError,
    GalleryError."""
    with DoorClient(settings.socket) as client:
        status = act(client)
    try:
        with log_of(home) as log:
            log.append([record(AuditKind.COMMAND, command, outcome=status.state)])
    except GalleryError as error:
        raise GalleryError(
            f"done (lock {status.state.value}, mode {status.mode.value}), but not recorded: {error}"
        ) from error
    return status


def _release(home: Home, client: DoorClient, command: Command, span: Span, renews: str | None = None) -> DoorReply:
    """Records a release first and requests it then. Raises DoorError when the door refuses, GalleryError when it cannot
    be recorded."""
    grant_id = new_id()
    with log_of(home) as log:
        log.append([record(AuditKind.COMMAND, command, grant_id)])
        now = boottime()
        reply = client.release(Grant(grant_id, now, now + MAX_GRANT_SECONDS, span, renews))
        log.append([record(AuditKind.OUTCOME, FreeText(reply.reason or command), grant_id, reply.result)])
    if reply.result is not DoorResult.RELEASED:
        raise DoorError(f"the door was not released: {reply.reason}")
    return reply


def _stay(client: DoorClient, until: Callable[[DoorStatus], bool]) -> None:
    """Waits until the door is secured or `until` is true. An interruption secures the door at once, because the
    connection closes."""
    try:
        while (status := client.status(PATIENCE)).state is DoorState.RELEASED and not until(status):
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        client.close()


@door.command()
@config_option
@json_option
@name_home
def status(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Shows the door's present state."""
    with DoorClient(_settings(config_file).socket) as client:
        _print(client.status(PATIENCE), as_json)
    looked(home, Command.STATUS)


@door.command()
@click.option("--extended", is_flag=True, help="For whoever needs more time.")
@config_option
@json_option
@name_home
def release(home: Home, extended: bool, config_file: Path | None, as_json: bool) -> None:
    """Releases the lock once, and waits until it is secured again. An interruption secures it at once."""
    span = Span.EXTENDED if extended else Span.NORMAL
    with DoorClient(_settings(config_file).socket) as client:
        _release(home, client, Command.EXTEND if extended else Command.RELEASE, span)
        _show(client.status(PATIENCE), as_json)
        _stay(client, lambda _: False)
        _show(client.status(PATIENCE), as_json)


@door.command("hold-open")
@click.option("--seconds", type=Finite(min=1), help="For so long; without it until interrupted.")
@config_option
@json_option
@name_home
def hold_open(home: Home, seconds: float | None, config_file: Path | None, as_json: bool) -> None:
    """Holds the door open while this command runs, at most max_hold_seconds of the configuration.

    The command renews a lease. Without the command the lease ends and the door is secured.
    """
    settings = _settings(config_file)
    end = boottime() + min(seconds or settings.max_hold_seconds, settings.max_hold_seconds)
    with DoorClient(settings.socket) as client:
        lease = _release(home, client, Command.HOLD_OPEN, Span.HOLD_OPEN).grant_id
        _show(client.status(PATIENCE), as_json)
        while True:
            due = min(end, boottime() + settings.lease_seconds / 2)
            _stay(client, lambda _: boottime() >= due)  # noqa: B023 - waited for in here
            if client.status(PATIENCE).mode is not DoorMode.HOLD_OPEN or boottime() >= end:
                break
            now = boottime()
            renewed = client.release(Grant(new_id(), now, now + MAX_GRANT_SECONDS, Span.HOLD_OPEN, renews=lease))
            if renewed.result is not DoorResult.RELEASED:
                raise DoorError(f"the door is no longer held open: {renewed.reason}")
        _show(client.secure(PATIENCE), as_json)


@door.command()
@config_option
@json_option
@name_home
def secure(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Secures the lock now. This ends a release or a lease."""
    _show(_order(home, _settings(config_file), Command.SECURE, lambda client: client.secure(PATIENCE)), as_json)


@door.command()
@click.option("--end", is_flag=True, help="Ends it.")
@config_option
@json_option
@name_home
def lockdown(home: Home, end: bool, config_file: Path | None, as_json: bool) -> None:
    """Begins a lockdown, or ends it: no grant releases the lock, also after a restart. The way out stays open."""
    settings = _settings(config_file)
    command = Command.LOCKDOWN_END if end else Command.LOCKDOWN
    if end:
        with log_of(home) as log:
            log.append([record(AuditKind.COMMAND, command)])
        with DoorClient(settings.socket) as client:
            after = client.lockdown(False, PATIENCE)
    else:
        after = _order(home, settings, command, lambda client: client.lockdown(True, PATIENCE))
    _show(after, as_json)
    if (after.mode is DoorMode.LOCKDOWN) is end:
        raise DoorError("the lockdown stands: its file could not be removed; see the journal of kiosk-door")


@door.command()
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@config_option
@json_option
@name_home
def monitor(home: Home, count: int | None, config_file: Path | None, as_json: bool) -> None:
    """Shows what happens at the door from now on, until interrupted. Other subscribers still get every event."""
    stream = DoorEventStream(_settings(config_file).events, None)
    looked(home, Command.MONITOR)
    seen = 0
    with closing(stream):
        while count is None or seen < count:
            event = stream.next(1.0)
            if event is not None:
                seen += 1
                stream.acknowledge(event)
                _tell(event, as_json)


@door.command()
@click.argument("hands", nargs=-1, type=click.Choice([hand.value for hand in Hand]))
@click.option("--window", is_flag=True, help="A window with a button for each.")
@config_option
@json_option
@name_home
def simulate(home: Home, hands: tuple[str, ...], window: bool, config_file: Path | None, as_json: bool) -> None:
    """Moves the contact, exit button and tamper switch of a simulated door.

    Without HANDS it reads them from standard input, one a line.
    """
    settings = _settings(config_file)

    def move(hand: Hand) -> DoorStatus:
        command = Command(f"simulate_{hand}")
        return _order(home, settings, command, partial(DoorClient.simulate, hand=hand, timeout=PATIENCE))

    if window:
        _window(settings, move)
        return
    if not hands:
        complain(f"one a line: {HANDS}")
    words: Iterable[str] = hands or (line.strip() for line in sys.stdin or ())
    for word in words:
        if word in set(Hand):
            _show(move(Hand(word)), as_json)
        else:
            complain(f"{word!r} is none of {HANDS}")


def _window(settings: DoorConfig, move: Callable[[Hand], DoorStatus]) -> None:
    """Shows the window until it is closed. Raises KioskError when Qt cannot be loaded."""
    from kiosk.gui.app import create_application, display_available  # noqa: PLC0415 - loads Qt

    if not display_available():
        raise ConfigError("no display answers: name the hands on the command line, or one a line on standard input")
    application = create_application(sys.argv[:1], offscreen=False)
    from kiosk.gui.door_simulator import DoorSimulator  # noqa: PLC0415

    with DoorClient(settings.socket) as client:
        window = DoorSimulator(move, partial(client.status, PATIENCE), _words)
        window.show()
        application.exec()


def _show(status: DoorStatus, as_json: bool) -> None:
    """Prints a status after an action. If it cannot be printed, the action still goes on."""
    with told_or_not():
        _print(status, as_json)


def _print(status: DoorStatus, as_json: bool) -> None:
    if as_json:
        emit(_row(status))
    else:
        say(_words(status))


def _words(status: DoorStatus) -> str:
    left = f" for {status.released_until - boottime():.1f} s" if status.released_until is not None else ""
    words = [
        f"lock {status.state.value}{left}",
        f"leaf {status.leaf.value}",
        "" if status.mode is DoorMode.NORMAL else status.mode.value.replace("_", " "),
        "" if status.alarm.value == "none" else f"ALARM {status.alarm.value.replace('_', ' ')}",
        "TAMPER" if status.tamper else "",
        f"faults: {', '.join(status.faults)}" if status.faults else "",
        "simulated" if status.simulated else "",
    ]
    return ", ".join(word for word in words if word)


def _row(status: DoorStatus) -> Row:
    return {
        "state": status.state.value,
        "mode": status.mode.value,
        "leaf": status.leaf.value,
        "alarm": status.alarm.value,
        "tamper": status.tamper,
        "faults": ",".join(status.faults),
        "simulated": status.simulated,
        "released_until": status.released_until,
    }


def _tell(event: DoorEvent, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "sequence": event.sequence,
                "id": event.id,
                "at": event.wall_at.isoformat(),
                "door": event.door,
                "kind": event.kind.value,
                "grant_id": event.grant_id,
                "reason": event.reason or None,
                "uid": event.uid,
            }
        )
        return
    by = "" if event.uid is None else f"by user {event.uid}"
    words = (event.kind.value.replace("_", " "), event.reason, event.grant_id or "", by)
    say(f"{event.wall_at.astimezone():%Y-%m-%d %H:%M:%S}  {event.door}  {'  '.join(w for w in words if w)}")
