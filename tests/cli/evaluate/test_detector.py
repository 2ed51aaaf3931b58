"""`kiosk evaluate detector`, on the demonstration's visitors and on real people where they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.face import Face, Image
from kiosk.evaluation.detector import load
from kiosk.evaluation.truth import COLUMNS
from kiosk.sections import ModelsConfig
from kiosk.vision.model_files import default_folder

Command = Callable[..., tuple[int, list[str], list[str]]]

SHARED = Path(os.environ.get("KIOSK_SHARED") or Path(__file__).resolve().parents[4] / "shared")
YUNET = SHARED / "weights" / "face_detection_yunet_2023mar.onnx"
FRAMES = Path(__file__).resolve().parents[3] / "models" / "train" / "detector" / "frames.csv"
KEYS = {"recall", "bands", "sources", "landmark_error", "landmark_error_p95", "false", "crops", "false_crops", "ms"}


def row(name: str, face: Face | None) -> str:
    if face is None:
        return f"{name},wall,,,,," + "," * 10
    b = face.box
    values = [b.x, b.y, b.width, b.height, *(v for point in face.landmarks for v in point)]
    return f"{name},visitors,0," + ",".join(f"{v:.1f}" for v in values)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The visitors where the detector itself sees them, a grey wall, and the list."""
    _, _, door = load(ModelsConfig(), None)
    rows = [",".join(COLUMNS)]
    for visitor in VISITORS:
        image: Image = SimulatedCamera.enrolment_picture(visitor)
        assert cv2.imwrite(str(tmp_path / f"{visitor.key}.png"), image)
        rows.append(row(f"{visitor.key}.png", door.detect(image)[0]))
    assert cv2.imwrite(str(tmp_path / "wall.png"), np.full((240, 320, 3), 128, np.uint8))
    (tmp_path / "truth.csv").write_text("\n".join([*rows, row("wall.png", None)]))
    return tmp_path


def test_evaluate_detector_measures_faces_at_known_places(root: Path, kiosk: Command) -> None:
    status, out, _ = kiosk("evaluate", "detector", root, "--truth", root / "truth.csv")
    assert status == 0
    result = json.loads(out[-1])
    assert (result["pictures"], result["faces"]) == (5, 4)
    whole, door = (result["detectors"][n] for n in (result["model_id"], f"{result['model_id']}, door"))
    assert whole.keys() >= KEYS
    assert door["recall"] == whole["recall"] == 1
    assert door["landmark_error"] < 0.001
    assert whole["landmark_error"] < 0.1
    assert (door["false"], whole["false"], whole["false_crops"]) == (0, 0, 0)
    assert whole["crops"] >= 12
    assert whole["sources"]["visitors"]["recall"] == 1
    assert sum(band["faces"] for band in whole["bands"].values()) == 4
    assert any("landmarks" in line for line in out)


def test_a_moved_face_is_a_miss_and_a_false_detection(root: Path, kiosk: Command) -> None:
    lines = (root / "truth.csv").read_text().splitlines()
    name, source, ignore, x, *rest = lines[1].split(",")
    lines[1] = ",".join([name, source, ignore, str(float(x) + 500), *rest])
    (root / "truth.csv").write_text("\n".join(lines))
    _, out, _ = kiosk("evaluate", "detector", root, "--truth", root / "truth.csv", "--json")
    assert len(out) == 1
    result = json.loads(out[0])
    found = result["detectors"][result["model_id"]]
    assert (found["recall"], found["false"]) == (0.75, 1)


def test_evaluate_detector_takes_one_face_over_the_centre_without_a_list(root: Path, kiosk: Command) -> None:
    """Of five pictures the wall has none."""
    status, out, _ = kiosk("evaluate", "detector", root, "--json")
    assert status == 0
    result = json.loads(out[0])
    found = result["detectors"][result["model_id"]]
    assert found["recall"] == 0.8
    assert (found["crops"], found["landmark_error"], found["false"]) == (0, None, None)


def test_evaluate_detector_writes_a_plot_and_a_report(root: Path, kiosk: Command) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    files = "--plot", root / "p.png", "--report", root / "r.json"
    status, out, _ = kiosk("evaluate", "detector", root, "--truth", root / "truth.csv", "--json", *files)
    assert status == 0
    assert (root / "p.png").read_bytes().startswith(b"\x89PNG")
    report, summary = json.loads((root / "r.json").read_text()), json.loads(out[0])
    assert {k: v for k, v in report.items() if k != "curves"} == summary
    for points in report["curves"].values():
        recalls = [p["recall"] for p in points]
        assert recalls == sorted(recalls)
        assert recalls[-1] == 1


@pytest.mark.parametrize("what", ["root", "list", "picture", "face", "reference", "other network"])
def test_bad_input_is_one_line_and_status_2(root: Path, kiosk: Command, what: str) -> None:
    arguments: list[str | Path] = [root, "--truth", root / "truth.csv"]
    if what == "root":
        arguments[0] = root / "nowhere"
    elif what == "list":
        (root / "truth.csv").write_text("picture\na.png\n")
    elif what == "picture":
        (root / "wall.png").unlink()
    elif what == "face":
        (root / "truth.csv").write_text(",".join(COLUMNS) + "\n" + row("wall.png", None))
    elif what == "other network":
        arguments += ["--reference", default_folder() / "pad-2.7.onnx"]
    else:
        (root / "reference.onnx").write_bytes(b"no network")
        arguments += ["--reference", root / "reference.onnx"]
    status, out, err = kiosk("evaluate", "detector", *arguments)
    assert (status, out) == (2, [])
    assert len(err) == 1


@pytest.mark.prove
@pytest.mark.shared
@pytest.mark.skipif(not YUNET.is_file(), reason="needs the shared research sets: name their folder in KIOSK_SHARED")
def test_evaluate_detector_compares_with_yunet_on_real_people(kiosk: Command, tmp_path: Path) -> None:
    """Every fifteenth of the frames that were checked by eye."""
    lines = [line for line in FRAMES.read_text().splitlines() if not line.startswith("#")]
    names = sorted({line.partition(",")[0] for line in lines[1:]})[::15]
    chosen = [line for line in lines[1:] if line.partition(",")[0] in names]
    (tmp_path / "truth.csv").write_text("\n".join([lines[0], *chosen]))
    status, out, _ = kiosk(
        "evaluate", "detector", SHARED, "--truth", tmp_path / "truth.csv", "--reference", YUNET, "--json"
    )
    assert status == 0
    result = json.loads(out[0])
    assert result["pictures"] == 20
    ours, theirs = (result["detectors"][n] for n in (result["model_id"], YUNET.stem))
    assert ours["recall"] >= theirs["recall"] - 0.1
    assert ours["false"] == 0
    low, value, high = (result["landmark_ratio"][k] for k in ("low", "value", "high"))
    assert low <= value <= high
    assert 0.8 < value < 1.2
    assert result["time"]["network_ratio"] > 0
