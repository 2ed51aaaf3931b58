from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.sections import ModelsConfig
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder

Command = Callable[..., tuple[int, list[str], list[str]]]

SHARED = Path(os.environ.get("KIOSK_SHARED") or Path(__file__).resolve().parents[3] / "shared") / "faces"
LFW = SHARED / "lfw-view1-devtest.tar"
PAD = SHARED / "pad-00.tar"


def paint(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def visitors(tmp_path: Path) -> Path:
    """The demonstration's visitors as if LFW had them, twice each: the second picture is the first in a mirror."""
    people = [v.key for v in VISITORS]
    for visitor in VISITORS:
        image = SimulatedCamera.enrolment_picture(visitor)
        paint(tmp_path / "deep" / visitor.key / f"{visitor.key}_0001.png", image)
        paint(tmp_path / "deep" / visitor.key / f"{visitor.key}_0002.png", np.ascontiguousarray(image[:, ::-1]))
    mated = [f"{p}\t1\t2" for p in people] * 3
    non_mated = [f"{a}\t1\t{b}\t1" for a, b in combinations(people, 2)] * 2
    (tmp_path / "pairs.txt").write_text("\n".join(["12", *mated, *non_mated]))
    return tmp_path


def test_evaluate_lfw_works_end_to_end(visitors: Path, kiosk: Command) -> None:
    status, out, _ = kiosk("evaluate", "lfw", visitors, "--pairs", visitors / "pairs.txt", "--all-pairs")
    assert status == 0
    result = json.loads(out[-1])
    assert result["accuracy"] == 1
    assert result["accuracy_se"] == 0
    assert result["fte"] == 0
    assert result["tar"] == {"0.001": 1, "0.0001": 1, "0.00001": 1, "0.000001": 1}
    assert set(result["false_matches"].values()) == {0}
    assert (result["pairs"], result["pictures"]) == (24, 8)
    assert (result["mated_pairs"], result["non_mated_pairs"]) == (4, 24)
    assert result["model_id"].startswith("kiosk-")
    assert any("too few to rely on" in line for line in out)


def test_evaluate_lfw_prints_only_json_with_json(visitors: Path, kiosk: Command) -> None:
    status, out, _ = kiosk("evaluate", "lfw", visitors, "--pairs", visitors / "pairs.txt", "--json")
    assert status == 0
    assert len(out) == 1
    assert json.loads(out[0])["tar"] == {}


def test_evaluate_lfw_writes_all_figures_into_the_report(visitors: Path, kiosk: Command, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ["evaluate", "lfw", visitors, "--pairs", visitors / "pairs.txt", "--all-pairs", "--report", report]
    status, out, _ = kiosk(*arguments)
    assert status == 0
    last, whole = json.loads(out[-1]), json.loads(report.read_text())
    assert whole.items() >= last.items()
    assert len(whole["folds"]) == 10
    assert whole["at_far"]["0.001"]["reliable"] is False
    assert sum(b["mated"] for b in whole["histogram"]) == last["mated_pairs"]
    assert sum(b["non_mated"] for b in whole["histogram"]) == last["non_mated_pairs"]
    assert whole["det"][0]["far"] == 1
    assert last["threshold_squared_l2"] == pytest.approx(2 - 2 * last["threshold"], abs=2e-4)


@pytest.mark.parametrize("command", ["lfw", "quantization"])
def test_a_report_that_cannot_be_written_is_told_before_the_work(visitors: Path, kiosk: Command, command: str) -> None:
    report = visitors / "nowhere" / "report.json"
    status, out, err = kiosk("evaluate", command, visitors, "--pairs", visitors / "pairs.txt", "--report", report)
    assert (status, out) == (2, [])
    assert len(err) == 1
    assert "cannot be written there" in err[0]


def test_evaluate_quantization_works_end_to_end(visitors: Path, kiosk: Command, tmp_path: Path) -> None:
    """The shipped network against itself loses nothing."""
    entry = Manifest(default_folder()).entry(ModelsConfig().embedder, EmbedderEntry)
    same, report = default_folder() / entry.file, tmp_path / "report.json"
    arguments = ["--pairs", visitors / "pairs.txt", "--float", same, "--reduced", same, "--report", report]
    status, out, _ = kiosk("evaluate", "quantization", visitors, *arguments)
    assert status == 0
    last = json.loads(out[-1])
    assert last == json.loads(report.read_text())
    kinds = [(r["network"], r["template"]) for r in last["rows"]]
    assert kinds == [
        ("fp32", "float"),
        ("fp32", "bytes"),
        ("int8", "float"),
        ("int8", "bytes"),
        ("int8", "bits"),
        ("7-bit", "bytes"),
    ]
    assert all(r["accuracy"] == 1 for r in last["rows"] if r["template"] != "bits")
    assert [loss["loss"] for loss in last["losses"]] == [0] * 5
    assert (last["pairs"], last["pictures"], last["fte"]) == (24, 8, 0)


def test_quantization_without_the_float_network_says_what_to_give(visitors: Path, kiosk: Command) -> None:
    status, out, err = kiosk("evaluate", "quantization", visitors, "--pairs", visitors / "pairs.txt")
    assert (status, out) == (2, [])
    assert len(err) == 1
    assert "--float FILE is needed" in err[0]


def test_a_picture_without_a_face_is_an_error(visitors: Path, kiosk: Command) -> None:
    """One of four people: three of twelve mated pairs, and six of twelve non-mated ones."""
    key = VISITORS[0].key
    paint(visitors / "deep" / key / f"{key}_0001.png", np.full((200, 200, 3), 128, np.uint8))
    _, out, _ = kiosk("evaluate", "lfw", visitors, "--pairs", visitors / "pairs.txt", "--json")
    result = json.loads(out[0])
    assert result["fte"] == 0.125
    # Folds differ in size: the mean over the folds is not the share of all pairs.
    assert 0.5 < result["accuracy"] < 0.7


@pytest.mark.parametrize("what", ["folder", "list", "picture", "face", "damaged"])
def test_bad_input_is_one_line_and_status_2(visitors: Path, kiosk: Command, what: str) -> None:
    root, pairs = visitors, visitors / "pairs.txt"
    pictures = sorted(visitors.rglob("*.png"))
    if what == "folder":
        root = visitors / "nowhere"
    elif what == "list":
        pairs.write_text("12\nAnn 1 2\n")
    elif what == "picture":
        pictures[0].unlink()
    elif what == "damaged":
        pictures[0].write_bytes(pictures[0].read_bytes()[:20])
    else:
        for picture in pictures:
            paint(picture, np.full((200, 200, 3), 128, np.uint8))
    status, out, err = kiosk("evaluate", "lfw", root, "--pairs", pairs)
    assert (status, out) == (2, [])
    assert len(err) == 1


@pytest.fixture
def labelled(visitors: Path) -> Path:
    """The visitors as if an aligned set had them: a folder stands for the shard, and all are held out."""
    names = [p.relative_to(visitors / "deep").as_posix() for p in sorted(visitors.rglob("*.png"))]
    rows = [f"deep,{n},utkface,,{20 + 5 * k},{k % 2},{k % 5},90,0.9" for k, n in enumerate(names)]
    header = "shard,path,source,identity,age,gender,race,face_px,score"
    (visitors / "aligned.csv").write_text("\n".join([header, *rows]))
    once = [f"utkface,{n}" for n in names if n.endswith("_0001.png")]
    (visitors / "heldout.csv").write_text("\n".join(["source,path", *once]))
    (visitors / "twice.csv").write_text("\n".join(["source,path", *(f"utkface,{n}" for n in names)]))
    return visitors


def reference() -> list[object]:
    """Another shipped embedder as the reference, one that takes whole aligned faces."""
    entry = Manifest(default_folder()).entry("mobilefacenet", EmbedderEntry)
    return ["--reference", default_folder() / entry.file, "--reference-input", "signed"]


def test_evaluate_fairness_works_end_to_end(labelled: Path, kiosk: Command) -> None:
    """Four people are too few for any rate, and it says so."""
    report = labelled / "report.json"
    arguments = [labelled, *reference(), "--heldout", labelled / "heldout.csv", "--report", report]
    status, out, _ = kiosk("evaluate", "fairness", *arguments)
    assert status == 0
    last = json.loads(out[-1])
    assert last == json.loads(report.read_text())
    assert (last["people"], last["pairs"], last["removed"], last["no_face"]) == (4, 6, 0, 0)
    assert len(last["thresholds"]) == 3  # those of the manifest down to FMR 1e-4
    for at in last["thresholds"]:
        assert {g["attribute"] for g in at["groups"]} == {"age", "gender", "race"}
        assert {g["within"]["fmr"] for g in at["groups"]} == {None}
    assert any("too few" in line for line in out)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--heldout", "twice.csv"], "is --reference-input right"),
        (["--heldout", "nowhere.csv"], "cannot be read"),
        (["--heldout", "heldout.csv", "--reference", "nowhere.onnx"], "cannot be read"),
    ],
)
def test_evaluate_fairness_reports_bad_input(labelled: Path, kiosk: Command, options: list[str], problem: str) -> None:
    given = [labelled / o if "." in o else o for o in options]
    status, out, err = kiosk("evaluate", "fairness", labelled, *reference(), *given)
    assert (status, out) == (2, [])
    assert len(err) == 1
    assert problem in err[0]


def test_evaluate_pad_works_end_to_end(visitors: Path, kiosk: Command, tmp_path: Path) -> None:
    root = tmp_path / "pad"
    for label in ("bona_fide", "attack"):
        for visitor in VISITORS:
            paint(root / label / f"{visitor.key}.png", SimulatedCamera.enrolment_picture(visitor))
    paint(root / "attack" / "nobody.png", np.full((200, 200, 3), 128, np.uint8))
    status, out, _ = kiosk("evaluate", "pad", root)
    assert status == 0
    result = json.loads(out[-1])
    assert (result["bona_fides"], result["attacks"], result["no_face"]) == (4, 4, 1)
    # The same pictures on both sides: whatever the scores are, each error of one kind is none of the other.
    assert result["apcer"] + result["bpcer"] == 1
    assert result["apcer_low"] <= result["apcer"] <= result["apcer_high"]
    assert result["threshold"] in [e.threshold for e in Manifest(default_folder()).entries if e.role == "pad"]


@pytest.mark.parametrize("sources", [["--source", "elsewhere"], []])
def test_evaluate_pad_reports_a_missing_set(kiosk: Command, tmp_path: Path, sources: list[str]) -> None:
    for label in ("bona_fide", "attack"):
        (tmp_path / label).mkdir()
    status, out, err = kiosk("evaluate", "pad", tmp_path, *sources)
    assert (status, out) == (2, [])
    assert len(err) == 1


@pytest.mark.prove
@pytest.mark.shared
@pytest.mark.skipif(not LFW.is_file(), reason="needs the shared research sets: name their folder in KIOSK_SHARED")
def test_evaluate_lfw_works_on_real_people(kiosk: Command, tmp_path: Path) -> None:
    """The first 20 pairs of either kind, read from the tar."""
    with tarfile.open(LFW) as archive:
        content = archive.extractfile("lfw/pairsDevTest.txt")
        assert content is not None
        lines = content.read().decode().splitlines()
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("\n".join(["20", *lines[1:21], *lines[501:521]]))
    status, out, _ = kiosk("evaluate", "lfw", LFW, "--pairs", pairs)
    assert status == 0
    result = json.loads(out[-1])
    assert result["pairs"] == 40
    assert result["fte"] == 0
    assert result["accuracy"] >= 0.9


@pytest.mark.shared
@pytest.mark.skipif(not PAD.is_file(), reason="needs the shared research sets: name their folder in KIOSK_SHARED")
def test_evaluate_pad_works_on_real_people(kiosk: Command, tmp_path: Path) -> None:
    """Eight pictures of either kind of the subject that no network of ours was trained on."""
    for label in ("bona_fide", "print"):
        rows = [r for r in (SHARED / "pad.csv").read_text().splitlines() if r.endswith(f",nuaa,{label},nuaa-8")]
        assert rows
        (tmp_path / "pad.csv").touch()
        with (tmp_path / "pad.csv").open("a") as file:
            file.write("" if file.tell() else "shard,path,source,label,subject\n")
            file.writelines(row + "\n" for row in rows[:: max(1, len(rows) // 8)][:8])
    (tmp_path / PAD.name).symlink_to(PAD)
    status, out, _ = kiosk("evaluate", "pad", tmp_path, "--source", "nuaa")
    assert status == 0
    result = json.loads(out[-1])
    assert result["bona_fides"] + result["attacks"] + result["no_face"] == 16
    assert result["bona_fides"] > 0
    assert result["attacks"] > 0


def test_evaluate_linkage_works_end_to_end(visitors: Path, kiosk: Command, tmp_path: Path) -> None:
    report = tmp_path / "linkage.json"
    status, out, _ = kiosk("evaluate", "linkage", visitors, "--keys", 3, "--report", report)
    last = json.loads(out[-1])
    assert last == json.loads(report.read_text())
    assert (status, last["good"]) == (0, True)
    assert (last["pictures"], last["changed_by_turning"]["of"], last["changed_by_turning"]["count"]) == (8, 12, 0)
    assert (last["across_two_keys"]["people"], last["across_two_keys"]["chance"]) == (4, 0.25)
    assert last["recovered"] == {"same_pictures": [], "other_pictures": []}, "too few people"


def test_evaluate_ruins_works_end_to_end(visitors: Path, kiosk: Command, tmp_path: Path) -> None:
    report = tmp_path / "ruins.json"
    kinds = ("turned by 180", "negative")
    status, out, _ = kiosk(
        "evaluate", "ruins", visitors, *(v for k in kinds for v in ("--kind", k)), "--report", report
    )
    result = json.loads(out[-1])
    assert (status, result["good"]) == (0, True)
    assert (result["people"], result["wall"]) == (4, True)
    assert result["upright_refused"]["count"] == 0
    assert [row["kind"] for row in result["kinds"]] == ["as it is", *kinds]
    for row in result["kinds"]:
        assert (row["matches"]["count"], row["matches"]["of"]) == (0, 6)
    assert all(row["refused"]["count"] == 4 for row in result["kinds"][1:])
    assert json.loads(report.read_text()) == result
    assert len(out) == 5


def test_evaluate_ruins_reports_an_unknown_kind(visitors: Path, kiosk: Command) -> None:
    status, _, err = kiosk("evaluate", "ruins", visitors, "--kind", "eaten")
    assert status == 2
    assert "'eaten'" in err[0]
    assert "turned by 90" in err[0]
