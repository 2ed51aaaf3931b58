"""Networks and templates side by side, on vectors whose figures are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.errors import ModelError
from kiosk.domain.matching import Cohort
from kiosk.evaluation.lfw import Pair, PairList, all_pairs
from kiosk.evaluation.quantization import FP32, INT8, LOSS_FAR, Form, compare, like, losses, measure, rows, run
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder

SCALE = 317.5
PEOPLE = 60


class Vectors:
    """An embedder of pictures that hold the number of their vector."""

    def __init__(self, noise: float) -> None:
        rng = np.random.default_rng(7)
        centres = np.repeat(rng.normal(size=(PEOPLE, 128)), 2, axis=0)
        self.known = (centres + rng.normal(size=centres.shape) * 0.3 + rng.normal(size=centres.shape) * noise).astype(
            np.float32
        )

    def vector(self, aligned: np.ndarray) -> np.ndarray:
        vector: np.ndarray = self.known[int(aligned[0, 0, 0])]
        return vector


NAMES = [f"Person{p}_{k:04d}" for p in range(PEOPLE) for k in (1, 2)]
FACES = {name: np.full((112, 112, 3), k, np.uint8) for k, name in enumerate(NAMES)}


def folds() -> PairList:
    pairs = [
        (
            Pair(f"Person{p}_0001", f"Person{p}_0002", mated=True),
            Pair(f"Person{p}_0001", f"Person{(p + 1) % PEOPLE}_0001", mated=False),
        )
        for p in range(PEOPLE)
    ]
    return tuple(sum(pairs[k::10], ()) for k in range(10))


def vectors(noise: float = 0.0) -> list[np.ndarray | None]:
    embedder = Vectors(noise)
    return [embedder.vector(face) for face in FACES.values()]


def test_each_form_scores_as_it_should() -> None:
    a, b = vectors()[:2]
    assert a is not None
    assert b is not None
    exact = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    distance = int(((a >= 0) != (b >= 0)).sum())
    expected = {Form.FLOAT: exact, Form.BYTES: pytest.approx(exact, abs=0.01), Form.BITS: 1 - 2 * distance / 128}
    for form, score in expected.items():
        x, y = rows([a, b], form, SCALE)
        assert float(x @ y) == (score if form is Form.BYTES else pytest.approx(score, abs=1e-6))


def test_bytes_are_the_figures_of_all_pairs() -> None:
    found = vectors()
    found[5] = None
    given = rows(found, Form.BYTES, SCALE)
    templates = {n: None if v is None else np.rint(v * SCALE / np.linalg.norm(v)).astype(np.int8)
                 for n, v in zip(NAMES, found, strict=True)}  # fmt: skip
    expected = all_pairs(templates, Cohort())
    people = np.repeat(np.arange(PEOPLE), 2)
    mated, non_mated, scores = compare(given, people, LOSS_FAR)
    assert np.sort(scores[0]) == pytest.approx(np.sort(expected.mated), abs=2e-6, nan_ok=True)
    known = expected.non_mated[~np.isnan(expected.non_mated)]
    assert np.sort(scores[1]) == pytest.approx(np.sort(known), abs=2e-6)
    assert non_mated.total(np.ones(PEOPLE, np.int64)) == known.size
    assert mated.tar(np.ones(PEOPLE, np.int64), -1.0) == (PEOPLE - 1) / PEOPLE


def test_the_loss_is_none_against_itself_and_real_against_a_spoilt_network() -> None:
    results = run({FP32: Vectors(0.0), INT8: Vectors(2.0)}, FACES, folds(), SCALE)  # type: ignore[dict-item]
    assert [(r.network, r.form) for r in results[:3]] == [(FP32, "float"), (FP32, "bytes"), (INT8, "float")]
    assert results[0].view.accuracy > results[2].view.accuracy
    by_name = {(loss.before, loss.after): loss for loss in losses(results)}
    spoilt = by_name["fp32 network, bytes template", "int8 network, bytes template"]
    assert spoilt.interval.low > 0
    assert spoilt.interval.low <= spoilt.loss <= spoilt.interval.high
    same = run({FP32: Vectors(0.0), INT8: Vectors(0.0)}, FACES, folds(), SCALE)  # type: ignore[dict-item]
    first = losses(same)[0]
    assert (first.loss, first.interval.low, first.interval.high) == (0, 0, 0)


def test_equal_hamming_distances_are_equal_scores() -> None:
    given = rows(vectors(), Form.BITS, SCALE)
    _, _, (_, non_mated) = compare(given, np.repeat(np.arange(PEOPLE), 2), LOSS_FAR)
    assert len(np.unique(non_mated)) <= 129


def test_a_vector_without_direction_is_a_picture_without_a_face() -> None:
    given = rows([np.zeros(128, np.float32), np.ones(128, np.float32), None], Form.FLOAT, SCALE)
    assert np.isnan(given[:, 0]).tolist() == [True, False, True]


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        measure(FP32, Form.BYTES, rows([None], Form.BYTES, SCALE), NAMES[:1], folds())


def test_a_file_that_is_no_such_network_is_named(tmp_path: Path) -> None:
    manifest = Manifest(default_folder())
    entry = manifest.entry("freefacenet", EmbedderEntry)
    with pytest.raises(ModelError, match=r"nowhere\.onnx: cannot be read"):
        like(entry, tmp_path / "nowhere.onnx", 2)
    other = next(e for e in manifest.entries if e.role == "pad")
    with pytest.raises(ModelError, match="not a network like freefacenet"):
        like(entry, manifest.folder / other.file, 2)
    same = like(entry, manifest.folder / entry.file, 2)
    assert same.vector(np.zeros((112, 112, 3), np.uint8)).shape == (128,)
