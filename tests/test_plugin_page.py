"""The notifier that deploy/plugin.md shows, taken from there, installed as any package is, and run."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from kiosk import config, plugins
from kiosk.domain.errors import ConfigError, NotifierError
from kiosk.domain.notices import Notice, Notifier

PAGE = Path(__file__).parents[1] / "deploy" / "plugin.md"


def blocks(language: str, heading: str = "A notifier") -> list[str]:
    """The code of one section of the page."""
    section = PAGE.read_text().split(f"## {heading}")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The package in a folder of the path, with what a build writes beside it; gives its section of a configuration."""
    (code,) = blocks("python")
    project, section = blocks("toml")
    described = tomllib.loads(project)["project"]
    (tmp_path / "paper.py").write_text(code)
    beside = tmp_path / "kiosk_paper-1.0.dist-info"
    beside.mkdir()
    (beside / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {described['name']}\nVersion: 1.0\n")
    points = [
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in p.items()) for group, p in described["entry-points"].items()
    ]
    (beside / "entry_points.txt").write_text("\n".join(points) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield section
    sys.modules.pop("paper", None)


def made(section: str) -> Notifier:
    (parsed,) = config.parse(section, "kiosk.toml", {}).notifiers.values()
    assert parsed.alarms_only
    return cast("Notifier", plugins.make("notifiers", parsed))


def test_the_example_does_what_the_page_says(installed: str, tmp_path: Path) -> None:
    printer = tmp_path / "lp0"
    notifier = made(installed + f'printer = "{printer}"\n')
    with pytest.raises(NotifierError, match="there is no printer"):
        notifier.check()
    printer.touch()
    notifier.check()
    notifier.notify(Notice("n", "door.forced_open", "main", datetime(2026, 3, 1, 7, 30, tzinfo=UTC), urgent=True))
    notifier.close()
    assert printer.read_text() == "2026-03-01 07:30:00 main door.forced_open \n"
    printer.unlink()
    printer.mkdir()
    with pytest.raises(NotifierError):
        notifier.notify(Notice("n", "door.opened", "main", datetime.now(UTC)))


@pytest.mark.prove
@pytest.mark.usefixtures("installed")
def test_it_passes_the_suite_as_the_page_shows(tmp_path: Path) -> None:
    (suite,) = blocks("python", "Test it")
    file = tmp_path / "test_paper.py"
    file.write_text(suite)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(file)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "6 passed, 2 skipped" in run.stdout


def test_its_keys_are_checked_and_it_is_loaded_only_by_name(installed: str) -> None:
    with pytest.raises(ConfigError, match="colour: unknown key"):
        made(installed + 'colour = "red"\n')
    assert "paper" in sys.modules, "loaded now"
    with pytest.raises(ConfigError, match=r"installed are: .*paper"):
        plugins.load("notifiers", "papyrus")


def test_nothing_is_loaded_that_was_not_asked_for(installed: str) -> None:
    sys.modules.pop("paper", None)
    plugins.load("notifiers", "led")
    assert "paper" not in sys.modules
