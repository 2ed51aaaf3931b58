"""Weights rounded by least squares: what the layers compute comes nearer to what they computed before."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from onnx import numpy_helper  # noqa: E402

from models.train.embedder.export import export_int8, write_onnx  # noqa: E402
from models.train.embedder.gptq import rounded_by_squares, second_moments  # noqa: E402
from models.train.embedder.mobilefacenet import Bottleneck, End, Unit, embedding, net_input  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Small(torch.nn.Module):
    """A stem, a bottleneck with its shortcut, the mean of the places, an end."""

    def __init__(self) -> None:
        super().__init__()
        layers = Unit(3, 16, 3, 2, 1), Bottleneck(16, 16, 1, 2), torch.nn.AdaptiveAvgPool2d(1), End(16, 8)
        self.n = torch.nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return embedding(self.n(x))


def smooth_pictures(n: int) -> torch.Tensor:
    """n x 3 x 112 x 112 of 0..255 whose neighbouring pixels are alike, as a face's are."""
    return torch.nn.functional.interpolate(torch.rand(n, 3, 7, 7) * 255, 112, mode="bilinear")


def test_moments_are_of_what_each_output_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.train.embedder.gptq.EVERY", 1)
    torch.manual_seed(1)
    dense = torch.nn.Conv2d(4, 6, 1)
    depthwise = torch.nn.Conv2d(6, 6, 3, padding=1, groups=6)
    net, x = torch.nn.Sequential(dense, depthwise), torch.randn(16, 4, 5, 5)
    found = second_moments(net, x)
    rows = x.permute(0, 2, 3, 1).flatten(0, 2).double()
    torch.testing.assert_close(found["0"], (rows.T @ rows / len(rows))[None])
    assert found["1"].shape == (6, 9, 9)
    with torch.no_grad():
        y = dense(x)
        wanted = (depthwise(y) - depthwise.bias[:, None, None]).double().pow(2).mean((0, 2, 3))
    w = depthwise.weight.detach().flatten(1).double()
    torch.testing.assert_close(torch.einsum("gi,gij,gj->g", w, found["1"], w), wanted)


@pytest.mark.parametrize("width", [7, 14, 28, 56])
def test_moments_are_of_all_columns_of_every_map(width: int) -> None:
    conv = torch.nn.Conv2d(2, 2, 1)
    for column in range(width):
        x = torch.zeros(1, 2, width, width)
        x[:, :, :, column] = 1
        assert second_moments(torch.nn.Sequential(conv), x)["0"].all(), column


@pytest.mark.parametrize("groups", [1, 12])
def test_the_error_of_what_is_computed_is_less_than_by_the_nearest_numbers(groups: int) -> None:
    torch.manual_seed(2)
    w = torch.randn(12, 9) * torch.logspace(-2, 1, 12)[:, None]
    scale = w.abs().amax(1) / 127
    common = torch.randn(groups, 2000, 1, dtype=torch.float64)
    heard = 1 + common + 0.1 * torch.randn(groups, 2000, 9, dtype=torch.float64)  # alike, as neighbouring pixels are
    moments = heard.transpose(1, 2) @ heard / 2000
    whole = rounded_by_squares(w, moments, scale, 127)
    nearest = (w / scale[:, None]).round().double()
    assert torch.equal(whole, whole.round())
    assert float(whole.abs().max()) <= 127
    errors = []
    for numbers in (whole, nearest):
        off = (numbers * scale[:, None] - w).double().reshape(groups, -1, 9)
        errors.append(torch.einsum("goi,gij,goj->go", off, moments, off).flatten() / scale.double() ** 2)
    assert errors[0].mean() < 0.3 * errors[1].mean()  # a ninth, and what the last weight of nine is off by


def test_numbers_end_at_the_most_that_there_is() -> None:
    whole = rounded_by_squares(torch.tensor([[1.0, -3.0]]), torch.eye(2, dtype=torch.float64)[None], torch.ones(1), 2)
    assert whole.tolist() == [[1.0, -2.0]]


@pytest.mark.parametrize("place", ["depthwise", "end"])
def test_the_int8_file_has_these_weights_and_the_scales_that_it_had(place: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    net, faces = Small().eval(), smooth_pictures(32)
    write_onnx(net, tmp_path / "fp32.onnx")
    moments = second_moments(net, net_input(faces))
    name, layer = ("n.1.f.1.c", net.n[1].f[1].c) if place == "depthwise" else ("n.3.c.1", net.n[3].c[1])
    exact = layer.weight.detach().flatten(1).double()
    errors, scales = [], []
    for given in (moments, None):
        export_int8(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", faces, moments=given)
        graph = onnx.load(tmp_path / "int8.onnx").graph
        values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        assert [n.op_type for n in graph.node if "embedding" in n.output] == ["Gemm"]  # floats, not rounded
        scales.append(torch.from_numpy(values[f"{name}.weight_scale"].copy()))
        numbers = torch.from_numpy(values[f"{name}.weight_quantized"].copy()).flatten(1).double()
        off = (numbers * scales[-1][:, None] - exact) / scales[-1][:, None]
        errors.append(torch.einsum("gi,gij,gj->g", off, moments[name].expand(len(off), -1, -1), off).mean())
    assert set(moments) == {"n.0.c", "n.1.f.0.c", "n.1.f.1.c", "n.1.f.2.c", "n.3.c.1"}
    assert torch.equal(*scales)
    assert errors[0] < 0.5 * errors[1]
