"""What an upgrade of the Debian package asks before it lets the new version run, and what it leaves as it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder

DEBIAN = Path(__file__).parents[2] / "deploy" / "debian"


def called(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(DEBIAN / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check(**states: str) -> str:
    checks = [{"name": n, "state": s, "what": f"{n} is {s}", "why": "", "mend": ""} for n, s in states.items()]
    return json.dumps({"version": "1", "checks": checks})


@pytest.mark.parametrize(
    ("old", "new", "status", "said"),
    [
        (check(models="ok", camera="ok"), check(models="ok", camera="ok"), 0, ""),
        (check(models="ok"), check(models="problem"), 1, "models is problem"),
        (check(camera="problem"), check(camera="problem"), 0, ""),
        (check(camera="unknown"), check(camera="problem"), 1, "camera is problem"),
        (check(models="ok"), check(models="ok", disk="problem"), 0, "disk is problem"),
        (check(models="ok"), "Traceback", 1, "cannot be read"),
        (check(models="ok"), '{"checks": 1}', 1, "cannot be read"),
        ("", check(models="problem"), 0, "models is problem"),
    ],
)
def test_only_what_became_worse_hinders_an_upgrade(tmp_path: Path, old: str, new: str, status: int, said: str) -> None:
    (tmp_path / "old").write_text(old)
    (tmp_path / "new").write_text(new)
    done = called("worse.py", str(tmp_path / "old"), str(tmp_path / "new"))
    assert (done.returncode, done.stderr) == (status, "")
    assert said in done.stdout
    assert bool(done.stdout) == bool(said)


def test_of_two_findings_of_one_check_a_problem_counts(tmp_path: Path) -> None:
    twice = {"checks": [{"name": "home", "state": state, "what": state} for state in ("problem", "ok")]}
    (tmp_path / "old").write_text(check(home="ok"))
    (tmp_path / "new").write_text(json.dumps(twice))
    assert called("worse.py", str(tmp_path / "old"), str(tmp_path / "new")).returncode == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[kiosk]\nhome = "/var/lib/kiosk"\n',
        "[models]\n",
        "[models] # ours\nthreads = 2\n\n[quality]\nguide = 0.8\n",
        '[models]\n#embedder = "other"\nembedder = "mobilefacenet" # the usual one\nthreads = 2\n',
        'models.threads = 1\n[door]\nname = "[models]"\n',
    ],
)
def test_the_embedder_is_pinned_and_all_else_stays(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(text)
    file.chmod(0o640)
    done = called("pin.py", str(file), "kiosk-net-9")
    if text.startswith("models."):
        assert done.returncode == 2  # said in another way than a section: the admin is told the line
        assert 'embedder = "kiosk-net-9"' in done.stderr
        assert file.read_text() == text
        return
    assert done.returncode == 0, done.stderr
    wanted = tomllib.loads(text)
    wanted.setdefault("models", {})["embedder"] = "kiosk-net-9"
    assert tomllib.loads(file.read_text()) == wanted
    for line in text.splitlines():
        assert "embedder" in line or line in file.read_text().splitlines()
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("text", ['[models]\nfolder = "/x"\n', '[models]\nembedder = "kiosk-net-9"\n'])
def test_networks_of_the_admin_and_a_pin_are_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(text)
    assert called("pin.py", str(file), "kiosk-net-9").returncode == 0
    assert file.read_text() == text


def test_the_present_embedder_is_the_one_that_the_configuration_means(tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text('[models]\nembedder = "seesawfacenet"\n')
    present = subprocess.run(
        [sys.executable, "-P", str(DEBIAN / "present.py"), str(file)], capture_output=True, text=True, check=True
    )
    entry = Manifest(default_folder()).entry("seesawfacenet", EmbedderEntry)
    assert present.stdout.split() == [entry.model_id]
    assert Manifest(default_folder()).entry(entry.model_id, EmbedderEntry) == entry


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
@pytest.mark.parametrize("script", ["preinst", "postinst", "prerm", "postrm", "library.sh", "release.sh"])
def test_the_scripts_are_shell(script: str) -> None:
    assert subprocess.run(["sh", "-n", str(DEBIAN / script)], check=False).returncode == 0
