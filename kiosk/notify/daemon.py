"""kiosk-notify: reports events of the door and the kiosk to others. It cannot grant, delay or undo anything.

It subscribes to kiosk-door and to the kiosk separately, so it reports a forced door while the kiosk is down. It writes
each event to the outbox and only then acknowledges it. One thread for each notifier delivers from the outbox. It has no
access to the gallery and its key, and uses no neural networks.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event as Flag
from typing import cast

from stamina import instrumentation

from kiosk import config, plugins, sections
from kiosk.domain.door.events import DoorEvent
from kiosk.domain.errors import ConfigError, KioskError, OutboxError
from kiosk.domain.ids import new_id
from kiosk.domain.notices import UNEXPLAINED, KioskEvent, Notice, Notifier
from kiosk.ipc.door_event_messages import DoorEventStream
from kiosk.ipc.kiosk_event_messages import KioskEventStream
from kiosk.notifiers.conditions import ALARMS, Change, Condition
from kiosk.notify.file import claimed
from kiosk.notify.outbox import Outbox, Place
from kiosk.notify.pairs import Pairs
from kiosk.notify.receivers import Receiver, from_door, from_kiosk
from kiosk.notify.workers import Worker
from kiosk.system import systemd
from kiosk.system.command_line import CommandLine
from kiosk.system.health import Health
from kiosk.system.memory import keep_private
from kiosk.system.systemd import log
from kiosk.system.users import numbers_of

SUBSCRIBER = "notify"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FAREWELL_SECONDS = 2.0
TURN_SECONDS = 1.0
"""Interval at which the main thread checks that the outbox still exists, and feeds the watchdog."""


class Service:
    """Connects the two event sockets to the notifiers."""

    def __init__(self, settings: config.Config, health: Health) -> None:
        """Opens the outbox and makes the notifiers. Raises OutboxError."""
        self._stop = Flag()
        self._door = settings.door.name
        self._names = settings.notify.names
        self._pairs = Pairs(_clients(settings.door))
        takes = {name: section.alarms_only for name, section in settings.notifiers.items()}
        self._outbox = Outbox(settings.notify.outbox, settings.door.name, settings.notify.capacity, takes)
        self._outbox.forget_removed_notifiers()
        self._workers = [
            Worker(name, notifier, self._outbox, settings.notify.retry_seconds)
            for name, section in settings.notifiers.items()
            if (notifier := self._usable(name, section)) is not None
        ]
        door, kiosk = DoorEventStream(settings.door.events, SUBSCRIBER), KioskEventStream(settings.notify.socket)
        self._receivers = [
            Receiver("door", self._door, door, self._from_door, self._put, health, self._stop),
            Receiver(
                "kiosk", self._door, kiosk, self._from_kiosk, self._put, health, self._stop, self._unexplained_releases
            ),
        ]

    def start(self) -> None:
        """Starts all threads; call it once."""
        for worker in self._workers:
            worker.start()
        for receiver in self._receivers:
            receiver.start()

    def stop(self) -> None:
        """Gives deliveries in progress FAREWELL_SECONDS to end. Waiting notices stay in the outbox."""
        self._stop.set()
        for worker in self._workers:
            worker.stop()
        until = time.monotonic() + FAREWELL_SECONDS
        for join in [*(r.join for r in self._receivers), *(w.join for w in self._workers)]:
            join(max(0.0, until - time.monotonic()))
        self._outbox.close()

    def confirm(self) -> None:
        """Raises OutboxLostError when the outbox's file is gone."""
        self._outbox.confirm()

    def _from_door(self, event: DoorEvent) -> tuple[Notice, Place]:
        self._pairs.door(event)
        return from_door(event)

    def _from_kiosk(self, event: KioskEvent) -> tuple[Notice, Place]:
        self._pairs.kiosk(event)
        return from_kiosk(event, self._names)

    def _unexplained_releases(self, there: bool, idle: bool) -> list[Notice]:
        """A notice for each release that nobody granted."""
        self._pairs.look(there, idle)
        kind, now = f"notify.{UNEXPLAINED}", datetime.now(UTC)
        found = [
            Notice(new_id(), kind, self._door, now, urgent=True, grant_id=event.grant_id)
            for event in self._pairs.unexplained()
        ]
        for notice in found:
            log("error", UNEXPLAINED, grant=notice.grant_id)
        return found

    def _put(self, notice: Notice, place: Place | None) -> None:
        self._outbox.put(notice, place)
        for worker in self._workers:
            worker.wake()

    def _present(self, alarms_only: bool) -> Change:
        """The present conditions that a notifier may know. Empty if the outbox cannot be read; the worker reports that
        error."""
        with suppress(OutboxError):
            now = self._outbox.present()
            return {c: on for c, on in now.items() if not alarms_only or c in ALARMS | {Condition.LOCKDOWN}}
        return {}

    def _usable(self, name: str, section: sections.NotifierConfig) -> Notifier | None:
        """Makes a notifier. If it is configured wrongly or fails its self-check, reports that and returns None: the
        others work on, and its notices wait in the outbox for the next start."""
        try:
            notifier = cast("Notifier", plugins.make("notifiers", _at_door(section, self._door)))
            knows = getattr(notifier, "knows", None)
            if knows is not None:
                knows(partial(self._present, section.alarms_only))
            notifier.check()
        except KioskError as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            trouble = f"{type(error).__name__}: {error}"
        else:
            return notifier
        log("error", "notifier_left_out", notifier=name, error=trouble)
        self._outbox.trouble(name, f"left out: {trouble}")
        return None


def _at_door(section: sections.NotifierConfig, door: str) -> sections.NotifierConfig:
    """Sets the notifier's option `door` to this door's name, if it has that option and its section does not set it.
    Raises ConfigError."""
    options = plugins.options_of("notifiers", section.kind)
    if "door" not in options.model_fields or "door" in section.options():
        return section
    return type(section).model_validate({**section.model_dump(), "door": door})


def _clients(door: sections.DoorConfig) -> frozenset[int]:
    """The users whose releases the kiosk must have granted. Operators are not among them: they release by hand."""
    try:
        return numbers_of("door.clients", door.clients) - numbers_of("door.operators", door.operators) - {0}
    except ConfigError as error:
        log("warning", "releases_not_compared", error=str(error))
        return frozenset()


def serve(settings: config.Config) -> None:
    """Runs until a stop signal. Raises KioskError when it cannot start, or cannot go on (OutboxLostError)."""
    # Every thread blocks these signals; the main thread waits for them below.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    # The workers themselves report a failure, once and not with each try.
    instrumentation.set_on_retry_hooks([])
    health = Health(time.monotonic)
    service: Service | None = None
    with ExitStack() as stack:
        if settings.notifiers:
            stack.enter_context(claimed(settings.notify.outbox))
            service = Service(settings, health)
            service.start()
            stack.callback(service.stop)
        else:
            # Not an error: the unit may be installed before any notifier is configured.
            log("warning", "no_notifiers", hint="there is no [notifiers.NAME] in the configuration")
        log("info", "started", notifiers=sorted(settings.notifiers))
        systemd.notify("READY=1")
        interval = min(TURN_SECONDS, systemd.watchdog_interval() or TURN_SECONDS)
        while not _told_to_stop(interval):
            if service is not None:
                service.confirm()
            if not health.silent():
                systemd.notify("WATCHDOG=1")
        systemd.notify("STOPPING=1")
    log("info", "stopped")


def _told_to_stop(seconds: float) -> bool:
    """Waits for a stop signal, so many seconds at most.

    A process that was suspended past that time, by SIGSTOP or with the machine, gets rubbish of Python's sigtimedwait
    in place of None (seen with CPython 3.11). So only the number of a signal that was waited for counts.
    """
    found = signal.sigtimedwait(STOP_SIGNALS, seconds)
    return found is not None and found.si_signo in STOP_SIGNALS


def main(argv: Sequence[str] | None = None) -> int:
    """The console script: 0 after a stop signal, 2 with one line on stderr when it cannot start."""
    keep_private()
    parser = CommandLine("kiosk-notify", "Tells others of the door and the kiosk.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the kiosk's configuration")
    try:
        serve(config.read(parser.parse_args(argv).config))
    except KioskError as error:
        systemd.complain("kiosk-notify", error)
        return 2
    return 0
