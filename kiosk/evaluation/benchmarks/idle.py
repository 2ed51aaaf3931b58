"""Measures what the kiosk costs while nobody stands before it: the real processes, and each thread's share of a
core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kiosk.domain.errors import KioskError
from kiosk.sections import ModelsConfig
from kiosk.station.attention import NOBODY_SECONDS
from kiosk.station.door_client import DoorClient

MOST_HEADLESS, MOST_WINDOW = 0.10, 0.15
"""Largest allowed shares of a core, at 15 frames of 640 x 480 a second."""
START_SECONDS = 60.0
SETTLED_SECONDS = NOBODY_SECONDS + 3.0
"""Time from the start until the room counts as empty and the window no longer changes."""
PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class Idle:
    """Shares of a core by thread name. Threads with the same name are added."""

    threads: dict[str, float]

    @property
    def share(self) -> float:
        """The share of all threads together."""
        return sum(self.threads.values())


def measure(models: ModelsConfig, window: bool, seconds: float, visitors: bool = False) -> Idle:
    """Runs the kiosk with these networks for `seconds`, headless or with its window drawn offscreen, before a simulated
    empty room, or before `visitors` that come one after the other. Raises KioskError when the kiosk or kiosk-door does
    not start."""
    with tempfile.TemporaryDirectory(prefix="kiosk-idle-") as name:
        folder = Path(name)
        config = _config(folder, models, visitors)
        kiosk = ["kiosk", "run", "--config", str(config), "--headless"]
        picture = ["--screenshot", str(folder / "window.png")] if window else []
        with _running(["kiosk.door", "--config", str(config)]) as door:
            with DoorClient(folder / "door.sock") as client:
                _await(client.ready, door)
            with _running([*kiosk, *picture]) as process:
                _await(lambda: PIPELINE in _used(process.pid), process)
                time.sleep(SETTLED_SECONDS)
                before, begin = _used(process.pid), time.monotonic()
                time.sleep(seconds)
                after, took = _used(process.pid), time.monotonic() - begin
                _await(lambda: True, process)
    return Idle({thread: (used - before.get(thread, 0.0)) / took for thread, used in after.items()})


def _config(folder: Path, models: ModelsConfig, visitors: bool) -> Path:
    """Writes a configuration with a simulated lock and with all files in one folder."""
    of_models = [
        f"{key} = {json.dumps(value)}" for key, value in models.model_dump(mode="json", exclude_none=True).items()
    ]
    path = folder / "kiosk.toml"
    path.write_text(
        "\n".join(
            [
                f'[kiosk]\nhome = "{folder}/home"',
                f'[camera]\nkind = "simulated"\n{"loop" if visitors else "empty"} = true\nfps = 15.0',
                '[lock]\nkind = "simulated"',
                f'[door]\nsocket = "{folder}/door.sock"\nstate = "{folder}/state"',
                "[models]",
                *of_models,
            ]
        ),
        encoding="utf-8",
    )
    return path


@contextmanager
def _running(module: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Runs one of our programs until the block ends."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "-P", "-m", *module], stdout=quiet, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()


def _await(there: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Waits until `there()`. Raises KioskError, with the program's last line, when it ends or takes too long."""
    until = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            said = process.stderr.read().decode(errors="replace").strip().splitlines() if process.stderr else []
            raise KioskError(f"what was to be measured has ended: {said[-1] if said else process.returncode}")
        if there():
            return
        if time.monotonic() > until:
            raise KioskError(f"what was to be measured did not start within {START_SECONDS:g} s")
        time.sleep(0.05)


def _used(pid: int) -> dict[str, float]:
    """Processor seconds that each thread has used so far, by its name (proc(5): fields 14 and 15 of stat)."""
    used: dict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # the thread has ended
            name, _, rest = (task / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
            fields = rest.split()
            used[name.partition("(")[2]] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used
