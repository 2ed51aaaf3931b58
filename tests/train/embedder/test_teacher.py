"""What the students learn from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from kiosk.vision.alignment import TEMPLATE  # noqa: E402
from models.train.common.faces import (  # noqa: E402
    MARGIN,
    Batches,
    Face,
    aligned,
    clean_crops,
    pictures,
    read_faces,
    read_heldout,
    training_faces,
)
from models.train.common.runtime import ort  # noqa: E402
from models.train.embedder.second_teacher import SECOND, blended, dequantized, unit  # noqa: E402
from models.train.embedder.teacher import Targets  # noqa: E402
from models.train.embedder.triplets import labelled  # noqa: E402

SHARED = Path(os.environ.get("KIOSK_SHARED") or Path(__file__).resolve().parents[4] / "shared")
pytestmark = pytest.mark.train


class Counting:
    """A teacher that embeds by a fixed projection and counts what it is given."""

    def __init__(self) -> None:
        self.seen = 0
        self.projection = torch.randn(3 * 112 * 112, 128, generator=torch.Generator().manual_seed(4))

    def run(self, x: torch.Tensor, _: object = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        self.seen += len(x)
        return x.flatten(1) @ self.projection, []


def test_each_view_is_embedded_once_clean_and_the_file_keeps_it(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (9, 128, 128, 3), dtype=np.uint8)
    teacher = Counting()
    targets = Targets(tmp_path / "t.npy", teacher, 18)  # type: ignore[arg-type]
    views = np.array([8, 2, 8, 15])
    first = targets.complete(x, views).clone()
    targets.with_maps(clean_crops(x, np.array([2, 17])), np.array([2, 17]))
    assert teacher.seen == 3 + 2
    again = Targets(tmp_path / "t.npy", teacher, 18)  # type: ignore[arg-type]
    assert torch.equal(again.complete(x, views), first)
    assert teacher.seen == 5
    assert again.known(np.arange(18)).tolist() == [2, 8, 15, 17]
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)


def test_targets_of_other_faces_are_refused(tmp_path: Path) -> None:
    Targets(tmp_path / "t.npy", Counting(), 18)  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match="is of 18 views, the faces have 20"):
        Targets(tmp_path / "t.npy", Counting(), 20)  # type: ignore[arg-type]


def test_pictures_of_other_faces_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "pictures.npy", np.zeros((3, 128, 128, 3), np.uint8))
    faces = [Face(i, "aligned-00.tar", f"{i}.webp", "aaf", "") for i in range(4)]
    assert pictures(tmp_path, tmp_path, faces[:3]).shape == (3, 128, 128, 3)
    with pytest.raises(SystemExit, match="holds 3 faces, there are 4"):
        pictures(tmp_path, tmp_path, faces)


def test_a_view_with_an_odd_number_is_the_mirror_image() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    straight, mirror = clean_crops(x, np.array([2, 3]))
    assert torch.equal(mirror, straight.flip(2))
    assert torch.equal(straight[0], torch.from_numpy(x[1, 8:120, 8:120, 2]).float())
    assert torch.equal(Batches(x, np.array([3]), 0).crops(np.array([3]), 0.0)[0], mirror)


def test_a_face_of_a_whole_picture_lies_where_an_aligned_one_does() -> None:
    template = TEMPLATE + MARGIN
    whole = np.zeros((400, 500, 3), np.uint8)
    landmarks = [(300 - 2 * y, 100 + 2 * x) for x, y in template]  # turned by a right angle, twice as large
    for x, y in landmarks:
        cv2.circle(whole, (round(x), round(y)), 6, (255, 255, 255), -1)
    face = aligned(whole, landmarks)
    assert face.shape == (128, 128, 3)
    assert all(face[round(y), round(x)].min() > 200 for x, y in template)
    assert (face > 128).mean() < 0.03


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
