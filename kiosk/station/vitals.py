"""How the running kiosk is, for a monitoring program: states and counts as Prometheus text, and nothing of a person.

Whoever connects to the socket of [health] and may ask gets one answer of HTTP, whatever they send, and is hung up on.
So `kiosk health` reads it, and a proxy that systemd has makes an address of this machine of it (deploy/units.md).
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock
from typing import Final

from kiosk.domain.decision import Reason
from kiosk.domain.door.state import DoorState
from kiosk.domain.errors import DoorError
from kiosk.domain.updates import Decided, DoorChanged, Faulted, Recovered, Update
from kiosk.ipc.server import listening, peer_uid
from kiosk.sections import HealthConfig
from kiosk.station.turns import turning
from kiosk.system.systemd import log
from kiosk.system.users import numbers_of

TURN_SECONDS = 0.5
ASKING_SECONDS = 0.5
"""Longest wait for a question, and for a reader to take the answer."""
LARGEST_QUESTION: Final = 4096
SILENT, FAULT = "kiosk_silent_threads", "kiosk_fault"
"""What `kiosk health` looks at."""


class Vitals:
    """What was published until now, counted. Any thread may call its methods."""

    def __init__(self, silent: Callable[[], Sequence[str]], started: float) -> None:
        """`silent`: names of threads that hang. `started`: seconds since 1970."""
        self._silent = silent
        self._started = started
        self._lock = Lock()
        self._decisions: Counter[tuple[str, str]] = Counter()
        self._faults: set[Reason] = set()
        self._door = DoorState.UNKNOWN

    def take(self, update: Update) -> None:
        """Counts an update."""
        with self._lock:
            match update:
                case Decided(decision):
                    self._decisions["granted" if decision.granted else "refused", decision.reason.value] += 1
                case Faulted(reason):
                    self._faults.add(reason)
                case Recovered(reason):
                    self._faults.discard(reason)
                case DoorChanged(state):
                    self._door = state
                case _:
                    pass

    def text(self) -> str:
        """Prometheus text, version 0.0.4."""
        with self._lock:
            decisions, faults, door = sorted(self._decisions.items()), sorted(self._faults), self._door
        return "\n".join(
            [
                "# TYPE kiosk_start_time_seconds gauge",
                f"kiosk_start_time_seconds {self._started:.0f}",
                f"# TYPE {SILENT} gauge",
                f"{SILENT} {len(self._silent())}",
                "# TYPE kiosk_door gauge",
                *(f'kiosk_door{{state="{state.value}"}} {int(state is door)}' for state in DoorState),
                f"# TYPE {FAULT} gauge",
                *(f'{FAULT}{{reason="{reason.value}"}} 1' for reason in faults),
                "# TYPE kiosk_decisions_total counter",
                *(f'kiosk_decisions_total{{outcome="{o}",reason="{why}"}} {n}' for (o, why), n in decisions),
                "",
            ]
        )


class VitalsServer:
    """Answers at the socket, one after the other."""

    def __init__(self, listener: socket.socket, users: frozenset[int], vitals: Vitals) -> None:
        self._listener = listener
        self._users = users
        self._vitals = vitals
        listener.settimeout(TURN_SECONDS)

    def turn(self) -> None:
        """Waits for half a second at most, and answers one reader."""
        try:
            connection, _ = self._listener.accept()
        except TimeoutError:
            return
        except OSError:
            time.sleep(TURN_SECONDS)  # all descriptors are in use; that may pass
            return
        with connection, suppress(OSError):
            if peer_uid(connection) not in self._users:
                return
            connection.settimeout(ASKING_SECONDS)
            connection.recv(LARGEST_QUESTION)
            body = self._vitals.text().encode()
            head = f"HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)


@contextmanager
def telling(
    section: HealthConfig, silent: Callable[[], Sequence[str]], publish: Callable[[Update], None]
) -> Iterator[Callable[[Update], None]]:
    """Yields `publish`, extended so that the socket's answers count what is published. If the socket cannot be made,
    that is logged and the kiosk works without it. Raises ConfigError for a user that there is not."""
    if section.socket is None:
        yield publish
        return
    users = numbers_of("health.readers", section.readers) | {os.getuid(), 0}
    vitals = Vitals(silent, time.time())

    def counted(update: Update) -> None:
        vitals.take(update)
        publish(update)

    with ExitStack() as stack:
        try:
            listener = stack.enter_context(listening(section.socket, "the kiosk", socket.SOCK_STREAM))
        except DoorError as error:
            log("error", "health_unavailable", error=str(error))
        else:
            server = VitalsServer(listener, frozenset(users), vitals)
            stack.enter_context(turning("health", server.turn, lambda: None))
        yield counted
