"""`kiosk evaluate pad` with other networks beside the kiosk's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from kiosk.cameras.simulated import SimulatedCamera
from kiosk.cameras.story import VISITORS
from kiosk.vision.manifest import Manifest, PadEntry, default_folder

Command = Callable[..., Any]
FILE = default_folder() / "pad-2.7.onnx"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The visitors as they are and blurred to half and to a quarter, each source with both kinds."""
    folder = tmp_path / "set"
    for label, strength in (("bona_fide", 1), ("attack", 31)):
        for visitor in VISITORS:
            path = folder / label / f"{visitor.key}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), cv2.blur(SimulatedCamera.enrolment_picture(visitor), (strength, strength)))
    return folder


def test_references_are_held_to_the_kiosks_bpcer(kiosk: Command, root: Path, tmp_path: Path) -> None:
    report, plot = tmp_path / "report.json", tmp_path / "plot.png"
    arguments = ["--reference", f"{FILE}@2.7", "--reference", f"{FILE}@4.0", "--report", report]
    if _matplotlib():
        arguments += ["--plot", plot]
    status, out, err = kiosk("evaluate", "pad", root, *arguments)
    assert (status, err) == (0, [])
    row = json.loads(out[-1])
    assert json.loads(report.read_text()) == row
    assert row["models"] == "pad-2.7, pad-4.0"
    assert [r["models"] for r in row["references"]] == [f"{FILE}@2.7", f"{FILE}@4.0"]
    for reference in row["references"]:
        assert reference["bpcer"] <= row["bpcer"]
        assert reference["attacks"] == row["attacks"]
        assert set(reference["sources"]) == set(row["sources"]) == {"set"}
    assert any("mean of APCER and BPCER" in line for line in out)
    assert plot.exists() == _matplotlib()


def test_one_network_alone_is_at_its_own_threshold(kiosk: Command, root: Path) -> None:
    """...and a reference of the same file gives the same scores."""
    row = kiosk("evaluate", "pad", root, "--model", "pad-2.7", "--reference", f"{FILE}@2.7", "--json").rows[0]
    assert row["models"] == "pad-2.7"
    assert row["threshold"] == Manifest(default_folder()).entry("pad-2.7", PadEntry).threshold
    assert row["references"][0]["eer"] == row["eer"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--reference", str(FILE)], "FILE@CONTEXT"),
        (["--reference", f"{FILE}@wide"], "FILE@CONTEXT"),
        (["--reference", f"{FILE}@0.2"], "1 to 10 times"),
        (["--reference", "gone.onnx@2.7"], "cannot be read"),
        (["--reference", f"{Path(__file__)}@2.7"], "no network in ONNX"),
        (["--model", "pad-9"], "there is no pad 'pad-9'"),
        (["--source", "nobody"], "no source 'nobody'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(kiosk: Command, root: Path, arguments: list[str], words: str) -> None:
    status, out, err = kiosk("evaluate", "pad", root, *arguments)
    assert (status, out) == (2, [])
    assert len(err) == 1
    assert words in err[0]


def test_a_reference_needs_bona_fide_presentations(kiosk: Command, root: Path) -> None:
    for path in (root / "bona_fide").iterdir():
        path.unlink()
    status, out, err = kiosk("evaluate", "pad", root, "--reference", f"{FILE}@2.7")
    assert (status, out) == (2, [])
    assert len(err) == 1


def _matplotlib() -> bool:
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    return bool(mpl.__version__)
