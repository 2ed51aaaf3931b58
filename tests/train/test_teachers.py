"""What the students learn from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

import numpy as np  # noqa: E402
import onnxruntime as ort  # noqa: E402
from embedder_second import SECOND, blended, dequantized, unit  # noqa: E402
from embedder_teacher import Targets, mirrored  # noqa: E402
from embedder_triplet import labelled  # noqa: E402
from faces import clean_crops, read_faces, read_heldout, training_faces  # noqa: E402

SHARED = Path(os.environ.get("KIOSK_SHARED") or Path(__file__).resolve().parents[3] / "shared")
pytestmark = pytest.mark.train


class Counting:
    """A teacher that embeds by a fixed projection and counts what it is given."""

    def __init__(self) -> None:
        self.seen = 0
        self.projection = torch.randn(3 * 112 * 112, 128, generator=torch.Generator().manual_seed(4))

    def run(self, x: torch.Tensor, _: object = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        self.seen += len(x)
        return x.flatten(1) @ self.projection, []


def test_each_picture_is_embedded_once_clean_and_the_file_keeps_it(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (9, 128, 128, 3), dtype=np.uint8)
    teacher = Counting()
    targets = Targets(tmp_path / "t.npy", teacher, 9)  # type: ignore[arg-type]
    ids = np.array([4, 1, 4, 7])
    first = targets.complete(x, ids).clone()
    targets.with_maps(clean_crops(x, np.array([1, 8]), mirrored(np.array([1, 8]))), np.array([1, 8]))
    assert teacher.seen == 3 + 2
    again = Targets(tmp_path / "t.npy", teacher, 9)  # type: ignore[arg-type]
    assert torch.equal(again.complete(x, ids), first)
    assert teacher.seen == 5
    assert again.known(np.arange(9)).tolist() == [1, 4, 7, 8]
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)


def test_two_teachers_that_agree_but_for_a_rotation_change_nothing() -> None:
    rng = np.random.default_rng(1)
    first = unit(rng.normal(size=(2000, 128)).astype(np.float32))
    turn = np.linalg.qr(rng.normal(size=(512, 512)))[0][:128].astype(np.float32)
    both = blended(first, unit(first @ turn))
    assert ((both * first).sum(1) > 0.99).all()


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / SECOND).is_file(), reason="needs the shared research sets: KIOSK_SHARED")
def test_second_teacher_with_float_weights_is_the_second_teacher() -> None:
    x = np.random.default_rng(2).normal(0, 0.3, (2, 3, 112, 112)).astype(np.float32)
    given = ort.InferenceSession(SHARED / SECOND, providers=["CPUExecutionProvider"])
    made = ort.InferenceSession(dequantized(SHARED / SECOND).SerializeToString(), providers=["CPUExecutionProvider"])
    a, b = (s.run(None, {s.get_inputs()[0].name: x})[0] for s in (given, made))
    assert ((unit(a) * unit(b)).sum(1) > 0.95).all()


@pytest.mark.shared
@pytest.mark.skipif(
    not (SHARED / "faces" / "aligned.csv").is_file(), reason="needs the shared research sets: KIOSK_SHARED"
)
def test_nobody_held_out_is_trained_on() -> None:
    faces = read_faces(SHARED)
    held = {f.identity or f.path for f in read_heldout(faces)}
    assert len(held) > 5000
    everybody, few = training_faces(faces), training_faces(faces, 0.04)
    assert not held & {f.identity or f.path for f in everybody}
    assert {f.index for f in few} < {f.index for f in everybody}
    assert 0.02 < len(few) / len(everybody) < 0.08
    assert len(labelled(few)) >= 2  # the smoke run's batches of triplets
