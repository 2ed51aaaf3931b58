"""A student that follows its teacher's maps, and what becomes of the teacher's PReLUs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from onnx import TensorProto, helper  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

from models.train.common.faces import Batches  # noqa: E402
from models.train.embedder.distillation import FOLLOWED, embedding_and_maps, following_losses, pairs, teacher_network  # noqa: E402
from models.train.embedder.export import compare_bytes  # noqa: E402
from models.train.embedder.init_from_teacher import end_as_teacher, start_from_teacher, units, with_slopes  # noqa: E402
from models.train.embedder.loop import Plan, State  # noqa: E402
from models.train.embedder.mobilefacenet import CURVED, MobileFaceNet, Slopes, net_input  # noqa: E402
from models.train.embedder.teacher import TEACHER, Teacher  # noqa: E402

pytestmark = pytest.mark.train
SHARED = Path(os.environ.get("KIOSK_SHARED") or Path(__file__).resolve().parents[4] / "shared")
needs_teacher = pytest.mark.skipif(
    not (SHARED / TEACHER).is_file(), reason="needs the shared reference networks: KIOSK_SHARED"
)
PLAN = Plan(phase=2, steps=2, finish=1, batch=8, rate=1e-3, decay=0.0, features=1.0, settled=True, follow=True)


def a_state() -> State:
    pictures = np.random.default_rng(3).integers(0, 256, (8, 128, 128, 3), dtype=np.uint8)
    state = State(MobileFaceNet, Batches(pictures, np.arange(16), seed=0), 0, "cpu")
    state.net.eval()
    return state


def test_a_student_that_is_the_teacher_has_its_mirror_image_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.train.embedder.distillation.COVERED", 0.0)
    state = a_state()
    losses = following_losses(state, state.average.eval(), PLAN)
    assert len(losses) == 2 + len(FOLLOWED)
    assert max(float(v.detach()) for v in losses[2:]) < 1e-5
    again = a_state()
    seen, _, _ = pairs(again.batches, PLAN.batch)
    with torch.no_grad():
        e, mirrored = (normalize(again.net(net_input(x))) for x in (seen, seen.flip(3)))
    cosine = (e * normalize(e + mirrored)).sum(1).mean()
    assert float(losses[0].detach()) == pytest.approx(float(1 - cosine), abs=1e-5)


def test_the_teacher_sees_a_covered_face_as_it_is() -> None:
    seen, shown, hidden = pairs(a_state().batches, 200)
    assert 0.05 < hidden.float().mean() < 0.2
    assert not hidden[0]
    assert torch.equal((seen != shown).flatten(1).any(1), hidden)
    # ours are noise all over; what a cover leaves has one colour, but for its light
    assert float((seen - shown)[hidden].abs().mean()) > 5


def test_maps_of_covered_faces_are_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for share in (0.0, 1.0):
        monkeypatch.setattr("models.train.embedder.distillation.COVERED", share)
        state = a_state()
        found.append([float(v.detach()) for v in following_losses(state, state.average.eval(), PLAN)])
    bare, covered = found
    assert covered[0] > 1.5 * bare[0]  # the student is the teacher, but sees covers
    assert max(covered[2:]) < 1e-5  # the maps of the one without are its own


@pytest.mark.timeout(900)  # a processor without bfloat16 of its own takes minutes
def test_in_bfloat16_it_learns_nearly_the_same() -> None:
    found = []
    for plan, kind in ((PLAN, torch.float32), (replace(PLAN, bf16=True), torch.bfloat16)):
        state, teacher = a_state(), a_state().average.eval()
        for unit in units(teacher):
            unit.fold()
        teacher.n[0].c.weight.data *= 1.2
        teacher.to(kind)
        losses = following_losses(state, teacher, plan)
        torch.stack(losses).sum().backward()
        assert {v.dtype for v in losses} == {torch.float32}
        found.append((torch.stack(losses).detach(), state.net.n[0].c.weight.grad))
    (whole, slope), (short, other) = found
    assert not torch.equal(whole, short)
    torch.testing.assert_close(whole, short, rtol=0.05, atol=1e-3)
    assert float(torch.nn.functional.cosine_similarity(slope.flatten(), other.flatten(), 0)) > 0.95


def test_the_first_map_teaches_the_layers_before_it_and_no_others() -> None:
    state = a_state()
    other = MobileFaceNet().eval()
    losses = following_losses(state, other, PLAN)
    assert min(float(v.detach()) for v in losses) > 0
    losses[2].backward(retain_graph=True)  # the first map's
    moved = [any(p.grad is not None and bool(p.grad.any()) for p in layer.parameters()) for layer in state.net.n]
    assert moved == [k < FOLLOWED[0] for k in range(len(moved))]


def test_slopes_of_a_prelu_are_those_of_torch_and_so_are_its_gradients() -> None:
    torch.manual_seed(0)
    curve, x, g = Slopes(16), torch.randn(2, 16, 7, 7, requires_grad=True), torch.randn(2, 16, 7, 7)
    torch.nn.init.uniform_(curve.slopes, -1, 1)
    y = curve(x)
    wanted = torch.nn.functional.prelu(x, curve.slopes)
    torch.testing.assert_close(y, wanted)
    mine, theirs = (torch.autograd.grad(v, (x, curve.slopes), g) for v in (y, wanted))
    torch.testing.assert_close(mine, theirs)


def test_a_slope_above_one_is_one_so_that_the_greater_of_two_is_prelu() -> None:
    curve, x = Slopes(2), torch.tensor([-2.0, 3.0]).reshape(1, 2, 1, 1).repeat(2, 1, 1, 1)
    with torch.no_grad():
        curve.slopes.copy_(torch.tensor([1.5, 2.0]))
        before = curve(x)
        curve.fold()
        after = curve(x)
    assert torch.equal(before, x)
    assert torch.equal(after, x)


def test_the_teacher_that_is_compiled_is_asked_for_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look(net: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        asked.append(x)
        return embedding_and_maps(net, x)

    monkeypatch.setattr("models.train.embedder.distillation.compiled", lambda: look)
    states = [a_state(), a_state()]
    plans = [PLAN, replace(PLAN, compiled=True)]
    plain, compiled = (following_losses(s, s.average.eval(), p) for s, p in zip(states, plans, strict=True))
    torch.testing.assert_close(compiled, plain)
    assert len(asked) == 2
    assert torch.equal(asked[1], asked[0].flip(3))


@pytest.mark.parametrize(("zero", "left"), [(128, ["Max"]), (127, ["Max", "QuantizeLinear"])])
def test_bytes_are_compared_only_where_they_mean_the_same(zero: int, left: list[str]) -> None:
    number = [helper.make_tensor("scale", TensorProto.FLOAT, [], [0.1])]
    zeros = [helper.make_tensor(name, TensorProto.UINT8, [], [v]) for name, v in (("same", 128), ("other", zero))]
    nodes = [
        helper.make_node("DequantizeLinear", ["a", "scale", "same"], ["x"]),
        helper.make_node("DequantizeLinear", ["b", "scale", "same"], ["y"]),
        helper.make_node("Max", ["x", "y"], ["z"]),
        helper.make_node("QuantizeLinear", ["z", "scale", "other"], ["out"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.UINT8, [4]) for n in ("a", "b", "out")]
    graph = helper.make_graph(nodes, "g", ends[:2], ends[2:], number + zeros)
    compare_bytes(graph)
    assert [n.op_type for n in graph.node if n.op_type != "DequantizeLinear"] == left
    assert (list(graph.node[-1].input) == ["a", "b"]) == (left == ["Max"])
    onnx.checker.check_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


@pytest.mark.shared
@needs_teacher
def test_the_teacher_as_a_network_is_the_teacher() -> None:
    faces = torch.rand(2, 3, 112, 112) * 255
    wanted, maps = Teacher(SHARED, 1).run(faces, [k - 3 for k in FOLLOWED])  # the first map is the first bottleneck's
    e, got = embedding_and_maps(teacher_network(SHARED, "cpu"), net_input(faces))
    torch.testing.assert_close(e, torch.nn.functional.normalize(wanted), rtol=1e-3, atol=1e-3)
    for mine, theirs in zip(got, maps, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.shared
@needs_teacher
def test_the_student_keeps_the_teachers_slopes_on_the_last_maps_up_to_one() -> None:
    student, teacher = MobileFaceNet(), MobileFaceNet()
    start_from_teacher(student, SHARED)
    to_relu, all_of_them = with_slopes(student, SHARED), with_slopes(teacher, SHARED, keep=False)
    kept = [m for m in student.modules() if isinstance(m, Slopes)]
    assert (len(to_relu), len(kept), len(all_of_them)) == (23, 10, 33)
    assert max(float(m.slopes.detach().max()) for m in kept) == 1
    torch.testing.assert_close(kept[-1].slopes.detach(), all_of_them[-1].slopes.flatten().clamp(max=1))


@pytest.mark.shared
@needs_teacher
def test_a_network_ends_as_its_teacher_and_keeps_its_first_layers() -> None:
    torch.manual_seed(6)
    net, teacher = MobileFaceNet().eval(), MobileFaceNet().eval()
    start_from_teacher(teacher, SHARED)
    for leak in with_slopes(teacher, SHARED):
        leak.share = 0.0  # where the network has ReLU
    before = {k: v.clone() for k, v in net.n[:CURVED].state_dict().items()}
    end_as_teacher(net, SHARED)
    for name, value in net.n[:CURVED].state_dict().items():
        assert torch.equal(value, before[name]), name
    x = torch.randn(2, 128, 14, 14)
    with torch.no_grad():
        torch.testing.assert_close(net.n[CURVED:](x), teacher.n[CURVED:](x))
