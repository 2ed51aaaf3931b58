"""What the programs at the door write to standard error: complete, escaped lines, and never a blocking write."""

from __future__ import annotations

import fcntl
import io
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kiosk.domain.errors import ConfigError
from kiosk.system import systemd


@contextmanager
def standard_error(patch: pytest.MonkeyPatch, room: int | None = None) -> Iterator[int]:
    """A pipe in place of standard error, with so many bytes of room; the end to read."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    if room is not None:
        size = fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        os.write(write, b"x" * (size - room))
    with os.fdopen(write, "w", encoding="utf-8") as stream, patch.context() as patched:
        patched.setattr(sys, "stderr", stream)
        yield read
    os.close(read)


@pytest.mark.parametrize("message", ["short", "x" * 10_000, "\u202e\x1b[2J\n" * 2000, "\udcff"])
def test_a_line_is_whole_json_that_fits_a_pipe(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    with standard_error(monkeypatch) as read:
        systemd.log("error", "fault", message=message, odd=object(), number=1)
        line = os.read(read, 65536)
    assert len(line) <= select.PIPE_BUF
    assert line.count(b"\n") == 1
    assert line.isascii()
    record = json.loads(line)
    assert (record["event"], record["number"]) == ("fault", 1)
    assert record["message"].startswith(message[:4])


def test_a_reader_that_does_not_read_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with standard_error(monkeypatch, room=10) as read:
        systemd.log("info", "started")
        assert b"started" not in os.read(read, 65536)


@pytest.mark.parametrize("stderr", [None, io.StringIO()])
def test_without_standard_error_nothing_is_said(monkeypatch: pytest.MonkeyPatch, stderr: object) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    systemd.log("info", "started")
    systemd.complain("kiosk-door", ConfigError("wrong"))


@pytest.mark.parametrize("module", ["kiosk.door", "kiosk.notify"])
def test_what_ends_a_program_of_the_door_is_one_escaped_line(module: str) -> None:
    name = "\x1b[2Jx\nkiosk-door: started\udcff.toml"
    done = subprocess.run([sys.executable, "-m", module, "--config", name], capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"\\x1b[2Jx kiosk-door: started" in done.stderr


def test_files_that_are_opened_never_become_standard_error() -> None:
    script = (
        "from kiosk.system.systemd import occupy_standard_files; occupy_standard_files();"
        "import os; file = os.open('/dev/zero', os.O_RDONLY); os._exit(0 if file > 2 else file)"
    )
    closed = f'exec {sys.executable} -c "{script}" <&- >&- 2>&-'
    assert subprocess.run(["/bin/sh", "-c", closed], check=False).returncode == 0
