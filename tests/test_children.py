"""The processes that the program starts: never with code from the current folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kiosk.domain.errors import ModelError
from kiosk.evaluation import trial
from kiosk.gui import probe

ROOT = Path(__file__).parents[1]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Is there once the package `kiosk` of the current folder, which is somebody else's, was imported."""
    mark, package = tmp_path / "imported", tmp_path / "hostile" / "kiosk"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(mark)!r}, 'w').close()\nraise SystemExit(2)\n")
    monkeypatch.chdir(package.parent)
    return mark


def test_the_trial_of_a_network_is_made_with_the_programs_own_code(imported: Path) -> None:
    with pytest.raises(ModelError, match="list of models cannot be read"):
        trial.check_apart(imported.parent, "own")
    assert not imported.exists()


@pytest.mark.qt
def test_qt_is_asked_with_the_programs_own_code(imported: Path) -> None:
    assert probe.undrawable(["\U0010fffd"]) == "\U0010fffd"
    assert not imported.exists()


def test_every_module_is_run_without_the_current_folder() -> None:
    """`-m` looks there first, `-P` keeps it from that."""
    calls = units = 0
    for path in (ROOT / "kiosk").rglob("*.py"):
        text = re.sub(r"\s", "", path.read_text(encoding="utf-8"))
        calls += text.count('"-m"')
        assert text.count('"-m"') == text.count('"-P","-m"'), path
    for path in (ROOT / "systemd").iterdir():
        text = path.read_text(encoding="utf-8")
        units += len(re.findall(r"python\S* .*-m ", text))
        assert not re.search(r"python\S* (?!-Ps )", text), path
    assert calls, "where the program starts itself"
    assert units, "where systemd starts a module of it"
