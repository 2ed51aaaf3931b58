"""`kiosk run` as a process, with kiosk-door beside it, as the units start them; both killed for real."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosk.config import Config
from kiosk.demonstration import stage
from kiosk.demonstration.story import ADA
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import load

PATIENCE = 60.0
RELEASE = 4.0


class Process:
    """A command whose lines are read as they come."""

    def __init__(self, *command: str | Path, console: int = subprocess.PIPE) -> None:
        """`console` is both standard output and error where it is given."""
        error = console if console != subprocess.PIPE else subprocess.PIPE
        self.popen = subprocess.Popen(
            [sys.executable, "-m", *map(str, command)], stdout=console, stderr=error, bufsize=0
        )
        self._rest = b""

    def line(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next JSON line of standard output that is wanted."""
        assert self.popen.stdout is not None
        until = time.monotonic() + PATIENCE
        while True:
            head, newline, rest = self._rest.partition(b"\n")
            if newline:
                self._rest = rest
                row = json.loads(head)
                if wanted(row):
                    return dict(row)
                continue
            ready, _, _ = select.select([self.popen.stdout], [], [], until - time.monotonic())
            assert ready, "nothing was said in time"
            chunk = os.read(self.popen.stdout.fileno(), 65536)
            assert chunk, self.popen.stderr.read() if self.popen.stderr else ""
            self._rest += chunk

    def kill(self) -> None:
        """kill -9."""
        self.popen.kill()
        self.popen.wait(PATIENCE)

    def close(self) -> None:
        """Ends it, whatever it does."""
        self.kill()
        for pipe in (self.popen.stdout, self.popen.stderr):
            if pipe is not None:
                pipe.close()


@dataclass
class Site:
    """A configured kiosk with the demonstration's people, its door, and the record of the lock."""

    config: Path
    home: Path
    record: Path
    socket: Path
    stack: ExitStack

    def door(self) -> Process:
        """Starts kiosk-door and waits until it answers."""
        door = Process("kiosk.door.__main__", "--config", self.config)
        self.stack.callback(door.close)
        stage._await_door(self.socket)
        return door

    def kiosk(self) -> Process:
        """Starts the kiosk."""
        process = Process("kiosk", "--home", self.home, "run", "--config", self.config, "--headless", "--json")
        self.stack.callback(process.close)
        return process

    def levels(self) -> list[dict[str, Any]]:
        """What the lock did, in order."""
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def wait_for_level(self, state: str, count: int) -> float:
        """Monotonic time at which the lock was `state` for the count-th time."""
        until = time.monotonic() + PATIENCE
        while True:
            times = [float(level["at"]) for level in self.levels() if level["level"] == state]
            if len(times) >= count:
                return times[count - 1]
            assert time.monotonic() < until, self.levels()
            os.sched_yield()


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the story's subjects, of which each test has a copy."""
    folder = tmp_path_factory.mktemp("enrolled") / "home"
    settings: Config = stage.settings(Path("unused"))
    stage.enrol_visitors(settings, Home(folder), load(settings.models, settings.policy))
    return folder


@pytest.fixture
def site(tmp_path: Path, enrolled: Path) -> Iterator[Site]:
    socket, record = tmp_path / "door.sock", tmp_path / "lock.jsonl"
    config = tmp_path / "kiosk.toml"
    config.write_text(
        f"""
        [camera]
        kind = "simulated"
        [lock]
        kind = "simulated"
        record = "{record}"
        [door]
        socket = "{socket}"
        state = "{tmp_path}/state"
        release_seconds = {RELEASE}
        """
    )
    shutil.copytree(enrolled, tmp_path / "home")
    with ExitStack() as stack:
        yield Site(config, tmp_path / "home", record, socket, stack)


def decision(row: dict[str, Any]) -> bool:
    return bool(row["event"] == "decision")


def test_somebody_at_the_terminal_reads_the_name_of_who_was_let_in(site: Site) -> None:
    """Names are sealed: the kiosk looks them up with the key, also after the gallery was changed beside it."""
    site.door()
    ours, theirs = pty.openpty()
    process = Process("kiosk", "--home", site.home, "run", "--config", site.config, "--headless", console=theirs)
    site.stack.callback(process.close)
    os.close(theirs)
    site.stack.callback(os.close, ours)
    said, until = b"", time.monotonic() + PATIENCE
    while ADA.name.encode() not in said:
        ready, _, _ = select.select([ours], [], [], until - time.monotonic())
        assert ready, said.decode(errors="replace")
        said += os.read(ours, 65536)


def test_killing_the_kiosk_during_a_release_secures_the_lock(site: Site) -> None:
    site.door()
    kiosk = site.kiosk()
    first = kiosk.line(decision)
    assert first["outcome"] == "granted", first
    assert kiosk.line(lambda row: row["event"] == "door")["result"] == "released"
    released = site.wait_for_level("released", 1)
    secured_before = sum(level["level"] == "secured" for level in site.levels())
    kiosk.kill()
    secured = site.wait_for_level("secured", secured_before + 1)
    assert secured - released < RELEASE + 0.1


def _closed() -> int:
    read, write = os.pipe()
    os.close(read)
    return write


def _full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _unread() -> int:
    """A pipe without room that nobody reads, its other end open: a write into it never ends."""
    _read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.write(write, b"x" * 4096)
    return write


@pytest.mark.prove
@pytest.mark.parametrize("console", [_closed, _full, _unread])
def test_a_console_that_cannot_be_written_changes_nothing_about_the_door(
    site: Site, console: Callable[[], int]
) -> None:
    site.door()
    file = console()
    kiosk = Process("kiosk", "--home", site.home, "run", "--config", site.config, "--headless", console=file)
    site.stack.callback(os.close, file)
    site.stack.callback(kiosk.close)
    released = site.wait_for_level("released", 1)
    secured_before = sum(level["level"] == "secured" for level in site.levels())
    secured = site.wait_for_level("secured", secured_before + 1)
    assert secured - released > RELEASE - 0.5, "the release runs its time"
    assert kiosk.popen.poll() is None, "it goes on deciding"
    kiosk.popen.send_signal(signal.SIGTERM)
    assert kiosk.popen.wait(PATIENCE) == 0


def test_killing_the_door_refuses_everybody_until_it_is_back(site: Site) -> None:
    door = site.door()
    kiosk = site.kiosk()
    first = kiosk.line(decision)
    assert first["outcome"] == "granted", first
    door.kill()
    refused = kiosk.line(lambda row: decision(row) and row["reason"] != "incomplete")
    assert (refused["outcome"], refused["reason"]) == ("refused", "door_unavailable")


def test_a_stop_signal_ends_it_in_order(site: Site) -> None:
    site.door()
    kiosk = site.kiosk()
    kiosk.line(decision)
    kiosk.popen.send_signal(signal.SIGTERM)
    assert kiosk.popen.wait(PATIENCE) == 0
    again = site.kiosk()
    again.line(decision)


@pytest.mark.prove
@pytest.mark.parametrize("how", ["moved", "replaced"])
def test_a_gallery_that_is_moved_or_replaced_ends_it_and_the_next_start_heals_it(site: Site, how: str) -> None:
    """A process that goes on would refuse everybody for ever."""
    site.door()
    kiosk = site.kiosk()
    kiosk.line(decision)
    gallery, away = site.home / "gallery.db", site.home / "away.db"
    gallery.rename(away)
    if how == "replaced":
        shutil.copy(away, gallery)
    assert kiosk.popen.wait(PATIENCE) == 1
    assert kiosk.popen.stderr is not None
    (said,) = [line for line in kiosk.popen.stderr.read().decode().splitlines() if "restart_needed" in line]
    assert "moved, removed or replaced in use: put it back while the kiosk is stopped" in said
    if how == "moved":
        again = site.kiosk()
        assert again.popen.wait(PATIENCE) == 2
        assert again.popen.stderr is not None
        assert b"put a backup back" in again.popen.stderr.read()
        away.rename(gallery)
    last = site.kiosk()
    assert last.line(lambda row: decision(row) and row["reason"] != "incomplete")["outcome"] == "granted"
    last.kill()
    with closing(sqlite3.connect(gallery)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def attempts(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kiosk", "--home", site.home, "attempts", *arguments, "--config", site.config]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


ABOUT_FACES = ("not_enrolled", "face_off", "face_on", "reset", "start")


def about_faces(row: dict[str, Any]) -> bool:
    """Not of the frames that come too late on a busy machine."""
    return row.get("reason") in {"not_enrolled", "face_off"}


def reasons(site: Site) -> list[str]:
    """Of the audit log's records, as far as they are ABOUT_FACES, in order."""
    with closing(sqlite3.connect(site.home / "gallery.db")) as db:
        every = [reason for (reason,) in db.execute("SELECT coalesce(reason, kind) FROM audit ORDER BY id")]
    return [reason for reason in every if reason in ABOUT_FACES]


@pytest.mark.prove
@pytest.mark.parametrize("whole", [False, True])
def test_face_alone_stays_off_over_a_kill_and_is_on_again_when_that_is_reset(site: Site, whole: bool) -> None:
    """Nobody is enrolled, so that everybody is refused. `whole`: the story of the second start runs to its end."""
    with closing(open_gallery(Home(site.home))) as gallery:
        for subject in gallery.subjects():
            gallery.remove(subject.id)
    with site.config.open("a") as config:
        config.write("[policy]\nrefusals_an_hour = 2\n")
    site.door()
    first = site.kiosk()
    assert [first.line(about_faces)["reason"] for _ in range(3)] == ["not_enrolled", "not_enrolled", "face_off"]
    first.kill()
    assert attempts(site, "status").returncode == 1
    again = site.kiosk()
    assert again.line(about_faces)["reason"] == "face_off"
    if whole:
        assert again.popen.wait(2 * PATIENCE) == 0
        again = site.kiosk()
        assert again.line(about_faces)["reason"] == "face_off"
    done = attempts(site, "reset")
    assert done.returncode == 0, done.stderr
    on = again.line(about_faces)
    assert (on["event"], on["reason"]) == ("recovered", "face_off")
    assert again.line(about_faces)["event"] == "decision"
    again.kill()
    off, restarts = ["not_enrolled", "not_enrolled", "face_off"], ["start", "face_off"] * (1 + whole)
    expected = ["start", *off, *restarts, "reset", "face_on", "not_enrolled"]
    assert reasons(site)[: len(expected)] == expected
