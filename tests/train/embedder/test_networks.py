"""The embedders' networks: their size, their groups, and what is exported."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from models.train.common.runtime import ort  # noqa: E402
from models.train.embedder.complexity import count_onnx  # noqa: E402
from models.train.embedder.export import write_onnx  # noqa: E402
from models.train.embedder.init_from_teacher import Leaky  # noqa: E402
from models.train.embedder.init_seesaw import inner_order, start_seesaw  # noqa: E402
from models.train.embedder.mobilefacenet import MobileFaceNet, Slopes, Unit, read_weights, write_weights  # noqa: E402
from models.train.embedder.seesawfacenet import Seesaw, SeesawFaceNet  # noqa: E402
from models.train.embedder.training import begin_as  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
BOTH = pytest.mark.parametrize("network", [MobileFaceNet, SeesawFaceNet])


def with_statistics(network: type[torch.nn.Module]) -> torch.nn.Module:
    """The network with batch norms that do something."""
    torch.manual_seed(5)
    net = network()
    for unit in net.modules():
        if isinstance(unit, Unit):
            unit.b.running_mean.normal_(0, 0.1)
            unit.b.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(unit.b.weight, 0.5, 1.5)
            torch.nn.init.normal_(unit.b.bias, 0, 0.1)
    return net.eval()


@BOTH
def test_exported_network_computes_the_same(network: type[torch.nn.Module], tmp_path: Path) -> None:
    net, x = with_statistics(network), torch.randn(3, 3, 112, 112)
    with torch.no_grad():
        wanted = net(x)
    write_onnx(net, tmp_path / "net.onnx")
    assert onnx.load(tmp_path / "net.onnx").graph.node[-1].op_type == "Gemm"
    session = ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for n in (1, 3):
        got = torch.from_numpy(session.run(None, {"input": x[:n].numpy()})[0])
        assert got.shape == (n, 128)
        torch.testing.assert_close(got, wanted[:n], rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize(
    ("network", "parameters", "products"), [(MobileFaceNet, 0.99e6, 221e6), (SeesawFaceNet, 1.3e6, 146e6)]
)
def test_the_embedder_has_the_size_of_the_paper(
    network: type[torch.nn.Module], parameters: float, products: float, tmp_path: Path
) -> None:
    net = network().eval()
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(parameters, rel=0.05)
    write_onnx(net, tmp_path / "net.onnx")
    stored, multiplied = count_onnx(tmp_path / "net.onnx")
    assert stored == pytest.approx(parameters, rel=0.05)  # so the zeros of training are not in the file
    assert multiplied == pytest.approx(products, rel=0.05)


def test_a_product_with_slopes_is_exported_as_a_convolution(tmp_path: Path) -> None:
    write_onnx(MobileFaceNet().eval(), tmp_path / "net.onnx")
    nodes = onnx.load(tmp_path / "net.onnx").graph.node
    curves = sum(isinstance(m, Slopes) for m in MobileFaceNet().modules())
    assert [n.op_type for n in nodes].count("Max") == curves == 10
    assert not [n for n in nodes if n.op_type in ("Mul", "Clip", "Where", "Less")]


def test_weights_of_a_network_with_relu_are_read_as_those_of_slopes_of_zero(tmp_path: Path) -> None:
    net = with_statistics(MobileFaceNet)
    state = {k: v for k, v in net.state_dict().items() if not k.startswith("n.12.") or not k.endswith(".slopes")}
    write_weights(state, tmp_path / "old.pt")
    got = read_weights(tmp_path / "old.pt")
    slopes = {k: v for k, v in got.items() if k.endswith(".slopes")}
    assert {k for k, v in slopes.items() if not v.any()} == {"n.12.f.0.a.slopes", "n.12.f.1.a.slopes"}
    assert len(slopes) == 10
    del state["n.3.f.0.c.weight"]
    write_weights(state, tmp_path / "other.pt")
    with pytest.raises(SystemExit, match=r"other\.pt does not hold a MobileFaceNet's weights"):
        read_weights(tmp_path / "other.pt")


def test_weights_of_a_network_with_more_prelus_are_read_as_what_they_were(tmp_path: Path) -> None:
    net, x, slopes = with_statistics(MobileFaceNet), torch.randn(2, 3, 112, 112), torch.linspace(-1, 1, 512).half()
    net.half().float()  # as the file has them
    write_weights(net.state_dict() | {"n.14.f.0.a.slopes": slopes}, tmp_path / "more.pt")
    with pytest.raises(SystemExit, match=r"more\.pt has PReLU where a MobileFaceNet has ReLU"):
        read_weights(tmp_path / "more.pt")
    begun = MobileFaceNet().eval()
    (leak,) = begin_as(begun, tmp_path, tmp_path / "more.pt")
    with torch.no_grad():
        straight = net(x)
        net.n[14].f[0].a = Leaky(slopes.float())
        torch.testing.assert_close(begun(x), net(x))
        leak.share = 0.0
        torch.testing.assert_close(begun(x), straight)
    assert not torch.allclose(net(x), straight, rtol=0.1)


def test_groups_of_a_seesaw_block_are_uneven_and_mix() -> None:
    torch.manual_seed(1)
    expand, _, _, project = Seesaw(64, 64, 1, 2).f
    first, last = expand.c.weight[:, :, 0, 0] != 0, project.c.weight[:, :, 0, 0] != 0
    assert first[:32, :16].all()  # a quarter of the channels makes a quarter of the channels
    assert not first[:32, 16:].any()
    assert first[32:, 16:].all()
    assert not first[32:, :16].any()
    assert last.sum(1).tolist() == [32] * 16 + [96] * 48
    heard = [last[rows].any(0) for rows in (slice(0, 16), slice(16, 64))]
    assert not (heard[0] & heard[1]).any()  # each channel belongs to one group
    for h in heard:
        assert h[:32].any()  # and each group hears both groups before
        assert h[32:].any()
    assert int(heard[0][:32].sum()) == 16


@BOTH
def test_weights_come_back_in_half_precision(network: type[torch.nn.Module], tmp_path: Path) -> None:
    net = with_statistics(network)
    write_weights(net.state_dict(), tmp_path / "half.pt")
    state = read_weights(tmp_path / "half.pt", network)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=1e-3, atol=1e-6)


def test_weights_of_the_other_network_are_refused(tmp_path: Path) -> None:
    write_weights(MobileFaceNet().state_dict(), tmp_path / "half.pt")
    with pytest.raises(SystemExit, match="does not hold a SeesawFaceNet's weights"):
        read_weights(tmp_path / "half.pt", SeesawFaceNet)


def test_seesaw_begins_as_the_network_it_is_given_and_ends_in_its_groups() -> None:
    source = with_statistics(MobileFaceNet)
    for unit in source.modules():
        if isinstance(unit, Unit) and not isinstance(unit.a, torch.nn.Identity):
            unit.a = Leaky(torch.empty(len(unit.b.weight)).uniform_(-1, 1))
    net, x = SeesawFaceNet(), torch.randn(2, 3, 112, 112)
    annealed = start_seesaw(net, source)
    net.eval()
    with torch.no_grad():
        wanted, got = source(x), net(x)
        torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
        for part in annealed:
            part.share = 0.0
        bare = SeesawFaceNet().eval()
        bare.load_state_dict(net.state_dict())
        torch.testing.assert_close(net(x), bare(x))


def test_a_channel_that_nothing_hears_takes_no_place_in_the_small_groups() -> None:
    torch.manual_seed(2)
    expand, project = torch.randn(16, 8), torch.randn(8, 16)
    expand[3], project[:, 3] = 0, 0
    order = inner_order(expand, project).tolist()
    assert sorted(order) == list(range(16))
    assert order[-1] == 3
