"""The little that a unit says to systemd: sd_notify(3), and log lines for the journal. Standard library only."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from datetime import UTC, datetime

from kiosk.domain.plain_text import one_line


def notify(state: str) -> None:
    """Tells systemd `state` ("READY=1", "WATCHDOG=1", "STOPPING=1"); does nothing outside a unit. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
            s.setblocking(False)
            s.sendto(state.encode(), address)
    except OSError:
        pass  # systemd restarts a service that it does not hear; there is nobody else to tell


def watchdog_interval() -> float | None:
    """Seconds between two "WATCHDOG=1": half of WatchdogSec, as sd_watchdog_enabled(3) advises. None without one."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2e6


def occupy_standard_files() -> None:
    """Opens /dev/null for each of standard input, output and error that is closed. Never raises.

    Else the next file that is opened, the gallery or the lock, would be standard error, and whatever a library prints
    would be written into it.
    """
    try:
        while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(file, True)
        os.close(file)
    except OSError:
        pass


def log(level: str, event: str, **fields: object) -> None:
    """One JSON object on a line of stderr. Never raises and never waits: a reader that does not read must not stop the
    door, and the line is lost. A text that is too long for a line is cut."""
    record = {"timestamp": datetime.now(UTC).isoformat(), "level": level, "event": event, **fields}
    try:
        stderr = sys.stderr.fileno()
        if select.select([], [stderr], [], 0)[1]:
            os.write(stderr, _line(record))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):  # a stderr that is closed, or is None
        pass


def complain(program: str, error: BaseException) -> None:
    """Why a program of the door does not start: one line on stderr. Never raises."""
    try:
        sys.stderr.write(f"{program}: {one_line(str(error))}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def _line(record: dict[str, object]) -> bytes:
    """At most PIPE_BUF bytes of ASCII: such a write is whole, or is not made."""
    room = select.PIPE_BUF
    while True:
        line = json.dumps(record, default=str).encode("ascii") + b"\n"
        if len(line) <= select.PIPE_BUF:
            return line
        room //= 2
        record = {k: v if isinstance(v, int | float) else str(v)[:room] for k, v in record.items()}
