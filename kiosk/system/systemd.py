"""Messages to systemd: sd_notify(3), and log lines for the journal. Uses only the standard library."""

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
        pass  # systemd restarts a service that it does not hear; the error cannot be reported elsewhere


def watchdog_interval() -> float | None:
    """Seconds between two "WATCHDOG=1": half of WatchdogSec, as sd_watchdog_enabled(3) advises. None without a
    watchdog."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2e6


def occupy_standard_files() -> None:
    """Opens /dev/null for each of standard input, output and error that is closed. Never raises.

    Otherwise the next opened file, for example the gallery, would become standard error, and a library's messages would
    be written into it.
    """
    try:
        while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(file, True)
        os.close(file)
    except OSError:
        pass


def log(level: str, event: str, **fields: object) -> None:
    """Writes one JSON object as a line to stderr. Never raises and never waits: if the reader does not read, the line
    is lost, because it must not stop the door. Texts that are too long for a line are cut."""
    record = {"timestamp": datetime.now(UTC).isoformat(), "level": level, "event": event, **fields}
    try:
        stderr = sys.stderr.fileno()
        if select.select([], [stderr], [], 0)[1]:
            os.write(stderr, _line(record))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):  # stderr is closed or None
        pass


def complain(program: str, error: BaseException) -> None:
    """Writes to stderr, in one line, why a program does not start. Never raises."""
    try:
        sys.stderr.write(f"{program}: {one_line(str(error))}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def _line(record: dict[str, object]) -> bytes:
    """The record as at most PIPE_BUF bytes of ASCII. A write of that size is complete or does not happen."""
    room = select.PIPE_BUF
    while True:
        line = json.dumps(record, default=str).encode("ascii") + b"\n"
        if len(line) <= select.PIPE_BUF:
            return line
        room //= 2
        record = {k: v if isinstance(v, int | float) else str(v)[:room] for k, v in record.items()}
