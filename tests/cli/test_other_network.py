"""References that were made with another network: they are never compared, and every affected command says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiosk.evaluation import trial
from tests.cli.own_network import ABOUT
from tests.fakes import onnx_file

Command = Callable[..., Any]
WORDS = "1 reference was made with another network: enrol again (`kiosk enrol --again`)"


@pytest.fixture
def other(
    kiosk: Command, portraits: dict[str, Path], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Ada is enrolled, and then the configuration names another network, which takes nearly all faces for one."""
    assert kiosk("enrol", "--name", "Ada", portraits["ada"]).status == 0
    (tmp_path / "own.onnx").write_bytes(onnx_file.embedder())
    (tmp_path / "own.toml").write_text(ABOUT + "threshold = 0.1\nthreshold_fmr = 0.001\n")
    monkeypatch.setattr(trial, "check_apart", lambda *_: None)
    assert kiosk("models", "install", tmp_path / "own.onnx").status == 0
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[models]\nfolder = "{home / "models"}"\nembedder = "own"\n')
    return config


def test_nobody_is_recognised_and_the_reason_is_said(
    kiosk: Command, other: Path, portraits: dict[str, Path], clip: Path
) -> None:
    result = kiosk("identify", "--config", other, portraits["ada"])
    assert result.status == 2
    assert [WORDS in line for line in result.err] == [True]
    *decisions, summary = kiosk("replay", "--config", other, "--json", clip).rows
    assert decisions
    assert {(d["outcome"], d["reason"]) for d in decisions} == {("refused", "references_of_another_model")}
    assert summary["granted"] == 0


def test_doctor_names_references_of_another_network_until_all_are_enrolled_again(
    kiosk: Command, other: Path, portraits: dict[str, Path], home: Path
) -> None:
    def finding() -> list[tuple[object, object]]:
        rows = kiosk("doctor", "--config", other, "--json").checks
        return [(r["state"], r["what"]) for r in rows if r["name"] == "references"]

    assert finding() == [("problem", WORDS)]
    old = kiosk("subjects", "list", "--json").rows[0]["subject"]
    enrolled = kiosk("enrol", "--config", other, "--name", "Ada", "--json", portraits["ada"])
    assert [WORDS in line for line in enrolled.err] == [True]
    new = enrolled.rows[0]["subject"]
    assert finding() == [("ok", WORDS)]
    assert kiosk("identify", "--config", other, "--json", portraits["ada"]).rows[0]["subject"] == new
    assert kiosk("identify", "--json", portraits["ada"]).rows[0]["subject"] == old
    assert kiosk("subjects", "remove", str(old), "--yes").status == 0
    assert finding() == []
