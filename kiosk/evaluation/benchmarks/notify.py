"""Measures what notifiers that cannot reach anybody cost the kiosk, and what happens to their notices.

The pipeline decides with a real audit log, in turns with and without a real kiosk-notify. The broker and the endpoint
of kiosk-notify refuse every connection. In turns without it, kiosk-notify is stopped. Decisions come as fast as this
machine makes them, far faster than people walk through a door, so that the outbox is soon full.
"""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from kiosk import config
from kiosk.config import Config
from kiosk.domain.audit import AuditKind
from kiosk.domain.decision import Reason
from kiosk.domain.errors import KioskError
from kiosk.domain.face import Frame
from kiosk.domain.notices import DROPPED, KioskEventKind, Notice
from kiosk.domain.updates import Decided, Faulted, Proposed, Update
from kiosk.notify.file import in_use
from kiosk.notify.outbox import Outbox
from kiosk.station.access import Access
from kiosk.station.announcer import Announcer
from kiosk.station.door_client import DoorClient
from kiosk.station.pipeline import Pipeline
from kiosk.station.writer import Writer
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.clock import boottime

BLOCK = 30
"""Number of frames in one turn. The first two turns are not counted."""
CAPACITY = 20
PATIENCE = 60.0
NICE = "5"
"""The nice value of kiosk-notify's unit."""
NOTIFIERS = ("broker", "endpoint")


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of one notifier's outbox at the end."""

    waiting: int
    dropped: int
    told: bool
    """The notice about dropped notices comes first, and its number is right."""
    alarm: bool
    """A fault that is older than all decisions is still in the outbox."""
    in_order: bool


@dataclass(frozen=True, slots=True)
class NotifyTiming:
    """Frames a second without and beside kiosk-notify, the median of the turns. Milliseconds of this process's CPU a
    frame. Of `decisions`, `recorded` are in the audit log (-1: others, or in a wrong order)."""

    without: float
    beside: float
    cpu_without: float
    cpu_beside: float
    frames: int
    decisions: int
    recorded: int
    capacity: int
    kept: dict[str, Kept]

    @property
    def ratio(self) -> float:
        """The frame rate beside kiosk-notify divided by the rate without it."""
        return self.beside / self.without

    @property
    def good(self) -> bool:
        """Whether the audit log is complete, and each outbox kept its bound and the right notices."""
        well = all(k.waiting <= self.capacity and k.told and k.alarm and k.in_order for k in self.kept.values())
        return well and self.recorded == self.decisions


def measure(way: Pipeline, source: Iterable[Frame], count: int) -> NotifyTiming:
    """Measures `count` frames without and as many beside kiosk-notify. Raises KioskError when it does not start."""
    turns = 2 * (1 + -(-count // BLOCK))
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name, _dead_port() as port:
        settings = _configure(Path(name), port)
        home = Home(Path(name) / "home")
        open_gallery(home).close()
        announcer = Announcer(settings.notify.socket, settings.door.name, frozenset({os.getuid()}))
        announcer.start()
        writer = Writer.at(home.database, time.monotonic)
        writer.start()
        access = Access(writer, DoorClient(settings.door.socket), 1.5, boottime)
        seconds: tuple[list[float], list[float]] = ([], [])
        cpu: tuple[list[float], list[float]] = ([], [])
        decided: list[str] = []
        told: list[str] = []
        try:
            with _kiosk_notify(Path(name), settings) as notify:
                announcer.publish(Faulted(Reason.CAMERA_UNAVAILABLE, "none"))
                for turn in range(turns):
                    beside = turn % 2
                    notify.send_signal(signal.SIGCONT if beside else signal.SIGSTOP)
                    frames = list(islice(source, BLOCK))
                    begin, worked = time.perf_counter(), time.process_time()
                    new = [d for frame in frames for d in _decide(way, frame, access, announcer if beside else None)]
                    if turn >= 2:
                        seconds[beside].append((time.perf_counter() - begin) / len(frames))
                        cpu[beside].append(1e3 * (time.process_time() - worked) / len(frames))
                    decided += new
                    told += new if beside else []
                _await(lambda: announcer.waiting == 0)
                announcer.stop(PATIENCE)
        finally:
            announcer.stop(0.0)
            writer.stop()
        with closing(Audit(open_database(home.database, read_only=True))) as audit:
            recorded = [record.grant_id for record in audit.records(kinds=(AuditKind.DECISION,))]
        kept = {name: _kept(settings, name, told) for name in NOTIFIERS}
    return NotifyTiming(
        without=1 / median(seconds[0]),
        beside=1 / median(seconds[1]),
        cpu_without=median(cpu[0]),
        cpu_beside=median(cpu[1]),
        frames=len(seconds[0]) * BLOCK,
        decisions=len(decided),
        recorded=len(recorded) if recorded == decided else -1,
        capacity=CAPACITY,
        kept=kept,
    )


def _decide(way: Pipeline, frame: Frame, access: Access, announcer: Announcer | None) -> Iterator[str]:
    """Processes one frame as the station does. Yields the ids of the decisions."""
    for found in way.step(frame):
        updates: list[Update] = access.settle(found.decision) if isinstance(found, Proposed) else [found]
        for settled in updates:
            if announcer is not None:
                announcer.publish(settled)
            if isinstance(settled, Decided):
                yield settled.decision.id


@contextmanager
def _dead_port() -> Iterator[int]:
    """A port of this machine on which nobody listens. It is reserved, so that nobody else can listen on it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def _configure(folder: Path, port: int) -> Config:
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode())
    path = folder / "kiosk.toml"
    path.write_text(
        f'[door]\nsocket = "{folder}/door.sock"\n'
        f'[notify]\noutbox = "{folder}/outbox.db"\nsocket = "{folder}/kiosk.sock"\ncapacity = {CAPACITY}\n'
        f'[notifiers.broker]\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {port}\ntls = false\n'
        f'[notifiers.endpoint]\nkind = "webhook"\nurl = "http://127.0.0.1:{port}/"\nsecret_file = "{secret}"\n'
    )
    return config.read(path)


@contextmanager
def _kiosk_notify(folder: Path, settings: Config) -> Iterator[subprocess.Popen[bytes]]:
    """Runs kiosk-notify, and waits until it is connected to the kiosk. Raises KioskError."""
    command = [
        "nice",
        "-n",
        NICE,
        sys.executable,
        "-P",
        "-m",
        "kiosk.notify",
        "--config",
        str(folder / "kiosk.toml"),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own
        try:
            until = time.monotonic() + PATIENCE
            while not _listens(settings):
                if process.poll() is not None or time.monotonic() > until:
                    raise KioskError("kiosk-notify did not start")
                time.sleep(0.05)
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()


def _await(done: Callable[[], bool]) -> None:
    """Waits until it is done, for PATIENCE at most: a kiosk-notify that was suspended has to connect again, and a kiosk
    that stops waits for nobody who is not connected."""
    until = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < until:
        time.sleep(0.05)


def _listens(settings: Config) -> bool:
    """Whether the kiosk's first event, its start, has reached all outboxes."""
    if not in_use(settings.notify.outbox):
        return False
    with closing(_outbox(settings)) as outbox:
        return all(standing.waiting for standing in outbox.standing().values())


def _outbox(settings: Config) -> Outbox:
    takes = {name: section.alarms_only for name, section in settings.notifiers.items()}
    return Outbox(settings.notify.outbox, settings.door.name, settings.notify.capacity, takes)


def _kept(settings: Config, notifier: str, told: list[str]) -> Kept:
    """Empties the outbox as the notifier would once it works again, and checks the notices."""
    with closing(_outbox(settings)) as outbox:
        dropped = outbox.standing()[notifier].dropped
        notices: list[Notice] = []
        while (waiting := outbox.head(notifier)) is not None:
            notices.append(waiting.notice)
            outbox.done(waiting)
    counts = [n.count for n in notices if n.kind == DROPPED]
    news = [n for n in notices if n.kind != DROPPED]
    decisions = [n.grant_id for n in news if n.kind == f"kiosk.{KioskEventKind.REFUSED}"]
    return Kept(
        waiting=len(news),
        dropped=dropped,
        told=sum(counts) == dropped and notices[len(counts) :] == news,
        alarm=any(n.kind == f"kiosk.{KioskEventKind.FAULT}" for n in news),
        in_order=bool(decisions) and decisions == told[-len(decisions) :],
    )
