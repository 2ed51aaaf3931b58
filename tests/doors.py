"""Starts the real kiosk-door, and clients that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kiosk.config import read
from kiosk.domain.door.grants import Grant
from kiosk.domain.door.state import DoorState
from kiosk.door import daemon
from kiosk.door.__main__ import main
from kiosk.sections import DoorConfig
from kiosk.station.door_client import DoorClient, DoorWatcher
from kiosk.system.clock import boottime
from tests.ids import id_of

PATIENCE = 30.0
"""Seconds after which a test fails instead of waiting on; a busy machine starts a process in two."""

HOLDER = """
import sys
from pathlib import Path
from kiosk.system.clock import boottime
from kiosk.domain.door.grants import Grant
from kiosk.station.door_client import DoorClient
client = DoorClient(Path(sys.argv[1]))
now = boottime()
print(client.release(Grant(sys.argv[2], now, now + 1.5)).result, flush=True)
sys.stdin.read()
"""


@dataclass
class RunningDoor:
    """A kiosk-door that has said READY=1."""

    process: subprocess.Popen[bytes]
    socket: Path
    record: Path
    log: Path
    settings: DoorConfig

    def levels(self) -> list[tuple[float, str]]:
        """(CLOCK_BOOTTIME, level) as the simulated lock wrote them."""
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [(line["at"], line["level"]) for line in lines]

    def events(self) -> list[dict[str, object]]:
        """The log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, *states: DoorState) -> None:
        """Until the door has told these states, one after the other."""
        watcher = DoorWatcher(self.socket)
        try:
            wanted = list(states)
            until = time.monotonic() + PATIENCE
            while wanted and time.monotonic() < until:
                if watcher.wait(until - time.monotonic()) is wanted[0]:
                    wanted.pop(0)
            assert not wanted, f"the door never became {wanted[0]}"
        finally:
            watcher.close()

    def kill(self) -> None:
        """SIGKILL: it cannot do anything about it."""
        self.process.kill()
        self.process.wait(PATIENCE)


@dataclass
class Doors:
    """Starts and cleans up."""

    folder: Path
    lock: dict[str, object] = field(default_factory=dict)
    """More keys of [lock]."""
    program: list[str] = field(default_factory=lambda: ["-m", "kiosk.door"])
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def write(self, **door: object) -> Path:
        """A configuration with a simulated lock; `door` are keys of [door]."""
        keys = {"name": "main", "socket": f"{self.folder}/door.sock", "state": f"{self.folder}/state", **door}
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        path = self.folder / "kiosk.toml"
        lock = {"kind": "simulated", "record": f"{self.folder}/record", **self.lock}
        path.write_text("\n".join(["[door]", *lines, "[lock]", *(f"{k} = {json.dumps(v)}" for k, v in lock.items())]))
        return path

    def launch(self, *arguments: str, notify: Path | None = None, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Starts kiosk-door with `arguments`, whatever becomes of it; stderr goes to `log`."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("KIOSK_", "NOTIFY_", "WATCHDOG_"))}
        if notify is not None:
            environment |= {"NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "200000"}
        with (log or self.folder / "log").open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, *self.program, *arguments],
                stdin=subprocess.PIPE,
                stderr=stderr,
                env=environment,
            )
        self.processes.append(process)
        return process

    def start(self, *, then: bytes = b"READY=1", log: Path | None = None, **door: object) -> RunningDoor:
        """Starts kiosk-door and waits until it has told systemd that it is ready (and `then`)."""
        with notify_socket(self.folder / "notify") as news:
            process = self.launch("--config", str(self.write(**door)), notify=self.folder / "notify", log=log)
            await_news(news, b"READY=1", process)
            if then != b"READY=1":
                await_news(news, then, process)
        settings = read(self.folder / "kiosk.toml").door
        return RunningDoor(process, settings.socket, self.folder / "record", self.folder / "log", settings)

    def holder(self, door: RunningDoor, name: str = "held") -> subprocess.Popen[bytes]:
        """A client process that has a grant released, and then does nothing."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(door.socket), id_of(name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"released\n"
        return process

    def clean_up(self) -> None:
        """Nothing is left running, stopped processes included."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait(PATIENCE)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


@contextlib.contextmanager
def notify_socket(path: Path) -> Iterator[socket.socket]:
    """Plays systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news:
        news.bind(str(path))
        try:
            yield news
        finally:
            path.unlink()


def await_news(news: socket.socket, wanted: bytes, process: subprocess.Popen[bytes]) -> None:
    """Until `process` has said `wanted`; fails when it dies first."""
    exit_ = os.pidfd_open(process.pid)
    try:
        until = time.monotonic() + PATIENCE
        while (left := until - time.monotonic()) > 0:
            ready = select.select([news, exit_], [], [], left)[0]
            if news in ready and news.recv(100) == wanted:
                return
            assert exit_ not in ready, f"kiosk-door ended with {process.wait()}"
        pytest.fail(f"kiosk-door did not say {wanted.decode()}")
    finally:
        os.close(exit_)


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    running = Doors(tmp_path)
    yield running
    running.clean_up()


BadStart = Callable[..., str]


@pytest.fixture
def bad_start(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> BadStart:
    """`bad_start("--config", "gone.toml")` calls kiosk-door in this process, sees that it ends with status 2 and prints
    nothing on standard output, and returns what it says. This process keeps its own signals."""
    monkeypatch.setattr(daemon, "StopSignals", lambda: None)

    def start(*arguments: str) -> str:
        capfd.readouterr()
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capfd.readouterr()
        assert (status, out) == (2, "")
        return err

    return start


@pytest.fixture
def patience() -> float:
    """PATIENCE, for tests."""
    return PATIENCE


@pytest.fixture
def grant() -> Callable[..., Grant]:
    """A grant that is good now; `age` seconds old."""

    def make(name: str = "g", age: float = 0.0) -> Grant:
        captured_at = boottime() - age
        return Grant(id_of(name), captured_at, captured_at + 1.5)

    return make


@pytest.fixture
def client_of() -> Iterator[Callable[[RunningDoor], DoorClient]]:
    """Makes clients and closes them at the end."""
    clients: list[DoorClient] = []

    def connect(door: RunningDoor) -> DoorClient:
        clients.append(DoorClient(door.socket))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@contextlib.contextmanager
def as_user(uid: int) -> Iterator[None]:
    """What is connected in here is connected by that user, as SO_PEERCRED tells it. Only root can."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_to_all() -> Callable[[RunningDoor], None]:
    """Takes the rights of folders and sockets away: what is left is the door's own look at who asks."""

    def open_(door: RunningDoor) -> None:
        temporary = Path(tempfile.gettempdir())
        for folder in [door.socket.parent, *door.socket.parent.parents]:
            if folder.is_relative_to(temporary) and folder != temporary:
                folder.chmod(0o755)
        for path in (door.socket, door.settings.events):
            path.chmod(0o666)

    return open_
