"""The little that a unit says to systemd: sd_notify(3), and log lines for the journal. Standard library only."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from datetime import UTC, datetime


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
    if not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2e6


def log(level: str, event: str, **fields: object) -> None:
    """One JSON object on a line of stderr. A reader that does not read must not stop the door: the line is lost."""
    record = {"timestamp": datetime.now(UTC).isoformat(), "level": level, "event": event, **fields}
    try:
        stderr = sys.stderr.fileno()
        if select.select([], [stderr], [], 0)[1]:
            os.write(stderr, json.dumps(record).encode()[: select.PIPE_BUF - 1] + b"\n")
    except (OSError, ValueError, AttributeError):  # a stderr that is closed, or is None
        pass
