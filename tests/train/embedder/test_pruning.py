"""Channels that do nothing, or what others do: what they gave goes on, and they are not in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from models.train.common.runtime import ort  # noqa: E402
from models.train.embedder.complexity import count_onnx  # noqa: E402
from models.train.embedder.export import write_onnx  # noqa: E402
from models.train.embedder.mobilefacenet import MobileFaceNet, Unit  # noqa: E402
from models.train.embedder.pruning import FIRST, STEM, fitted, moments, narrow_places, thin  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


QUIET = list(range(0, 64, 4))  # of the stem's channels
TWINS = 32  # of the first bottleneck's 128: the last ones do what the first ones do


def with_idle_channels() -> MobileFaceNet:
    """15 of the QUIET are never on, a 16th almost never; their depthwise biases are not zero. And TWINS."""
    torch.manual_seed(4)
    net = MobileFaceNet().eval()
    for unit in net.modules():
        if isinstance(unit, Unit):
            unit.b.running_var.uniform_(0.5, 2)
            unit.b.running_mean.normal_(0, 0.1)
            torch.nn.init.uniform_(unit.b.bias, 0.1, 0.5)
    stem, first = narrow_places(net)
    with torch.no_grad():
        stem.first.b.weight[QUIET], stem.first.b.bias[QUIET] = 0, -1
        stem.first.b.weight[QUIET[5]], stem.first.b.bias[QUIET[5]] = 1e-5, 1e-4
        stem.after.c.weight[:, QUIET] *= 3
        for unit in (first.first, first.depthwise):
            for values in (unit.c.weight, unit.b.weight, unit.b.bias, unit.b.running_mean, unit.b.running_var):
                values[-TWINS:] = values[:TWINS]
    return net


def faces() -> torch.Tensor:
    return torch.rand(20, 3, 112, 112, generator=torch.Generator().manual_seed(2)) * 2 - 1


def idle(unit: Unit) -> list[int]:
    gone = (unit.b.weight == 0) & (unit.b.bias == 0)
    return gone.nonzero().flatten().tolist()


def test_removed_channels_leave_their_constant_to_the_next_layer() -> None:
    net, x = with_idle_channels(), faces()
    with torch.no_grad():
        wanted = net(x)
        thin(net, x)
        got = net(x)
    stem, first = narrow_places(net)
    assert idle(stem.first) == idle(stem.depthwise) == QUIET
    assert len(QUIET) == 64 - STEM
    gone = idle(first.first)
    assert gone == idle(first.depthwise)
    assert len(gone) == TWINS == 128 - FIRST
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    assert not stem.after.c.weight[:, QUIET].any()
    assert not first.after.c.weight[:, gone].any()


def test_the_cheapest_channel_is_left_out_and_the_others_are_fitted() -> None:
    torch.manual_seed(1)
    x = torch.randn(4000, 5, dtype=torch.double) @ torch.randn(5, 5, dtype=torch.double)
    w, scale, covariance = torch.randn(3, 5).double(), torch.tensor([1.0, 0.5, 2.0]).double(), x.T.cov(correction=0)
    got = fitted(w, covariance, scale, 4)
    x = x - x.mean(0)
    wanted = (x @ w.T) * scale
    errors = []
    for j in range(5):
        others = x[:, [k for k in range(5) if k != j]]
        best = torch.linalg.lstsq(others, wanted).solution
        errors.append(float((others @ best - wanted).square().sum()))
    assert float(((x @ got.T) * scale - wanted).square().sum()) == pytest.approx(min(errors), rel=1e-3)
    assert got.any(0).tolist() == [k != errors.index(min(errors)) for k in range(5)]


@pytest.mark.parametrize("width", [7, 14, 28, 56])
def test_all_columns_of_a_map_are_looked_at(width: int) -> None:
    unit = Unit(2, 2).eval()
    for column in range(width):
        x = torch.zeros(1, 2, width, width)
        x[:, :, :, column] = 1
        assert moments(torch.nn.Sequential(unit), unit, x)[0].all(), column


def test_removing_channels_twice_changes_nothing_more() -> None:
    net = with_idle_channels()
    thin(net, faces())
    once = {k: v.clone() for k, v in net.state_dict().items()}
    thin(net, faces())
    assert all(torch.equal(once[k], v) for k, v in net.state_dict().items())


def test_channels_that_are_zero_learn_nothing() -> None:
    net = with_idle_channels()
    thin(net, faces())
    before = [idle(unit) for place in narrow_places(net) for unit in (place.first, place.depthwise)]
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(faces()[:2]).square().sum().backward()
    optimiser.step()
    units = [unit for place in narrow_places(net) for unit in (place.first, place.depthwise)]
    assert [idle(unit) for unit in units] == before
    assert units[0].b.weight[1] != 1


def test_the_exported_file_has_no_removed_channels(tmp_path: Path) -> None:
    net = with_idle_channels()
    write_onnx(MobileFaceNet().eval(), tmp_path / "whole.onnx")
    x = faces()[:2]
    thin(net, x)
    with torch.no_grad():
        wanted = net(x)
    write_onnx(net, tmp_path / "net.onnx")
    session = ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    got = torch.from_numpy(session.run(None, {"input": x.numpy()})[0])
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    shapes = [tuple(i.dims) for i in onnx.load(tmp_path / "net.onnx").graph.initializer]
    assert {(STEM, 12, 2, 2), (STEM, 1, 3, 3), (FIRST, STEM, 1, 1), (FIRST, 1, 3, 3), (64, FIRST, 1, 1)} <= set(shapes)
    assert count_onnx(tmp_path / "net.onnx")[1] < count_onnx(tmp_path / "whole.onnx")[1]
