"""kiosk-door: the process that owns the lock. It secures the lock first, then does everything else.

It imports only the standard library, pydantic and the configured lock's plug-in. A test checks that.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from kiosk import config, plugins, sections
from kiosk.domain.door.machine import DoorMachine
from kiosk.domain.door.roles import Users
from kiosk.domain.door.rules import DoorRules, PassageRules
from kiosk.domain.door.state import DoorState
from kiosk.domain.errors import ConfigError, KioskError
from kiosk.domain.ports.lock import Lock
from kiosk.domain.ports.panel import Panel
from kiosk.door.feed import Feed
from kiosk.door.lockdown import LockdownFile
from kiosk.door.server import DoorServer
from kiosk.door.spool import Spool
from kiosk.door.witness import WitnessFile
from kiosk.ipc.server import listening
from kiosk.system.clock import boottime, slowed
from kiosk.system.command_line import CommandLine
from kiosk.system.memory import keep_private, stay_in_memory
from kiosk.system.systemd import complain, log, notify
from kiosk.system.users import numbers_of

if TYPE_CHECKING:
    from kiosk.domain.door.panel import PanelMachine

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STDIN = 0
PROGRAM = "kiosk-door"


class StopSignals:
    """Lets a selector wait for SIGTERM, SIGINT and SIGHUP."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, lambda _number, _frame: None)

    def fileno(self) -> int:
        """Becomes readable when a signal has arrived."""
        return self._reader.fileno()


def users_of(door: sections.DoorConfig) -> Users:
    """The users and their roles. The door's own user and root are operators. Raises ConfigError."""
    return Users(
        operators=numbers_of("door.operators", door.operators) | {os.getuid(), 0},
        clients=numbers_of("door.clients", door.clients),
        subscribers=numbers_of("door.subscribers", door.subscribers),
    )


def build_lock(section: sections.LockConfig, rules: DoorRules, lockdown: bool) -> tuple[Lock, DoorMachine]:
    """Makes the configured lock, at its secured level, and its state machine. Raises ConfigError, LockError."""
    lock = cast("Lock", plugins.make("locks", section))
    return lock, DoorMachine(lock, boottime(), rules, lockdown=lockdown)


def build_panel(section: sections.PanelConfig, rules: DoorRules, lockdown: bool) -> tuple[Panel, PanelMachine]:
    """Opens the line to the configured panel, and makes its state machine. Raises ConfigError, LockError."""
    from kiosk.domain.door.panel import PanelMachine  # noqa: PLC0415 - a lock does not need it

    panel = cast("Panel", plugins.make("panels", section))
    return panel, PanelMachine(panel, section.cards, boottime(), rules, lockdown=lockdown)


def rules_of(door: sections.DoorConfig) -> DoorRules:
    """The configured times for the state machine."""
    return DoorRules(
        release_seconds=door.release_seconds,
        extended_seconds=max(door.extended_seconds, door.release_seconds),
        max_release_seconds=door.max_release_seconds,
        lease_seconds=door.lease_seconds,
        max_hold_seconds=door.max_hold_seconds,
        relock=door.relock,
        passage=PassageRules(
            held_seconds=door.held_seconds,
            pre_alarm_seconds=door.pre_alarm_seconds,
            rex_seconds=door.rex_seconds,
            debounce_seconds=door.debounce_seconds,
            still_after=door.still_after,
        ),
    )


def refuse_nameless(settings: config.Config) -> None:
    """Refuses a real lock or a panel without a configured name, because its site may have other doors. Raises
    ConfigError."""
    if settings.drives_a_real_lock and not settings.door.named:
        raise ConfigError(config.NAMELESS)


def serve(settings: config.Config, *, until_stdin_ends: bool = False) -> None:
    """Runs the door until a stop signal. Raises KioskError when it cannot start."""
    if settings.drives_a_real_lock:
        config.refuse_overrides()
    signals = StopSignals()
    door, rules = settings.door, rules_of(settings.door)
    lockdown = LockdownFile(door.state)
    lock: Lock | Panel
    machine: DoorMachine | PanelMachine
    if settings.lock is not None:
        lock, machine = build_lock(settings.lock, rules, lockdown.on)
    elif settings.panel is not None:
        lock, machine = build_panel(settings.panel, rules, lockdown.on)
    else:
        raise ConfigError("[lock] or [panel] is missing: kiosk-door needs to be told what it drives")
    with ExitStack() as stack:
        stack.callback(lock.close)
        machine.start(boottime())
        refuse_nameless(settings)  # only now, because the lock must be secured whatever else is wrong
        users = users_of(door)
        commands = stack.enter_context(listening(door.socket, PROGRAM))
        # Not before this door's place is its own: a second kiosk-door would rewrite the first one's file of events.
        spool = Spool(door.state, door.name)
        stack.callback(spool.close)
        spool.forget_others(users.listening)
        witness = WitnessFile(door.state)
        stack.callback(witness.close)
        server = DoorServer(machine, lock, lockdown, commands, users, spool.append, witness)
        feed = Feed(spool, stack.enter_context(listening(door.events, PROGRAM)), server.selector, users, server.limits)
        server.stop_on(signals)
        if settings.drives_a_real_lock and not stay_in_memory():
            log("warning", "memory_not_locked", hint="LimitMEMLOCK=infinity of kiosk-door.service is missing")
        if until_stdin_ends:
            _stop_on_stdin(server)
        log("info", "started", socket=str(door.socket), lock=type(lock).__name__, simulated=lock.simulated)
        try:
            server.run()
        finally:
            machine.stop(boottime())
            notify(farewell(machine.state))
            server.close()
            feed.close()
    log("info", "stopped", state=machine.state)


def farewell(state: DoorState) -> str:
    """What systemd is told once the lock had to be secured. If it is, nothing is urgent any more: only TimeoutStopSec
    counts, and the last events have time to reach a slow card. If it is not, the watchdog still counts, and
    ExecStopPost tries again."""
    return "STOPPING=1" if state is DoorState.FAULT else "STOPPING=1\nWATCHDOG_USEC=0"


def _stop_on_stdin(server: DoorServer) -> None:
    try:
        server.stop_on(STDIN)
    except OSError as error:
        raise ConfigError("--until-stdin-ends needs a pipe or a terminal as standard input") from error


def _settings(arguments: argparse.Namespace) -> config.Config:
    if arguments.config is not None:
        return config.read(arguments.config)
    try:
        return config.Config(
            lock=sections.LockConfig(kind=arguments.lock),
            door=sections.DoorConfig(
                socket=arguments.socket,
                state=arguments.socket.with_suffix(".state"),
                release_seconds=arguments.release_seconds,
            ),
        )
    except ValidationError as error:
        raise ConfigError(config.explain(error)) from error


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    # It takes no abbreviations, because door.__main__ looks for --config before this parser exists.
    parser = CommandLine(PROGRAM, "Owns the lock and decides how long it may be released.")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--config", type=Path, metavar="FILE", help="the kiosk's configuration")
    place.add_argument("--socket", type=Path, metavar="PATH", help="the demonstration: no configuration, no real lock")
    parser.add_argument("--lock", choices=["simulated"], help="with --socket")
    parser.add_argument("--release-seconds", type=float, metavar="S", help="with --socket; 5 by default")
    parser.add_argument("--pace", type=float, metavar="P", help="with --socket: of its clock, above 0, at most 1")
    parser.add_argument("--until-stdin-ends", action="store_true", help="stop when whoever started this is gone")
    arguments = parser.parse_args(argv)
    of_the_demonstration = (arguments.lock, arguments.release_seconds, arguments.pace)
    if arguments.config is not None and any(given is not None for given in of_the_demonstration):
        parser.error("--lock, --release-seconds and --pace belong to --socket")
    if arguments.socket is not None and arguments.lock is None:
        parser.error("--socket needs --lock simulated")
    if arguments.release_seconds is None:
        arguments.release_seconds = 5.0
    if arguments.pace is None:
        arguments.pace = 1.0
    if not 0 < arguments.pace <= 1:
        parser.error("--pace must be above 0 and at most 1")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """The console script: 0 after a stop signal, 2 with one line on stderr when it cannot start."""
    keep_private()
    try:
        arguments = _arguments(argv)
        with slowed(arguments.pace):
            serve(_settings(arguments), until_stdin_ends=arguments.until_stdin_ends)
    except KioskError as error:
        complain(PROGRAM, error)
        return 2
    return 0
