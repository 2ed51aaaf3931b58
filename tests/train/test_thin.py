"""The channels of the stem that do nothing: what they gave goes on, and they are not in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

import onnxruntime as ort  # noqa: E402
from embedder_count import count_onnx  # noqa: E402
from embedder_export import write_onnx  # noqa: E402
from embedder_thin import STEM, stem, thin_stem  # noqa: E402
from mobilefacenet import MobileFaceNet, Unit  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def with_constants() -> tuple[MobileFaceNet, list[int]]:
    """15 of its stem's channels are never on, a 16th almost never; their depthwise biases are not zero."""
    torch.manual_seed(4)
    net = MobileFaceNet().eval()
    for unit in net.modules():
        if isinstance(unit, Unit):
            unit.b.running_var.uniform_(0.5, 2)
            unit.b.running_mean.normal_(0, 0.1)
            torch.nn.init.uniform_(unit.b.bias, 0.1, 0.5)
    quiet = list(range(0, 64, 4))
    first, _, after = stem(net)
    with torch.no_grad():
        first.b.weight[quiet], first.b.bias[quiet] = 0, -1
        first.b.weight[quiet[5]], first.b.bias[quiet[5]] = 1e-5, 1e-4
        after.c.weight[:, quiet] *= 3
    return net, quiet


def faces() -> torch.Tensor:
    return torch.rand(20, 3, 112, 112, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_constants_go_and_their_sum_stays() -> None:
    net, quiet = with_constants()
    x = faces()
    with torch.no_grad():
        wanted = net(x)
        thin_stem(net, x)
        got = net(x)
    first, depthwise, after = stem(net)
    for unit in (first, depthwise):
        assert (unit.b.weight == 0).nonzero().flatten().tolist() == quiet
    assert len(quiet) == 64 - STEM
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    assert not after.c.weight[:, quiet].any()


def test_twice_is_once() -> None:
    net, _ = with_constants()
    thin_stem(net, faces())
    once = {k: v.clone() for k, v in net.state_dict().items()}
    thin_stem(net, faces())
    assert all(torch.equal(once[k], v) for k, v in net.state_dict().items())


def test_channels_that_are_zero_learn_nothing() -> None:
    net, quiet = with_constants()
    thin_stem(net, faces())
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(faces()[:2]).square().sum().backward()
    optimiser.step()
    for unit in stem(net)[:2]:
        assert not unit.b.weight[quiet].any()
        assert not unit.b.bias[quiet].any()
        assert unit.b.weight[1] != 1


def test_the_file_lacks_them(tmp_path: Path) -> None:
    net, _ = with_constants()
    write_onnx(MobileFaceNet().eval(), tmp_path / "whole.onnx")
    x = faces()[:2]
    thin_stem(net, x)
    with torch.no_grad():
        wanted = net(x)
    write_onnx(net, tmp_path / "net.onnx")
    session = ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    got = torch.from_numpy(session.run(None, {"input": x.numpy()})[0])
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    shapes = [tuple(i.dims) for i in onnx.load(tmp_path / "net.onnx").graph.initializer]
    assert {(STEM, 12, 2, 2), (STEM, 1, 3, 3), (128, STEM, 1, 1)} <= set(shapes)
    assert count_onnx(tmp_path / "net.onnx")[1] < count_onnx(tmp_path / "whole.onnx")[1]
