"""`kiosk doctor` asks each network for a real answer."""

from __future__ import annotations

import pytest

from kiosk.cli import doctor_models
from kiosk.cli.doctor_check import Patient
from kiosk.config import Config
from kiosk.vision.detector import FaceDetector
from kiosk.vision.embedder import FaceEmbedder


def answers(**attempt: float) -> tuple[str, str]:
    (found,) = doctor_models.answers(Patient(Config.model_validate({"attempt": attempt})))
    return found.state.value, found.what


def test_each_network_answers_and_its_time_is_told() -> None:
    state, what = answers()
    assert state == "ok"
    assert [part.split()[0] for part in what.split(", ")] == ["detector", "PAD", "embedder"]


def test_a_board_that_is_too_slow_for_an_attempt_is_a_problem() -> None:
    state, what = answers(seconds=0.0001)
    assert (state, "the 3 frames of an attempt take" in what) == ("problem", True)


def test_networks_that_see_nobody_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaceEmbedder, "embed", lambda *_: None)
    assert answers() == ("problem", "the embedder takes a person's face for none")
    monkeypatch.setattr(FaceDetector, "detect", lambda *_: [])
    assert answers() == ("problem", "the detector finds 0 faces on the picture of one")
