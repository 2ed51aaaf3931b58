"""Commands that root runs on the kiosk's home, as real processes: whatever the kiosk has put in the place of its files,
root's are as they were; and what is made belongs to the kiosk."""

from __future__ import annotations

import json
import os
import shutil
import site
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.people import NewReference
from kiosk.gui import probe
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.owner import acting_for
from kiosk.system.time_sync import TIMESYNCD
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from tests.cli.own_network import ABOUT
from tests.fakes import onnx_file

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what root does only root can show")

UID = 12345
ROOT = Path(__file__).parents[2]
OTHER_FILES = ("gallery.db-wal", "gallery.db-shm", "gallery.db-journal", "gallery.key", "kiosk.lock")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def python() -> list[str]:
    """An interpreter, with the packages, that everybody may run: modules are loaded after root has become somebody."""
    packages = os.pathsep.join([str(ROOT), *site.getsitepackages()])
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin")):
        if program is None:
            continue
        command = ["env", f"PYTHONPATH={packages}", program]
        probe = [*command, "-c", f"import os; os.setuid({UID}); import sqlite3, kiosk.station.assembly"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("no interpreter with these packages that everybody may run")


@pytest.fixture
def home(place: Path) -> Path:
    """The kiosk's."""
    folder = place / "home"
    folder.mkdir(0o700)
    os.chown(folder, UID, UID)
    return folder


@pytest.fixture
def roots(place: Path) -> Path:
    """A folder of root's with a file in it."""
    folder = place / "roots"
    folder.mkdir(0o755)
    (folder / "there").write_text("root's")
    (folder / "there").chmod(0o640)
    return folder


@pytest.fixture
def run(python: list[str], place: Path) -> Run:
    """`run("subjects", "list")`: as root, on the kiosk's home and a configuration that only root may read."""
    config = place / "kiosk.toml"
    config.write_text(
        f'[camera]\nkind = "replay"\nsource = "{place}/none"\n[lock]\nkind = "simulated"\n'
        f'[door]\nsocket = "{place}/door.sock"\n'
    )
    config.chmod(0o600)

    def command(*arguments: str | Path, at: Path | None = None) -> subprocess.CompletedProcess[str]:
        where = ("--home", at or place / "home")
        whole = [*python, "-m", "kiosk", *map(str, (*where, *arguments))]
        done = subprocess.run(whole, cwd="/", capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return command


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Owner, mode and content of all that is in a folder."""
    return {
        str(p.relative_to(folder)): (
            p.lstat().st_uid,
            p.lstat().st_mode,
            p.read_bytes() if stat.S_ISREG(p.lstat().st_mode) else b"",
        )
        for p in [folder, *sorted(folder.rglob("*"))]
    }


@pytest.fixture
def portrait(place: Path) -> Path:
    path = place / "ada.png"
    assert cv2.imwrite(str(path), SimulatedCamera.enrolment_picture(VISITORS[0]))
    path.chmod(0o644)
    return path


@pytest.mark.prove
def test_what_root_makes_in_the_kiosks_home_is_the_kiosks(run: Run, home: Path, place: Path, portrait: Path) -> None:
    done = run("enrol", "--config", place / "kiosk.toml", "--name", "Ada", portrait)
    assert done.returncode == 0, done.stderr
    assert run("subjects", "list").stdout.count("\n") == 1
    assert {p.name for p in home.iterdir()} >= {"gallery.db", "gallery.key"}
    for path in home.iterdir():
        assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (UID, 0o600), path
    # Where the door's socket wants root, its record is the kiosk's all the same.
    assert run("clock", "accept").returncode == 0
    assert run("door", "release", "--config", place / "kiosk.toml").returncode == 2
    assert run("attempts", "reset", "--config", place / "kiosk.toml").returncode == 0
    assert {p.stat().st_uid for p in home.iterdir()} == {UID}
    assert '"uid": 0' in run("audit", "show", "--json", "--kind", "attempts").stdout, "who did it was root"
    assert '"uid": 0' in run("audit", "show", "--json", "--kind", "command").stdout


@pytest.mark.parametrize("name", ["gallery.db", *(pytest.param(n, marks=pytest.mark.prove) for n in OTHER_FILES)])
def test_a_link_in_the_place_of_a_file_leads_root_nowhere(run: Run, home: Path, roots: Path, name: str) -> None:
    commands = [["subjects", "disable", "Ada"], ["door", "release", "--config", str(home.parent / "kiosk.toml")]]
    if name == "kiosk.lock":
        commands = [["run", "--headless", "--config", str(home.parent / "kiosk.toml")]]
    elif name != "gallery.db":
        with acting_for(home):
            open_gallery(Home(home)).close()
    before = state(roots)
    for target in ("not-there", "there"):
        (home / name).unlink(missing_ok=True)
        (home / name).symlink_to(roots / target)
        os.chown(home / name, UID, UID, follow_symlinks=False)
        for command in commands:
            run(*command)
            assert state(roots) == before, (target, command)


def test_a_home_that_is_a_link_of_the_kiosks(run: Run, home: Path, roots: Path) -> None:
    (home / "sub").symlink_to(roots)
    before = state(roots)
    for command in (["subjects", "disable", "A"], ["door", "release", "--config", str(home.parent / "kiosk.toml")]):
        done = run(*command, at=home / "sub")
        assert done.returncode == 2, done
        assert state(roots) == before


def own_network(place: Path) -> Path:
    """With its description beside it."""
    manifest = Manifest(default_folder())
    path = place / "own.onnx"
    path.write_bytes(onnx_file.variant(manifest.bytes_of(manifest.entry("mobilefacenet", EmbedderEntry)), 1))
    path.with_suffix(".toml").write_text(ABOUT)
    return path


@pytest.mark.prove
def test_networks_are_installed_where_only_root_can_write(run: Run, home: Path, roots: Path, place: Path) -> None:
    own, folder = own_network(place), place / "networks"
    done = run("models", "install", own, "--folder", folder)
    assert done.returncode == 0, done.stderr
    assert {(p.stat().st_uid, stat.S_IMODE(p.stat().st_mode)) for p in folder.iterdir()} == {(0, 0o644)}
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (0, 0o755)
    assert list(home.iterdir()) == [], "the home has nothing to do with it"
    assert run("models", "verify", "--folder", folder).returncode == 0


@pytest.mark.parametrize("where", ["models", "link/models"])
def test_networks_are_not_installed_where_the_kiosk_can_write(
    run: Run, home: Path, roots: Path, place: Path, where: str
) -> None:
    own = own_network(place)
    (home / "link").symlink_to(roots)
    before = state(roots), sorted(home.iterdir())
    done = run("models", "install", own, "--folder", home / where)
    assert done.returncode == 2
    assert f"uid {UID} may change which networks run" in done.stderr
    assert (state(roots), sorted(home.iterdir())) == before


def test_root_runs_no_network_that_the_kiosk_could_change(run: Run, home: Path, place: Path) -> None:
    folder = place / "networks"
    shutil.copytree(default_folder(), folder, ignore=shutil.ignore_patterns("train"))
    os.chown(folder / "manifest.toml", UID, UID)
    done = run("models", "verify", "--folder", folder)
    assert done.returncode == 2
    assert "may change which networks run" in done.stderr


@pytest.mark.parametrize("module", ["door", "notify"])
def test_the_services_do_not_run_as_root_in_their_users_folders(
    python: list[str], home: Path, place: Path, roots: Path, module: str
) -> None:
    """By hand, say: what they made there would be root's, wherever their user's links lead."""
    for name in ("events.jsonl", "outbox.db", "outbox.db.lock"):
        (home / name).symlink_to(roots / name)
    config = place / "kiosk.toml"
    config.write_text(
        f'[lock]\nkind = "simulated"\n[door]\nsocket = "{place}/door.sock"\nstate = "{home}"\n'
        f'[notify]\noutbox = "{home}/outbox.db"\nsocket = "{place}/notify.sock"\n[notifiers.lamp]\nkind = "led"\n'
    )
    before = state(roots)
    command = [*python, "-m", f"kiosk.{module}", "--config", str(config)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert f"belongs to uid {UID}: root works there as its owner only" in done.stderr
    assert state(roots) == before


@pytest.mark.qt
def test_doctor_starts_nothing_with_half_of_roots_rights(
    run: Run, home: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qt ends a process whose real user is another one, and the fonts were never looked at."""
    if not (name := probe.undrawable(["\u5c71\U00013000\U00016f00\U00018b00\U0001e900"])[:1]):
        pytest.skip("fonts for everything")
    with acting_for(home), closing(open_gallery(Home(home))) as gallery:
        gallery.add_subject(name, [NewReference(np.full(128, 28, np.float32), "a-network", 0.9)])
    asked, program = place / "asked", place / "bin" / "timedatectl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ngrep ^Uid: /proc/self/status > {asked}\necho yes\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with (place / "kiosk.toml").open("a") as config:
        config.write('[clock]\ntrust = "ntp"\n')
    done = run("doctor", "--config", place / "kiosk.toml", "--json")
    found = {row["name"]: row for row in json.loads(done.stdout)["checks"]}
    assert found["fonts"]["state"] == "ok"
    assert "no font here draws 1 of the names" in found["fonts"]["what"]
    assert found["clock"]["state"] == "ok"
    if not TIMESYNCD.exists():
        assert asked.read_text().split()[1:] == ["0", "0", "0", "0"]
