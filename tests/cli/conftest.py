"""Commands as a user gives them, in this process; pictures of the demonstration's visitors, who do not exist."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

import cv2
import pytest

from kiosk.__main__ import main
from kiosk.cameras.sources import stills
from kiosk.demonstration.camera import SimulatedCamera, SimulatedOptions
from kiosk.demonstration.story import VISITORS
from kiosk.sections import Provider
from kiosk.vision import install
from kiosk.vision.manifest import Entry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.network import Network


class Result(NamedTuple):
    """What a command gave."""

    status: int
    out: list[str]
    """Lines of standard output."""
    err: list[str]
    """Lines of standard error."""

    @property
    def rows(self) -> list[dict[str, object]]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out]

    @property
    def checks(self) -> list[dict[str, str]]:
        """The checks of `kiosk doctor --json`."""
        checks: list[dict[str, str]] = json.loads(self.out[0])["checks"]
        return checks


Command = Callable[..., Result]


_loaded: dict[str, Network] = {}


@pytest.fixture(scope="module", autouse=True)
def _own_networks_are_loaded_once() -> Iterator[None]:
    """The program's own networks, which nobody changes, for all commands that run in this process: loading all four
    takes a fifth of a second. Networks of any other folder are loaded by each command, and outside of tests/cli all
    are loaded each time.
    """
    load = Network.load

    def once(manifest: Manifest, entry: Entry, threads: int, provider: Provider = "cpu") -> Network:
        if manifest.folder != default_folder():
            return load(manifest, entry, threads, provider)
        key = f"{entry.model_dump_json()} {threads} {provider}"
        if key not in _loaded:
            _loaded[key] = load(manifest, entry, threads, provider)
        return _loaded[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "load", once)
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def kiosk(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """`kiosk("subjects", "list")` runs it with a home of its own."""

    def run(*arguments: str | Path, at: Path | None = None) -> Result:
        monkeypatch.setattr(sys, "argv", ["kiosk", "--home", str(at or home), *map(str, arguments)])
        # Where root installs networks: the tests run as root too, and leave this machine as it is.
        monkeypatch.setattr(install, "SYSTEM_FOLDER", (at or home) / "models")
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        return Result(int(stop.value.code or 0), out.splitlines(), err.splitlines())

    return run


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A photograph of each visitor, by the visitor's key."""
    folder = tmp_path_factory.mktemp("portraits")
    for visitor in VISITORS:
        cv2.imwrite(str(folder / f"{visitor.key}.png"), SimulatedCamera.enrolment_picture(visitor))
    return {v.key: folder / f"{v.key}.png" for v in VISITORS}


@pytest.fixture(scope="session")
def adas_home(tmp_path_factory: pytest.TempPathFactory, portraits: dict[str, Path]) -> Path:
    """A home in which Ada Example is enrolled, and nobody else. Only to be copied."""
    folder = tmp_path_factory.mktemp("ada") / "home"
    enrol = ["enrol", "--name", "Ada Example", portraits["ada"]]
    subprocess.run([sys.executable, "-m", "kiosk", "--home", folder, *enrol], check=True, capture_output=True)
    return folder


@pytest.fixture
def enrolled(adas_home: Path, home: Path) -> Path:
    """The test's own home, with Ada Example enrolled."""
    return Path(shutil.copytree(adas_home, home))


@pytest.fixture
def ada(enrolled: Path) -> str:
    """Enrolled; her id."""
    with closing(sqlite3.connect(enrolled / "gallery.db")) as db:
        ((subject_id,),) = db.execute("SELECT id FROM subject").fetchall()
    return str(subject_id)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story's first visit, five seconds of it."""
    path = tmp_path_factory.mktemp("clips") / "ada.avi"
    ticks = count()
    camera = SimulatedCamera(SimulatedOptions(), clock=lambda: next(ticks) / 100, sleep=lambda _: None)
    camera.open()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (640, 480))
    for _ in range(75):
        writer.write(camera.read(60.0).image)
    writer.release()
    assert sum(1 for _ in stills(path)) == 75
    return path
