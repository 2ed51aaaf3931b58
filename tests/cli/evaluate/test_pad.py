"""`kiosk evaluate pad` with other networks beside the kiosk's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.evaluation import pad_attempts
from kiosk.vision.manifest import Manifest, PadEntry
from kiosk.vision.model_files import default_folder

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


@pytest.mark.prove
def test_reference_networks_are_compared_at_the_kiosks_bpcer(kiosk: Command, root: Path, tmp_path: Path) -> None:
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
    """...and a reference that answers twice, as it does, is held to both answers at its BPCER."""
    row = kiosk("evaluate", "pad", root, "--model", "pad-2.7", "--reference", f"{FILE}@2.7", "--json").rows[0]
    assert row["models"] == "pad-2.7"
    assert row["threshold"] == Manifest(default_folder()).entry("pad-2.7", PadEntry).threshold
    (reference,) = row["references"]
    assert (reference["bpcer"], reference["bona_fides"]) == (row["bpcer"], row["bona_fides"])
    assert reference["apcer"] <= row["apcer"]


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
        (["--species", "--bona-fide", "gone.mp4"], "no such clip"),
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--species", "--pictures", "0"], "0 is not in the range"),
        (["--species", "--reference", f"{FILE}@2.7"], "neither --reference nor --plot"),
        (["--bona-fide", "gone.mp4"], "goes with --species"),
    ],
)
def test_evaluate_pad_refuses_options_that_exclude_each_other(
    kiosk: Command, root: Path, arguments: list[str], words: str
) -> None:
    status, out, err = kiosk("evaluate", "pad", root, *arguments)
    assert (status, out) == (2, [])
    assert words in err[-1]


def test_evaluate_pad_species_names_the_worst_species(
    kiosk: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pad_attempts, "FRAMES", 4)
    for path in list((root / "attack").iterdir())[1:]:
        path.unlink()
    report = tmp_path / "report.json"
    status, out, err = kiosk("evaluate", "pad", root, "--species", "--pictures", "1", "--report", report)
    assert (status, err) == (0, [])
    row = json.loads(out[-1])
    assert json.loads(report.read_text()) == row
    assert len(row["species_and_distance"]) == 13
    assert row["worst_species"] in row["species"]
    assert row["apcer_worst"] == max(c["attempts"]["rate"] for c in row["species"].values())
    assert set(row["bona_fide"]) == {"set", "demonstration", "all"}
    demonstration = row["bona_fide"]["demonstration"]["attempts"]
    assert (demonstration["errors"], demonstration["trials"]) == (0, 5)
    assert any(line.startswith("worst species: ") for line in out)


def test_species_need_an_attack_with_a_face(kiosk: Command, root: Path) -> None:
    for words in ("shows a face", "no attack among"):
        for path in (root / "attack").iterdir():
            if words == "shows a face":
                cv2.imwrite(str(path), np.zeros((100, 100, 3), np.uint8))
            else:
                path.unlink()
        status, out, err = kiosk("evaluate", "pad", root, "--species", "--pictures", "1")
        assert (status, out) == (2, [])
        assert len(err) == 1
        assert words in err[0]


def _matplotlib() -> bool:
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    return bool(mpl.__version__)
