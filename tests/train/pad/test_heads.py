"""The PAD networks' second answer: the fit, and that it leaves the classes as they were."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from kiosk.vision.model_files import default_folder  # noqa: E402
from models.train.common.runtime import session  # noqa: E402
from models.train.pad.frames import ATTACK, BONA_FIDE, EDGES  # noqa: E402
from models.train.pad.heads import CLASSES, features, fitted, last_layer, weights, with_answer  # noqa: E402

pytestmark = pytest.mark.train
FILE = default_folder() / "pad-2.7.onnx"


def test_the_fit_separates_what_a_plane_separates() -> None:
    rng = np.random.default_rng(1)
    given = rng.normal(3, 2, (400, 5))
    good = (given[:, 0] - given[:, 1] > 0).astype(np.float32)
    slope, bias = fitted(given, good, np.full(400, 1 / 400))
    assert np.mean((given @ slope + bias > 0) == (good == 1)) > 0.97


def test_each_side_counts_a_half_and_no_large_source_drowns_a_small_one() -> None:
    label = np.array([ATTACK] * 100 + [ATTACK] * 4 + [EDGES] * 10 + [BONA_FIDE] * 50 + [BONA_FIDE] * 50)
    group = np.array(["a bent"] * 100 + ["b bent"] * 4 + ["celeba busy"] * 10 + ["a near"] * 50 + ["celeba near"] * 50)
    weight = weights(label, group)
    assert weight.sum() == pytest.approx(1)
    assert weight[label == BONA_FIDE].sum() == pytest.approx(0.5)
    assert weight[label == EDGES].sum() == pytest.approx(0.1)
    assert weight[group == "a bent"].sum() == pytest.approx(5 * weight[group == "b bent"].sum())
    assert weight[group == "celeba near"].sum() == pytest.approx(2 * weight[group == "a near"].sum())


def test_the_fourth_number_is_added_once_and_the_classes_stay() -> None:
    model = onnx.load(FILE)
    crops = np.random.default_rng(2).integers(0, 256, (3, 80, 80, 3), np.uint8)
    x = crops.transpose(0, 3, 1, 2).astype(np.float32)
    before = session(model).run(None, {"input": x})[0]
    slope = np.random.default_rng(3).normal(0, 1, 128)
    for bias in (7.0, -1.0):  # the second time in the place of the first
        with_answer(model, slope, bias)
        after = session(model).run(None, {"input": x})[0]
        assert after.shape == (3, CLASSES + 1)
        np.testing.assert_allclose(after[:, :CLASSES], before[:, :CLASSES], rtol=1e-4, atol=1e-4)
    name = last_layer(model).input[0]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    given = session(model).run([name], {"input": x})[0].reshape(3, -1)
    np.testing.assert_allclose(after[:, CLASSES], given @ slope - 1.0, rtol=1e-3, atol=1e-3)
    assert features(onnx.load(FILE), crops, np.random.default_rng(1)).shape == (3, 128)
