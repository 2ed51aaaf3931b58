"""Measures kiosk-door on this machine: its start, its memory, and the time from a committed decision to the relay."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import numpy as np

from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.errors import DoorError
from kiosk.domain.ids import new_id
from kiosk.domain.ports.gallery import AuditTrail
from kiosk.station.access import Access
from kiosk.station.door_client import DoorClient
from kiosk.station.writer import Writer
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.clock import boottime

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class DoorTiming:
    """Seconds from the start of the process to the lock's secured level, and to its first answer. Memory in MiB.
    Milliseconds from the commit of the decision's record to the lock's release, through the socket."""

    start_to_secured: float
    start_to_ready: float
    rss_mb: float
    relay_p50: float
    relay_p99: float
    grants: int


class Wire:
    """The recorder of a simulated lock. It finds out when the line first had its secured level."""

    def __init__(self, path: Path) -> None:
        self.first: float | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = Thread(target=self._answer, name="wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the recorder. Call it after kiosk-door has ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()

    def _answer(self) -> None:
        with suppress(OSError):
            while True:
                door, _ = self._listener.accept()
                with door:
                    while door.recv(16):
                        self.first = self.first or boottime()
                        door.send(b"ok")


class Stamped:
    """The audit log. It also notes when each decision was committed."""

    def __init__(self, audit: AuditTrail) -> None:
        self._audit = audit
        self.committed_at: list[float] = []

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Writes records. Raises GalleryError."""
        self._audit.append(records)
        if records[-1].kind == "decision":
            self.committed_at.append(boottime())


def measure(grants: int) -> DoorTiming:
    """Starts a kiosk-door with a simulated lock and measures it. Raises DoorError when it does not start or refuses."""
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        folder = Path(name)
        config, record, path = folder / "kiosk.toml", folder / "record", folder / "door.sock"
        config.write_text(
            f'[lock]\nkind = "simulated"\nrecord = "{record}"\nrecorder = "{folder}/wire"\n'
            f'[door]\nsocket = "{path}"\nstate = "{folder}/state"\n'
        )
        command = [sys.executable, "-P", "-m", "kiosk.door", "--config", str(config)]
        with closing(Wire(folder / "wire")) as wire:
            begun = boottime()
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process, DoorClient(path) as client:  # noqa: S603 - our own
                try:
                    ready = _await(client, begun + PATIENCE)
                    committed = _grants(folder, client, grants)
                    rss = _resident_mb(process.pid)
                finally:
                    process.terminate()
        rows = [json.loads(line) for line in record.read_text().splitlines()]
    released = [row["at"] for row in rows if row["level"] == "released"]
    if wire.first is None or len(released) != len(committed):
        raise DoorError(f"kiosk-door released {len(released)} of {len(committed)} grants: this machine is too busy")
    waits = 1e3 * (np.array(released) - np.array(committed))
    p50, p99 = np.percentile(waits, (50, 99))
    return DoorTiming(wire.first - begun, ready - begun, rss, float(p50), float(p99), len(waits))


def _await(client: DoorClient, until: float) -> float:
    while not client.ready():
        if boottime() > until:
            raise DoorError("kiosk-door did not start")
        time.sleep(0.002)
    return boottime()


def _grants(folder: Path, client: DoorClient, count: int) -> list[float]:
    """Makes `count` grants, each with a new release. Returns when each decision was committed."""
    home = Home(folder / "home")
    open_gallery(home).close()
    writer = Writer.at(home.database, time.monotonic)
    writer.start()
    audit = Stamped(writer)
    access = Access(audit, client, 1.5, boottime)
    try:
        for _ in range(count):
            evidence = Evidence(0, boottime(), datetime.now(UTC))
            decision = Decision(new_id(), Outcome.GRANTED, Reason.MATCHED, "somebody", evidence)
            access.settle(decision)
            client.secure(timeout=2.0)
    finally:
        writer.stop()
    return audit.committed_at


def _resident_mb(pid: int) -> float:
    """The largest resident memory that the process ever had, in MiB (proc(5): VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
