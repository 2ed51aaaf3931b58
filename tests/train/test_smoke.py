"""Each recipe in small, from nothing: trains with a restart, exports, quantizes where it does, measures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from kiosk.vision.manifest import Manifest, PadEntry  # noqa: E402
from kiosk.vision.model_files import default_folder  # noqa: E402
from models.train.common.runtime import ort  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("KIOSK_SHARED") or ROOT.parent / "shared")
pytestmark = [
    pytest.mark.train,
    pytest.mark.shared,
    pytest.mark.timeout(900),  # together under three minutes on two cores
    pytest.mark.skipif(
        not (SHARED / "faces" / "aligned.csv").is_file(),
        reason="needs the shared research sets: name their folder in KIOSK_SHARED",
    ),
]


COMMANDS = {
    "mobilefacenet": ("embedder", "train", "--smoke", "--net", "mobilefacenet", "--threads", "1"),
    "seesawfacenet": ("embedder", "train", "--smoke", "--net", "seesawfacenet", "--threads", "1"),
    "detector": ("detector", "--smoke"),
    "pad": ("pad", "--smoke"),
    "pad-heads": ("pad.heads", "--smoke"),
    "pad-together": ("pad.together", "--smoke"),
    "quality": ("quality", "--smoke"),
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[subprocess.Popen[bytes], Path]]]:
    """All recipes beside each other, one thread each, each in a folder of its own."""
    runs = {}
    for name, (recipe, *options) in COMMANDS.items():
        work = tmp_path_factory.mktemp(name)
        with (work / "said.txt").open("wb") as said:
            command = [sys.executable, "-W", "ignore", "-m", f"models.train.{recipe}", *options, "--work", work]
            environment = {**os.environ, "KIOSK_SHARED": str(SHARED), "OMP_NUM_THREADS": "1"}
            runs[name] = subprocess.Popen(command, stdout=said, stderr=said, env=environment, cwd=ROOT), work
    yield runs
    for process, _ in runs.values():
        process.kill()
        process.wait()


def ended(run: tuple[subprocess.Popen[bytes], Path]) -> tuple[str, Path]:
    """What a recipe has printed, and the folder of what it has made."""
    process, work = run
    status = process.wait()
    said = (work / "said.txt").read_text(errors="replace")
    assert status == 0, said[-4000:]
    return said, work / "smoke"


def operators(path: Path, tmp_path: Path) -> Counter[str]:
    """What onnxruntime runs of a file."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Counter(n.op_type for n in onnx.load(tmp_path / "optimised.onnx").graph.node)


def saved_at(said: str, name: str) -> list[int]:
    """The steps at which a recipe has saved. A second start from nothing would save the first ones again."""
    return [int(v) for v in re.findall(rf"^{re.escape(name)} (\d+) \d\d:\d\d", said, re.MULTILINE)]


@pytest.mark.parametrize(("network", "limit"), [("mobilefacenet", 1_400_000), ("seesawfacenet", 2_000_000)])
def test_the_embedder_recipe_runs_from_start_to_export(
    network: str, limit: int, started: dict[str, tuple[subprocess.Popen[bytes], Path]], tmp_path: Path
) -> None:
    said, made = ended(started[network])
    for phase in (1, 2, 3, 4):
        assert re.search(rf"phase {phase}: +50%[^\r\n]* 2/4 \[00:00<\?", said), "goes on from its checkpoint"
    assert re.search(r"LFW View 1, bytes: accuracy 0\.\d+", said)
    file = made / f"{network}.onnx"
    assert file.stat().st_size < limit
    ops = operators(file, tmp_path)
    assert ops["QLinearConv"] >= 48
    assert not ops.keys() & {"Conv", "FusedConv", "Mul", "Add", "Sigmoid", "Concat"}, "a layer runs in floats"


def test_the_detector_recipe_runs_from_start_to_export(
    started: dict[str, tuple[subprocess.Popen[bytes], Path]],
) -> None:
    said, made = ended(started["detector"])
    assert saved_at(said, "detector") == [40, 60, 80]
    session = ort.InferenceSession(made / "smoke.onnx", providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].name == "faces"


def test_the_pad_recipe_runs_from_start_to_export(started: dict[str, tuple[subprocess.Popen[bytes], Path]]) -> None:
    said, made = ended(started["pad"])
    for name in ("pad-2.7", "pad-4.0"):
        assert saved_at(said, name) == [5, 7, 10]
        session = ort.InferenceSession(made / f"{name}.onnx", providers=["CPUExecutionProvider"])
        assert session.get_outputs()[0].name == "logits"


def test_the_pad_heads_recipe_runs_from_start_to_export(
    started: dict[str, tuple[subprocess.Popen[bytes], Path]],
) -> None:
    said, made = ended(started["pad-heads"])
    for name in ("pad-2.7", "pad-4.0"):
        assert re.search(rf"^{re.escape(name)} at .* of training right", said, re.MULTILINE)
        session = ort.InferenceSession(made / f"{name}.onnx", providers=["CPUExecutionProvider"])
        assert session.get_outputs()[0].shape[1] == 4


def test_the_pad_together_recipe_runs(started: dict[str, tuple[subprocess.Popen[bytes], Path]]) -> None:
    said, _ = ended(started["pad-together"])
    assert re.search(r"^without none: the second answer counts -?\d+\.\d\d$", said, re.MULTILINE)
    passed = re.search(r"^d11\.mp4: nobody is refused at (0\.\d+)$", said, re.MULTILINE)
    assert passed
    shipped = Manifest(default_folder()).entry("pad-2.7", PadEntry).together_threshold
    assert shipped is not None
    assert float(passed[1]) >= shipped, "the shipped threshold lets this person in"


def test_quality(started: dict[str, tuple[subprocess.Popen[bytes], Path]]) -> None:
    said, made = ended(started["quality"])
    assert re.search(r'^answers = \[\{ name = "unnatural", most = ', said, re.MULTILINE)
    session = ort.InferenceSession(made / "mobilefacenet.onnx", providers=["CPUExecutionProvider"])
    assert [o.name for o in session.get_outputs()] == ["embedding", "quality"]
    assert operators(made / "mobilefacenet.onnx", made)["QLinearConv"] >= 48 + 5, "the averages are of bytes"
