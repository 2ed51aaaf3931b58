"""`kiosk setup --from FILE`: from nothing to a running simulated door, unattended, with real processes; cut off, and
given again."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kiosk import config
from kiosk.cli import setup_ask, setup_steps
from kiosk.cli.setup_answers import Root, SetupSection, read
from kiosk.domain.errors import ConfigError
from kiosk.sections import ModelsConfig
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder

Command = Callable[..., Any]
PATIENCE = 300.0
DEPLOY = Path(__file__).parents[2] / "deploy"
ANSWERS = """
[setup]
level = "standard"

[door]
name = "trial"

[camera]
kind = "simulated"
loop = true

[lock]
kind = "simulated"
record = "{folder}/record"

[[people]]
name = "Ada Example"
number = "2001"
pin = "480215"
role = "admin"
pictures = ["ada.png"]
consent = "1/en"
"""


@pytest.fixture
def answers(tmp_path: Path, portraits: dict[str, Path]) -> Path:
    shutil.copy(portraits["ada"], tmp_path / "ada.png")
    file = tmp_path / "answers.toml"
    file.write_text(ANSWERS.format(folder=tmp_path))
    file.chmod(0o600)
    return file


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, *words: str | Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )

    def end() -> None:
        process.kill()
        process.communicate()

    stack.callback(end)
    return process


def first_grant(process: subprocess.Popen[bytes]) -> dict[str, object]:
    """The first JSON line that tells of somebody let in."""
    assert process.stdout is not None
    until, rest = time.monotonic() + PATIENCE, b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
        assert ready, "nobody was let in"
        chunk = os.read(process.stdout.fileno(), 65536)
        assert chunk, process.stderr.read() if process.stderr else b""
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            row: dict[str, object] = json.loads(line)
            if row.get("outcome") == "granted":
                return row


def await_file(path: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < until, f"{path} never came"
        os.sched_yield()


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_an_empty_root_becomes_a_running_simulated_door(
    kiosk: Command, answers: Path, tmp_path: Path, processes: ExitStack
) -> None:
    root = Root(tmp_path / "root")
    said = kiosk("setup", "--from", answers, "--root", root.folder)
    assert said.status == 0, said.err
    text = root.config.read_text()
    assert (root.config.stat().st_mode & 0o777, list(root.config.parent.iterdir())) == (0o640, [root.config])
    assert not config.read(root.config).drives_a_real_lock
    again = kiosk("setup", "--from", answers, "--root", root.folder)
    assert (again.status, root.config.read_text()) == (0, text), again.err
    (ada,) = kiosk("subjects", "list", "--json", "--config", root.config, at=root.home).rows
    assert (ada["name"], ada["number"], ada["role"]) == ("Ada Example", "2001", "admin")
    started(processes, "kiosk.door", "--config", root.config)
    await_file(root.at("/run/kiosk/door.sock"))
    running = started(processes, "kiosk", "run", "--config", root.config, "--headless", "--json")
    assert first_grant(running)["subject"] == ada["subject"]
    await_file(tmp_path / "record")
    levels = [json.loads(line)["level"] for line in (tmp_path / "record").read_text().splitlines()]
    assert levels[:2] == ["secured", "released"]


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_what_was_cut_off_goes_on_and_nobody_is_enrolled_twice(
    kiosk: Command, answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, root = setup_steps._rows, Root(tmp_path / "root")

    def killed(at: Root, *words: str, said: str | None = None) -> list[dict[str, object]]:
        if words[1] == "number":
            raise KeyboardInterrupt
        return rows(at, *words, said=said)

    with monkeypatch.context() as patch:
        patch.setattr(setup_steps, "_rows", killed)
        assert kiosk("setup", "--from", answers, "--root", root.folder).status != 0
    assert kiosk("setup", "--from", answers, "--root", root.folder).status == 0
    (ada,) = kiosk("subjects", "list", "--json", "--config", root.config, at=root.home).rows
    assert (ada["number"], ada["role"]) == ("2001", "admin")


def test_another_configuration_is_replaced_by_force_alone_and_kept(
    kiosk: Command, answers: Path, tmp_path: Path
) -> None:
    root = Root(tmp_path / "root")
    root.config.parent.mkdir(parents=True)
    root.config.write_text("# mine\n")
    answers.write_text(answers.read_text().split("[[people]]")[0])
    said = kiosk("setup", "--from", answers, "--root", root.folder)
    assert (said.status, len(said.err), root.config.read_text()) == (2, 1, "# mine\n")
    assert "--force" in said.err[0]
    assert kiosk("setup", "--from", answers, "--root", root.folder, "--force").status == 0
    kept = [path for path in root.config.parent.iterdir() if path != root.config]
    assert [path.read_text() for path in kept] == ["# mine\n"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("[camera]", "[no_camera]"), "no_camera"),
        (('kind = "simulated"\nloop = true', 'kind = "usb"\nnone = 1'), "none"),
        (('name = "trial"', ""), "[door] name is missing"),
        (('number = "2001"\n', ""), "a role needs number and pin"),
        (('consent = "1/en"\n', ""), "consent"),
        (('kind = "simulated"\nrecord = ', 'kind = "gpio"\nx = '), "gpio"),
        (('level = "standard"', 'level = "low"'), "level"),
        (("[setup]", "[setup"), "answers.toml"),
    ],
)
def test_wrong_answers_are_one_line_and_change_nothing(
    kiosk: Command, answers: Path, tmp_path: Path, change: tuple[str, str], word: str
) -> None:
    answers.write_text(answers.read_text().replace(*change))
    said = kiosk("setup", "--from", answers, "--root", tmp_path / "root")
    assert (said.status, len(said.err)) == (2, 1), said.err
    assert word in said.err[0]
    assert not (tmp_path / "root/etc").exists()


def embedder(answers: Path, root: Root) -> object:
    models = read(answers, root).tables["models"]
    assert isinstance(models, dict)
    return models["embedder"]


def test_the_network_by_which_people_are_known_is_pinned_and_stays_what_it_was(answers: Path, tmp_path: Path) -> None:
    root, entries = Root(tmp_path / "root"), Manifest(default_folder()).entries
    ids = {entry.name: entry.model_id for entry in entries if isinstance(entry, EmbedderEntry)}
    usual = ModelsConfig().embedder
    other = next(name for name in ids if name != usual)
    assert embedder(answers, root) == ids[usual]
    root.config.parent.mkdir(parents=True)
    root.config.write_text(f'[models]\nembedder = "{ids[other]}"\n')
    assert embedder(answers, root) == ids[other], "people are enrolled with it"
    text = answers.read_text()
    answers.write_text(f'{text}\n[models]\nembedder = "{usual}"\n')
    assert embedder(answers, root) == ids[usual], "it was asked for"
    answers.write_text(f'{text}\n[models]\nembedder = "nobody"\n')
    with pytest.raises(ConfigError, match=r"answers\.toml: .* there is no embedder 'nobody'"):
        read(answers, root)
    answers.write_text(f'{text}\n[models]\nfolder = "/var/lib/kiosk-models"\n')
    assert read(answers, root).tables["models"] == {"folder": "/var/lib/kiosk-models"}, "an admin's own folder"


def test_the_example_is_complete(tmp_path: Path) -> None:
    example = tmp_path / "setup.toml"
    shutil.copyfile(DEPLOY / "setup.toml", example)
    example.chmod(0o600)
    answers = read(example, Root())
    assert answers.settings.drives_a_real_lock
    assert [(p.role, p.pictures) for p in answers.people] == [("admin", (tmp_path / "ada.jpg",))]
    section = example.read_text().split("\n[setup]\n")[1].split("[door]")[0]
    told = set(re.findall(r"^#?([a-z]+) = ", section, re.MULTILINE))
    assert told == set(SetupSection.model_fields)


def test_a_simulated_camera_never_meets_a_real_lock(kiosk: Command, answers: Path, tmp_path: Path) -> None:
    gpio = 'kind = "gpio"\nchip = "/dev/gpiochip0"\nline = 17\nactive_high = true\nfail_mode = "secure"\n'
    answers.write_text(answers.read_text().replace('kind = "simulated"\nrecord = ', f"{gpio}#"))
    said = kiosk("setup", "--from", answers, "--root", tmp_path / "root")
    assert (said.status, "with --root a kiosk is tried" in said.err[0]) == (2, True)


def test_pins_that_others_can_read_are_refused(kiosk: Command, answers: Path, tmp_path: Path) -> None:
    answers.chmod(0o644)
    said = kiosk("setup", "--from", answers, "--root", tmp_path / "root")
    assert (said.status, "chmod 600" in said.err[0]) == (2, True)


def test_only_root_sets_up_the_machine_and_only_a_terminal_is_asked(
    kiosk: Command, answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = kiosk("setup", "--root", tmp_path / "root")
    assert (nobody.status, "--from FILE" in nobody.err[0]) == (2, True)
    with monkeypatch.context() as patch:
        patch.setattr(setup_ask, "there", lambda: True)
        config_file = Root(tmp_path / "done").config
        config_file.parent.mkdir(parents=True)
        config_file.write_text("# mine\n")
        done = kiosk("setup", "--root", tmp_path / "done")
        assert (done.status, "begin anew with --force" in done.err[0]) == (2, True), "before anything is asked"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = kiosk("setup", "--from", answers)
    assert (said.status, len(said.err)) == (2, 1)
    assert "sudo kiosk setup" in said.err[0]
