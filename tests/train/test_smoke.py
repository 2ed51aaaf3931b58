"""Each recipe in small, from nothing: trains with a restart, exports, quantizes where it does, measures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

import onnxruntime as ort  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "models" / "train"
SHARED = Path(os.environ.get("KIOSK_SHARED") or RECIPES.parents[2] / "shared")
pytestmark = [
    pytest.mark.train,
    pytest.mark.shared,
    pytest.mark.timeout(900),  # under a minute each with two cores of their own
    pytest.mark.skipif(
        not (SHARED / "faces" / "aligned.csv").is_file(),
        reason="needs the shared research sets: name their folder in KIOSK_SHARED",
    ),
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all recipes, so that the pictures are decoded once."""
    return tmp_path_factory.mktemp("recipes")


def run(*command: str | Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", RECIPES / command[0], *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "KIOSK_SHARED": str(SHARED)},
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout + ended.stderr


def operators(path: Path, tmp_path: Path) -> Counter[str]:
    """What onnxruntime runs of a file."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Counter(n.op_type for n in onnx.load(tmp_path / "optimised.onnx").graph.node)


@pytest.mark.parametrize(("network", "limit"), [("mobilefacenet", 1_400_000), ("seesawfacenet", 2_000_000)])
def test_embedder(network: str, limit: int, work: Path, tmp_path: Path) -> None:
    said = run("embedder.py", "train", "--smoke", "--net", network, "--work", work)
    for phase in (1, 2, 3):
        assert re.search(rf"phase {phase}: +50%.* 2/4 \[00:00<\?", said), "goes on from its checkpoint"
    assert re.search(r"LFW View 1, bytes: accuracy 0\.\d+", said)
    made = work / "smoke" / f"{network}.onnx"
    assert made.stat().st_size < limit
    ops = operators(made, tmp_path)
    assert ops["QLinearConv"] >= 48
    assert not ops.keys() & {"Conv", "FusedConv", "Mul", "Add", "Sigmoid", "Concat"}, "a layer runs in floats"


def test_detector(work: Path) -> None:
    run("detector.py", "--work", work, "--smoke")
    made = work / "smoke" / "smoke.onnx"
    assert ort.InferenceSession(made, providers=["CPUExecutionProvider"]).get_outputs()[0].name == "faces"


def test_pad(work: Path) -> None:
    run("pad.py", "--work", work, "--smoke")
    for name in ("pad-2.7", "pad-4.0"):
        session = ort.InferenceSession(work / "smoke" / f"{name}.onnx", providers=["CPUExecutionProvider"])
        assert session.get_outputs()[0].name == "logits"
