"""The shim that logs what a process does to a folder, and what a power cut at each place of that log leaves."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.power.disk import Deed, Disk, compiled, read_log

PROVE_ROUNDS = int(os.environ.get("PROVE_ROUNDS", "1000"))
ROOT = Path(__file__).parents[2]

Check = Callable[[Path, int, list[str]], None]
"""Judges a folder: what is left of it, the number of the program that ran at the cut, and what that had said."""


@dataclass
class Scene:
    """A folder, and the programs that worked in it one after another."""

    shim: Path
    root: Path
    log: Path
    programs: list[list[Deed]] = field(default_factory=list)

    def run(self, *command: str | Path) -> list[str]:
        """Runs a program to its end, in which it must succeed, and returns the lines that it printed."""
        self.log.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(self.shim),
            "POWER_ROOT": str(self.root),
            "POWER_LOG": str(self.log),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            list(map(str, command)), env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        deeds = read_log(self.log, self.root)
        assert any(deed.op == "S" for deed in deeds), "nothing was logged: is this program not linked as it was?"
        self.programs.append(deeds)
        return done.stdout.splitlines()

    def kiosk(self, *arguments: str | Path) -> list[str]:
        """Runs `kiosk --home ROOT/home ...`."""
        return self.run(sys.executable, "-m", "kiosk", "--home", self.root / "home", *arguments)

    def deed(self, what: str, folder: str) -> list[str]:
        """Runs one of tests.power.deeds."""
        return self.run(sys.executable, "-m", "tests.power.deeds", what, self.root / folder)

    def cut_everywhere(self, check: Check, tries: int, place: Path) -> tuple[int, int]:
        """Cuts the power after each deed and has `check` judge what may be left: the plain states and `tries` random
        ones. Returns how many cuts there were, and how many different folders were judged."""
        disk, chance = Disk(), random.Random(20261129)
        cuts = judged = 0
        seen: set[tuple[bytes, int, int]] = set()
        for number, deeds in enumerate(self.programs):
            said: list[str] = []
            for deed in [Deed("A", 0, 0, "", b""), *deeds]:
                disk.do(deed)
                said += [line for line in deed.other.decode().splitlines() if line] if deed.op == "A" else []
                cuts += 1
                for left in disk.left(chance, tries):
                    key = (left.key, number, len(said))
                    if key not in seen:
                        seen.add(key)
                        shutil.rmtree(place, ignore_errors=True)
                        left.put(place)
                        check(place, number, said)
                        judged += 1
        sys.stderr.write(f"{cuts} cuts, {judged} folders judged\n")
        return cuts, judged


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """recorder.c, built for this machine."""
    if sys.platform != "linux":
        pytest.skip("LD_PRELOAD is Linux's")
    try:
        return compiled(tmp_path_factory.mktemp("shim"))
    except FileNotFoundError:
        pytest.skip("there is no C compiler (Debian package gcc with libc6-dev)")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the shim cannot be built here: {error.stderr.decode().strip()[-200:]}")


@pytest.fixture
def scene(shim: Path, tmp_path: Path) -> Scene:
    """An empty folder whose programs are watched."""
    root = tmp_path / "card"
    root.mkdir()
    return Scene(shim, root, tmp_path / "log")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where what is left is put: in memory if possible, because nothing here has to last."""
    shared = Path("/dev/shm")
    if shared.is_dir() and os.access(shared, os.W_OK):
        return shared / f"kiosk-power-{os.getpid()}"
    return tmp_path / "left"
