"""Phase 4: what the training rounds is what the int8 network rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from kiosk.vision.network import make_exact  # noqa: E402
from models.train.common.runtime import ort  # noqa: E402
from models.train.embedder.export import export_int8, write_onnx  # noqa: E402
from models.train.embedder.mobilefacenet import Bottleneck, End, Unit, net_input, rounded_weight  # noqa: E402
from models.train.embedder.qat import MOST, equalise, find_ranges, places, rounded, tensor_ranges, with_rounding  # noqa: E402
from models.train.embedder.seesawfacenet import Seesaw  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_values_fall_on_256_steps_with_zero_among_them() -> None:
    x = torch.linspace(-3, 5, 1001)
    y = rounded(x, -1.0, 2.0)
    assert len(y.unique()) == 256
    assert 0.0 in y
    inside = (x >= -1) & (x <= 2)
    assert (y - x)[inside].abs().max() <= 3 / 255  # half a step, and as much because zero is one of the values
    assert float(y.min()) == pytest.approx(-1, abs=3 / 255)
    assert float(y.max()) == pytest.approx(2, abs=3 / 255)


def test_gradient_passes_inside_the_range_and_stops_outside() -> None:
    x = torch.tensor([-2.0, 0.5, 9.0], requires_grad=True)
    rounded(x, -1.0, 2.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 0]


def test_weights_have_a_scale_for_each_channel() -> None:
    torch.manual_seed(0)
    w = torch.randn(4, 3, 3, 3) * torch.tensor([1e-3, 1.0, 50.0, 0.0])[:, None, None, None]
    y = rounded_weight(w)
    steps = w.abs().amax((1, 2, 3)) / 127
    assert ((y - w).abs().amax((1, 2, 3)) <= 0.5001 * steps).all()
    assert not torch.equal(y, w)


class Small(torch.nn.Module):
    """A stem, a block with its shortcut, a linear end."""

    def __init__(self, block: type[torch.nn.Module]) -> None:
        super().__init__()
        self.n = torch.nn.Sequential(Unit(3, 16, 3, 2, 1), block(16, 16, 1, 2), Unit(16, 8, linear=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.n(x).flatten(1)


class Curved(Bottleneck):
    """A bottleneck with PReLU, some of whose slopes are below zero."""

    def __init__(self, i: int, o: int, stride: int, expand: int) -> None:
        super().__init__(i, o, stride, expand, curved=True)
        for unit in self.f[:2]:
            torch.nn.init.uniform_(unit.a.slopes, -1, 1)


@pytest.mark.parametrize(
    ("block", "share"), [(Bottleneck, 0.4), (Curved, 0.4), (Seesaw, 0.85)]
)  # int8 rounds inside the excitation too
def test_the_rounded_network_is_nearer_to_int8_than_the_float_one(
    block: type[torch.nn.Module], share: float, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    net, faces = Small(block), torch.rand(16, 3, 112, 112) * 255
    x = net_input(faces)
    with torch.no_grad():
        for _ in range(30):
            net(x)  # statistics that fit the weights
        net.eval()
        floats, ranges = net(x), find_ranges(net, x)
        assert torch.allclose(net(x), floats), "finding the ranges changes nothing"
        with_rounding(net, ranges)
        rounds = net(x)
    bare = Small(block)
    bare.load_state_dict(net.state_dict())
    write_onnx(bare.eval(), tmp_path / "fp32.onnx")
    names = tensor_ranges(Small(block), ranges, onnx.load(tmp_path / "fp32.onnx").graph)
    export_int8(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", faces, ranges=names)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    make_exact(options)
    session = ort.InferenceSession(tmp_path / "int8.onnx", options, providers=["CPUExecutionProvider"])
    int8 = torch.from_numpy(session.run(None, {"input": x.contiguous().numpy()})[0])
    assert (rounds - int8).norm() < share * (floats - int8).norm()


def test_the_embedding_is_not_rounded_but_the_weights_behind_it_are() -> None:
    torch.manual_seed(4)
    net, x = torch.nn.Module(), torch.randn(64, 3, 7, 7)
    net.n = torch.nn.Sequential(Unit(3, 16, 7), End(16, 8)).eval()
    net.forward = net.n.forward
    with torch.no_grad():
        ranges = find_ranges(net, x)
        assert len(ranges) == 2  # of the input and of the first layer
        with_rounding(net, ranges)
        assert len(net(x).unique()) > 256
    assert net.n[1].rounded


def test_ranges_of_an_older_recipe_are_refused(tmp_path: Path) -> None:
    net = Small(Bottleneck).eval()
    ranges = torch.zeros(len(places(net)) + 2, 2)  # its last layer had one, too
    write_onnx(Small(Bottleneck).eval(), tmp_path / "fp32.onnx")
    graph = onnx.load(tmp_path / "fp32.onnx").graph
    for use in (lambda: with_rounding(net, ranges), lambda: tensor_ranges(net, ranges, graph)):
        with pytest.raises(SystemExit, match="train --phase 4"):
            use()


def test_equal_ranges_leave_the_function_and_lessen_the_rounding() -> None:
    torch.manual_seed(2)
    net, x = Small(Bottleneck), net_input(torch.rand(16, 3, 112, 112) * 255)
    with torch.no_grad():
        for _ in range(30):
            net(x)
        net.eval()
        expand, depthwise = net.n[1].f[:2]
        spread = torch.logspace(-3, 1, 32)  # channels of very different ranges, all of which matter
        expand.b.weight *= spread
        expand.b.bias *= spread
        depthwise.c.weight /= spread[:, None, None, None]
        wanted = net(x)
        plain = Small(Bottleneck)
        plain.load_state_dict(net.state_dict())
        equalise(net, x)
        torch.testing.assert_close(net(x), wanted, rtol=1e-3, atol=1e-4)
        assert not torch.equal(expand.b.weight, plain.n[1].f[0].b.weight)
        errors = []
        for network in (plain.eval(), net):
            with_rounding(network, find_ranges(network, x))
            errors.append((network(x) - wanted).norm())
    assert errors[1] < 0.7 * errors[0]


def test_equal_ranges_leave_alone_what_is_never_on_and_blow_up_nothing() -> None:
    net, x = Small(Bottleneck).eval(), net_input(torch.rand(16, 3, 112, 112) * 255)
    expand, depthwise = net.n[1].f[:2]
    with torch.no_grad():
        expand.b.bias[0] = -100.0  # never on
        expand.b.weight[1] *= 1e-4  # hardly
        expand.b.bias[1] = 0.0
        before = expand.b.weight.clone(), depthwise.c.weight.clone()
        equalise(net, x)
        assert expand.b.weight[0] == before[0][0]
        assert torch.equal(depthwise.c.weight[0], before[1][0])
        assert float((expand.b.weight / before[0]).max()) == MOST


def test_a_unit_at_rest_computes_what_its_batch_norm_would() -> None:
    torch.manual_seed(1)
    unit, x = Unit(8, 8, 3, 1, 1, groups=8), torch.randn(2, 8, 10, 10)
    torch.nn.init.normal_(unit.b.running_mean)
    torch.nn.init.uniform_(unit.b.running_var, 0.5, 2.0)
    unit.eval()
    torch.testing.assert_close(unit(x), unit.a(unit.b(unit.c(x))))


def test_a_channel_that_is_on_in_one_picture_alone_does_not_widen_the_range_for_all() -> None:
    torch.manual_seed(4)
    net, x = Small(Bottleneck).eval(), net_input(torch.rand(16, 3, 112, 112) * 255)
    expand = net.n[1].f[0]
    with torch.no_grad():
        inner = net.n[0](x)
        others = expand(inner).amax((0, 2, 3)).mean()
        before = expand.c(inner)[:, 0].amax((1, 2))
        first, second = before.topk(2).values
        expand.b.weight[0] = others / (first - second)  # on in one picture of sixteen, and as far as the others are
        expand.b.bias[0] = -second * expand.b.weight[0] * torch.rsqrt(expand.b.running_var[0] + expand.b.eps)
        assert (expand(inner)[:, 0].amax((1, 2)) > 1e-3).sum() == 1
        equalise(net, x)
        values = expand(inner).amax((0, 2, 3))
    assert values[0] < 1.5 * values[1:].max()


def test_equal_ranges_count_what_is_below_zero_before_a_prelu() -> None:
    torch.manual_seed(5)
    net, x = Small(Curved).eval(), net_input(torch.rand(16, 3, 112, 112) * 255)
    expand = net.n[1].f[0]
    inside: list[torch.Tensor] = []
    expand.a.register_forward_pre_hook(lambda _, inputs: inside.append(inputs[0].abs().amax((0, 2, 3))))
    with torch.no_grad():
        expand.a.slopes[0] = 0.01
        expand.b.weight[0] *= 0.01
        expand.b.bias[0] = -10.0  # what comes out of this channel is as small as the others', what goes in is not
        wanted = net(x)
        before = inside[-1]
        equalise(net, x)
        torch.testing.assert_close(net(x), wanted, rtol=1e-3, atol=1e-4)
    assert before[0] > 2 * before[1:].max()
    assert inside[-1][0] == pytest.approx(float(inside[-1][1:].mean()), rel=0.1)
