"""An embedder's second output: what is added to its graph, and how it is fitted."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

import onnx

from kiosk.vision.model_files import default_folder
from models.train.quality import fit, pictures, ruins
from models.train.quality.graph import POOLED, QUALITY, ROWS, Head, Tap, exposed, plain, pooled, refitted, with_answers

pytestmark = pytest.mark.train

TAPS = (Tap(6, 2), Tap(12, 3), Tap(15, 2))
FACES = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3)).astype(np.uint8)
STRAIGHT = [False] * len(FACES)


@pytest.fixture(scope="module", params=["mobilefacenet", "seesawfacenet"])
def network(request: pytest.FixtureRequest) -> onnx.ModelProto:
    """As it was before it had a second output."""
    return plain(onnx.load(default_folder() / f"{request.param}.onnx"))


def test_the_second_output_is_a_linear_function_of_the_averages_and_the_first_stays(network: onnx.ModelProto) -> None:
    rng = np.random.default_rng(1)
    embeddings, rows = fit.sides(pooled(network, TAPS).SerializeToString(), POOLED, FACES, STRAIGHT)
    weights = rng.normal(size=(rows.shape[1], 3)).astype(np.float32)
    bias = rng.normal(size=3).astype(np.float32)
    ranges = fit.ranges(network, TAPS, rows)
    answering = with_answers(network, Head(TAPS, weights, bias, ranges))
    again, numbers = fit.sides(answering.SerializeToString(), QUALITY, FACES, STRAIGHT)
    assert again.tobytes() == embeddings.tobytes()
    apart = np.abs(numbers - (rows @ weights + bias)).max()
    steps = np.array([high - low for low, high in ranges]) / 255
    assert apart <= 4 * steps.max() * np.sqrt(len(weights)), "averages are rounded to 255ths of their range"
    assert plain(answering).SerializeToString() == network.SerializeToString()


@pytest.mark.parametrize(
    ("name", "computed"),
    [
        ("mobilefacenet", "0b4c25a59f14399218290040875df72369bbedbade42aa1fb2c4710ade15f867"),
        ("seesawfacenet", "290c26d71c3e2dc00cba0a9f1be9d1dce8e911563ff011a403875b265c861234"),
    ],
)
def test_the_embedding_is_computed_as_when_its_thresholds_were_measured(name: str, computed: str) -> None:
    """The hashes of mobilefacenet-9 and seesawfacenet-4: a new answer alone changes no threshold, cohort or ruins."""
    graph = plain(onnx.load(default_folder() / f"{name}.onnx")).SerializeToString(deterministic=True)
    assert hashlib.sha256(graph).hexdigest() == computed


def test_one_answer_is_fitted_anew_and_all_else_stays(network: onnx.ModelProto) -> None:
    rng = np.random.default_rng(1)
    rows = fit.sides(pooled(network, TAPS).SerializeToString(), POOLED, FACES, STRAIGHT)[1]
    weights, bias = rng.normal(size=(rows.shape[1], 3)).astype(np.float32), np.zeros(3, np.float32)
    model = with_answers(network, Head(TAPS, weights, bias, fit.ranges(network, TAPS, rows)))
    exact = fit.sides(exposed(model).SerializeToString(), ROWS, FACES, STRAIGHT)[1]
    before = fit.sides(model.SerializeToString(), QUALITY, FACES, STRAIGHT)
    other = rng.normal(size=(rows.shape[1], 1)).astype(np.float32)
    after = fit.sides(refitted(model, [1], other, np.ones(1, np.float32)).SerializeToString(), QUALITY, FACES, STRAIGHT)
    assert after[0].tobytes() == before[0].tobytes()
    assert after[1][:, [0, 2]].tobytes() == before[1][:, [0, 2]].tobytes()
    np.testing.assert_allclose(after[1][:, 1], (exact @ other)[:, 0] + 1, rtol=1e-3, atol=1e-2)


def test_averages_are_of_parts_of_the_map(network: onnx.ModelProto) -> None:
    """The lower half of the picture changes the averages of the lower half most."""
    other = FACES.copy()
    other[:, 70:] = 255 - other[:, 70:]
    model = pooled(network, [Tap(6, 2)]).SerializeToString()
    before, after = (fit.sides(model, POOLED, f, STRAIGHT)[1].reshape(len(f), -1, 2, 2) for f in (FACES, other))
    moved = np.abs(after - before).mean((0, 1, 3))
    assert moved[1] > 3 * moved[0]


def test_a_block_without_such_a_map_is_told(network: onnx.ModelProto) -> None:
    with pytest.raises(SystemExit, match="block 99"):
        pooled(network, [Tap(99, 2)])


def test_the_fit_finds_what_tells_the_kinds_apart() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 8)).astype(np.float32) * np.arange(1, 9, dtype=np.float32) + 5
    said = np.stack([rows[:, 2] > 5, rows[:, 5] + rows[:, 6] > 10], axis=1)
    weights, bias = fit.fit(rows, said, np.ones(said.shape, np.float32), penalty=1e-4)
    assert ((rows @ weights + bias > 0) == said).mean() > 0.97


def test_a_kind_that_is_left_out_does_not_count() -> None:
    kinds = np.arange(len(pictures.KINDS)).repeat(5)
    waves = kinds == pictures.KINDS.index("waves")
    counts = fit.counting(kinds, np.zeros(len(kinds), bool), "waves")
    assert not counts[waves].any()
    assert counts[~waves, 0].all()
    assert not counts[kinds == pictures.KINDS.index("turned"), 1:].any()


def test_a_set_of_unmarked_masks_counts_for_no_answer_about_the_mouth() -> None:
    kinds = np.arange(len(pictures.NATURAL)).repeat(2)
    masked = np.tile([True, False], len(pictures.NATURAL))
    counts = fit.counting(kinds, masked)
    assert not counts[masked, fit.MOUTH].any()
    assert counts[~masked].all()
    assert np.delete(counts[masked], fit.MOUTH, axis=1).all()


def test_bounds_keep_all_but_a_share_of_plain_faces() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, len(pictures.KINDS), 40_000)
    numbers = rng.normal(size=(len(kinds), len(fit.ANSWERS))).astype(np.float32)
    most = fit.bounds(numbers, kinds, rng.random(len(kinds)) < 0.2)
    plain_faces = np.isin(kinds, [pictures.KINDS.index(k) for k in fit.SHOWN])
    assert (numbers[plain_faces, 0] > most[0]).mean() == pytest.approx(fit.REFUSED, abs=2e-4)


@pytest.mark.parametrize("kind", ruins.RUINS)
def test_a_ruin_changes_the_picture_and_is_a_picture(kind: str) -> None:
    image = np.tile(np.linspace(20, 230, 96, dtype=np.uint8)[:, None, None], (1, 80, 3))
    image[30:50, 15:30] = (10, 80, 200)
    bent = ruins.RUINS[kind](image, np.random.default_rng(3))
    assert bent.dtype == np.uint8
    assert bent.ndim == 3
    assert bent.shape != image.shape or (bent != image).mean() > 0.02
