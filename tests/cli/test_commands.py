"""The commands as they are meant to be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.models import load

Command = Callable[..., Any]
FIXED_NAMES = {"event", "outcome", "reason", "subject", "score"}


@pytest.fixture
def ada(enrolled: Path) -> str:
    """Enrolled; her id."""
    with closing(sqlite3.connect(enrolled / "gallery.db")) as db:
        ((subject_id,),) = db.execute("SELECT id FROM subject").fetchall()
    return str(subject_id)


def test_enrol_and_identify(kiosk: Command, portraits: dict[str, Path]) -> None:
    (row,) = kiosk("enrol", "--json", "--name", "Ada Example", portraits["ada"]).rows
    ada = row["subject"]
    rows = kiosk("identify", "--json", portraits["ada"], portraits["ben"]).rows
    assert [row["subject"] for row in rows] == [ada, None]
    assert rows[0]["score"] > rows[0]["threshold"] > rows[1]["score"]
    said = kiosk("identify", portraits["ada"])
    assert "Ada Example" in said.out[0]


def test_who_wears_a_mask_is_not_enrolled_and_identify_says_why(
    kiosk: Command, ada: str, portraits: dict[str, Path], tmp_path: Path
) -> None:
    image = cv2.imread(str(portraits["ben"]))
    assert image is not None
    models = load(ModelsConfig(), PolicyConfig())
    (face,) = models.detector.detect(image.astype(np.uint8))
    (left, _), (right, _), (_, nose), *_ = face.landmarks
    below = face.box.y + face.box.height
    outline = [(left - 20, nose), (right + 20, nose), (right + 10, below), (left - 10, below)]
    where = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(where, [np.array(outline, np.int32)], 1)
    # A mask of one colour makes a drawn face as like its mirror image as no natural one is: this one is lit.
    lit = np.linspace(60, 230, image.shape[1])[:, None] * (1.0, 0.9, 0.65)
    image[where > 0] = np.broadcast_to(lit, image.shape)[where > 0]
    masked = tmp_path / "masked.png"
    cv2.imwrite(str(masked), image)
    result = kiosk("enrol", "--name", "Ben", masked)
    assert result.status == 2
    assert result.err == [f"kiosk: {masked}: mouth or nose is covered: take off the mask"]
    (row,) = kiosk("identify", "--json", masked).rows
    assert (row["hint"], row["flaw"]) == ("mouth_covered", None)
    assert kiosk("identify", masked).out[0].endswith("quality mouth covered")
    assert [r["name"] for r in kiosk("subjects", "list", "--json").rows] == ["Ada Example"]


def test_enrol_from_a_folder_and_from_a_clip(
    kiosk: Command, portraits: dict[str, Path], clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "ben"
    folder.mkdir()
    (folder / "1.png").write_bytes(portraits["ben"].read_bytes())
    assert kiosk("enrol", "--name", "Ben", folder).status == 0
    (row,) = kiosk("enrol", "--json", "--name", "Ada", clip).rows
    assert row["references"] >= 1
    assert [r["name"] for r in kiosk("subjects", "list", "--json").rows] == ["Ben", "Ada"]


def test_somebody_enrolled_again_is_the_same_subject_with_new_references(
    kiosk: Command, portraits: dict[str, Path], clip: Path
) -> None:
    (first,) = kiosk("enrol", "--json", "--name", "Ada", "--badge", "7", portraits["ada"]).rows
    said = kiosk("enrol", "--again", "Ada", clip)
    assert said.out[0].startswith(f"enrolled {first['subject']} again with ")
    (row,) = kiosk("subjects", "list", "--json").rows
    assert (row["subject"], row["badge"], row["enrol_again"]) == (first["subject"], 7, False)
    assert kiosk("identify", "--json", portraits["ada"]).rows[0]["subject"] == first["subject"]
    assert [r["outcome"] for r in kiosk("audit", "show", "--json").rows] == ["enrolled", "enrolled_again"]


def test_who_was_enrolled_with_another_network_is_listed_and_enrolled_again(
    kiosk: Command, ada: str, home: Path, portraits: dict[str, Path]
) -> None:
    with closing(sqlite3.connect(home / "gallery.db")) as db, db:
        db.execute("UPDATE reference SET model_id = 'kiosk-mobilefacenet-0'")
    assert kiosk("subjects", "list").out == [f"{ada}  Ada Example  (enrol again)"]
    assert kiosk("enrol", "--name", "Ben", portraits["ben"]).err[-1].endswith("enrol again (`kiosk enrol --again`)")
    assert kiosk("enrol", "--again", ada, portraits["ada"]).err == []
    assert [r["enrol_again"] for r in kiosk("subjects", "list", "--json").rows] == [False, False]
    assert kiosk("identify", "--json", portraits["ada"]).rows[0]["subject"] == ada


def test_replay_grants_the_enrolled_and_begins_again_after_each_decision(kiosk: Command, ada: str, clip: Path) -> None:
    result = kiosk("replay", "--json", "--until", "3", clip)
    assert result.status == 0
    *decisions, summary = result.rows
    assert all(set(d) >= FIXED_NAMES and d["event"] == "decision" for d in decisions)
    granted = [d for d in decisions if d["outcome"] == "granted"]
    assert len(granted) > 3
    assert {d["subject"] for d in granted} == {ada}
    assert all(d["seconds"] <= 1 for d in granted)
    assert (summary["event"], summary["frames"], summary["granted"]) == ("summary", 45, len(granted))


def test_replay_is_deterministic(kiosk: Command, ada: str, clip: Path) -> None:
    def decisions() -> list[tuple[Any, ...]]:
        rows = kiosk("replay", "--json", "--until", "3", clip).rows[:-1]
        return [(d["frame"], d["outcome"], d["reason"], d["score"], d["pad"], d["quality"]) for d in rows]

    first = decisions()
    assert len(first) > 1
    assert decisions() == first


def test_replay_refuses_everybody_with_an_empty_gallery(kiosk: Command, clip: Path) -> None:
    *decisions, summary = kiosk("replay", "--json", "--until", "3", clip).rows
    assert decisions
    assert summary["granted"] == 0
    assert "not_enrolled" in {d["reason"] for d in decisions}


def test_a_disabled_subject_is_refused_and_an_enabled_one_is_not(kiosk: Command, ada: str, clip: Path) -> None:
    assert kiosk("subjects", "disable", ada).status == 0
    *decisions, _ = kiosk("replay", "--json", "--until", "2.5", clip).rows
    assert {d["reason"] for d in decisions if d["subject"]} == {"subject_disabled"}
    assert kiosk("subjects", "enable", "Ada Example").status == 0
    assert kiosk("replay", "--json", "--until", "2.5", clip).rows[-1]["granted"] > 0


def test_enrolment_stores_the_validity(kiosk: Command, portraits: dict[str, Path], clip: Path) -> None:
    assert kiosk("enrol", "--name", "Ada", "--valid-until", "2020-01-01", portraits["ada"]).status == 0
    *decisions, _ = kiosk("replay", "--json", "--until", "2.5", clip).rows
    assert {d["reason"] for d in decisions if d["subject"]} == {"validity_ended"}


def test_a_removed_subject_is_no_longer_found(kiosk: Command, ada: str, portraits: dict[str, Path]) -> None:
    assert kiosk("subjects", "remove", "--yes", ada[:6]).status == 0
    assert kiosk("subjects", "list", "--json").rows == []
    assert kiosk("identify", "--json", portraits["ada"]).rows[0]["subject"] is None
    assert kiosk("subjects", "show", ada).status == 2


def test_the_audit_log_tells_of_enrolments_without_names(kiosk: Command, ada: str) -> None:
    kiosk("subjects", "disable", ada)
    result = kiosk("audit", "show", "--json")
    assert [(r["kind"], r["subject"]) for r in result.rows] == [("enrolment", ada), ("subject", ada)]
    assert "Ada" not in "".join(result.out)
    assert len(kiosk("audit", "show").out) == 2
    assert kiosk("audit", "show", "--json", "--kind", "decision").rows == []


def test_doctor_checks_models_and_gallery(kiosk: Command, ada: str) -> None:
    result = kiosk("doctor", "--json")
    checks = {row["check"]: row["level"] for row in result.rows}
    assert checks["models"] == checks["gallery"] == "ok"
    assert result.status == (1 if "bad" in checks.values() else 0)


def test_doctor_finds_what_is_wrong(kiosk: Command, ada: str, home: Path, tmp_path: Path) -> None:
    (home / "gallery.key").write_bytes(b"short")
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[camera]\nkind = "usb"\ndevice = "/dev/not-there"\n[door]\nsocket = "{tmp_path}/door.sock"\n')
    result = kiosk("doctor", "--json", "--config", config)
    levels = {row["check"]: row["level"] for row in result.rows}
    assert result.status == 1
    assert [levels[c] for c in ("models", "gallery", "camera", "door")] == ["ok", "bad", "bad", "bad"]


@pytest.mark.parametrize(
    ("fixed", "level", "said"),
    [(None, "ok", "for 1 references, expected FPIR 0.001"), ("0.1", "bad", "is below"), ("0.99", "ok", "0.9900")],
)
def test_doctor_tells_the_threshold(
    kiosk: Command, ada: str, monkeypatch: pytest.MonkeyPatch, fixed: str | None, level: str, said: str
) -> None:
    if fixed:
        monkeypatch.setenv("KIOSK_POLICY__THRESHOLD", fixed)
    (row,) = [row for row in kiosk("doctor", "--json").rows if row["check"] == "threshold"]
    assert row["level"] == level
    assert said in row["message"]
    if level == "bad":
        assert kiosk("doctor").status == 1
