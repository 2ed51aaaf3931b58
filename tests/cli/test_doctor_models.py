"""`kiosk doctor` asks each network for a real answer."""

from __future__ import annotations

import pytest

from kiosk.cli import doctor_models
from kiosk.cli.doctor_check import Patient
from kiosk.config import Config
from kiosk.sections import ModelsConfig
from kiosk.vision.detector import FaceDetector
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder


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


REAL = {
    "camera": {"kind": "usb"},
    "lock": {"kind": "usb-hid", "channel": 2, "fail_mode": "secure", "active_high": True},
}
RESEARCH = next(
    e.name for e in Manifest(default_folder()).entries if isinstance(e, EmbedderEntry) and e.terms == "research-only"
)


def terms(
    embedder: str, research_only: bool = False, previous: str | None = None, **more: object
) -> list[tuple[str, str, str]]:
    models = {"embedder": embedder, "previous": previous, "research_only": research_only}
    found = doctor_models.findings(Patient(Config.model_validate({"models": models, **more})))
    return [(f.state.value, f.what, f.mend) for f in found if "research only" in f.what]


def test_an_embedder_for_research_only_needs_the_admins_word_before_a_real_lock() -> None:
    (state, what, mend), pictures = terms(RESEARCH, **REAL)
    assert (state, "the weights of" in what, "research_only = true" in mend) == ("problem", True, True)
    assert pictures[0] == "ok"
    assert [state for state, *_ in terms(RESEARCH, research_only=True, **REAL)] == ["ok", "ok"]
    assert [state for state, *_ in terms(RESEARCH)] == ["ok", "ok"]  # the demonstration, a simulated lock


def test_the_embedder_of_before_is_one_too_until_the_change_is_finished() -> None:
    assert [state for state, *_ in terms("freefacenet", previous=RESEARCH, **REAL)] == ["problem", "ok"]
    assert [state for state, *_ in terms("freefacenet", **REAL)] == ["ok"]


def test_where_the_pictures_were_for_research_only_each_network_is_named() -> None:
    (_, what, mend) = terms(RESEARCH)[-1]
    manifest, used = Manifest(default_folder()), ModelsConfig(embedder=RESEARCH)
    chosen = [e for e in manifest.entries if e.name in (used.detector, used.embedder, *used.pad)]
    assert [e.pictures for e in chosen] == ["research-only"] * 4
    assert all(e.model_id in what for e in chosen)
    assert "models/README.md" in mend
