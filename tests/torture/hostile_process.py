"""Processes of the kiosk's own programs, forked from one that has imported them: a start costs a tenth of a start.

Each is a process like any other: descriptors, locks, signals and death are its own.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import threading
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path

SYSTEMD = Path(__file__).parents[2] / "systemd"
PATIENCE = 300.0
"""For a machine that has other things to do."""
IMPORTED = [
    "kiosk.__main__",
    "kiosk.cli.audit",
    "kiosk.cli.doctor",
    "kiosk.cli.door",
    "kiosk.cli.enrol",
    "kiosk.cli.models",
    "kiosk.cli.notify",
    "kiosk.cli.run",
    "kiosk.cli.subjects",
    "kiosk.door.__main__",
    "kiosk.notify.daemon",
]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(IMPORTED)


class Program:
    """A running `module:function`, which finds `arguments` in sys.argv as its console script would."""

    def __init__(self, entry: str, arguments: list[str], output: Path) -> None:
        """What it says is appended to `output`, and to the file beside it that ends in .err."""
        self.output = output
        for file in (output, output.with_suffix(".err")):
            file.touch()
        self._process: ForkServerProcess = _context.Process(target=_perform, args=(entry, arguments, output))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid or 0)

    @property
    def status(self) -> int | None:
        """None while it runs, below 0 after a signal."""
        return self._process.exitcode

    @property
    def errors(self) -> str:
        """What it has said on standard error."""
        return self.output.with_suffix(".err").read_text(errors="replace")

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """The status, None where it still runs after so long."""
        self._process.join(seconds)
        return self.status

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()


def _perform(entry: str, arguments: list[str], output: Path) -> None:
    sys.stdout = output.open("a", encoding="utf-8")
    sys.stderr = output.with_suffix(".err").open("a", encoding="utf-8")
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(sys.stderr.fileno(), 2)
    module, function = entry.split(":")
    sys.argv = [function, *arguments]
    sys.exit(getattr(import_module(module), function)())


def restart_seconds(unit: str) -> float:
    """RestartSec of a unit."""
    (value,) = re.findall(r"^RestartSec=(.+)$", (SYSTEMD / f"{unit}.service").read_text(), re.MULTILINE)
    return float(value.removesuffix("ms")) / 1000 if value.endswith("ms") else float(value)


class Supervisor:
    """Keeps a program running, as systemd does."""

    def __init__(self, unit: str, entry: str, arguments: list[str], output: Path) -> None:
        self._unit, self._entry, self._arguments = unit, entry, arguments
        self.output = output
        self._wait = restart_seconds(unit)
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._killed: set[int] = set()
        self.fallen: list[str] = []
        """What it said where it ended by itself."""
        self.before_the_door = 0
        """How often the kiosk's start ended because the door, killed too, was not back yet."""
        self.program = self._start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _start(self) -> Program:
        with self.output.open("a") as out:
            out.write('{"event": "run"}\n')
        return Program(self._entry, self._arguments, self.output)

    def _run(self) -> None:
        while not self._stop.is_set():
            status = self.program.wait(1.0)
            if status is None or self._stop.is_set():
                continue
            if self.program.pid not in self._killed:
                self._fell(status)
            if not self._stop.wait(self._wait):
                with self._guard:
                    self.program = self._start()

    def _fell(self, status: int) -> None:
        lines = self.program.errors.splitlines()
        said = lines[-1] if lines else ""
        if (self._unit, status) == ("kiosk", 2) and "kiosk-door" in said:
            self.before_the_door += 1
        else:
            self.fallen.append(f"{self._unit} ended with {status}: {said}"[:300])

    def kill(self) -> bool:
        """kill -9; False where it is dead at the moment."""
        with self._guard:
            if self.program.status is not None:
                return False
            self._killed.add(self.program.pid)
            self.program.kill()
            return True

    def end(self) -> int | None:
        """SIGTERM, and its exit status."""
        self._stop.set()
        # First, so that one thread alone asks for the status: it can be read once, and is 255 for whoever comes later.
        self._thread.join()
        self.program.terminate()
        status = self.program.wait()
        self.program.kill()
        return status
