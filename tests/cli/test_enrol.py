"""`kiosk enrol`, as it is meant to be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.models import load

Command = Callable[..., Any]


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
    (folder / "2.png").write_bytes(b"torn")
    said = kiosk("enrol", "--name", "Ben", folder)
    assert (said.status, said.err) == (0, [f"kiosk: left out: {folder / '2.png'}: not a readable picture"])
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
