"""The embedder under free terms: its teacher, how it begins as that, and what it learns from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
onnx = pytest.importorskip("onnx", reason="needs the extra train")

from torch import nn  # noqa: E402

from kiosk.vision.alignment import TEMPLATE  # noqa: E402
from kiosk.vision.pixels import scaled_part  # noqa: E402
from models.train.common.faces import Batches  # noqa: E402
from models.train.common.folders import SHARED  # noqa: E402
from models.train.common.runtime import ort  # noqa: E402
from models.train.embedder.export import write_onnx  # noqa: E402
from models.train.embedder.free import behind_cover, keep, kept, losses, pairs  # noqa: E402
from models.train.embedder.free_start import carry_over, principal, put, refit, solved  # noqa: E402
from models.train.embedder.freefacenet import CURVED, GATED, SQUEEZED, STRAIGHT, FreeFaceNet  # noqa: E402
from models.train.embedder.mobilefacenet import End, Slopes, Unit, write_weights  # noqa: E402
from models.train.embedder.retail import (  # noqa: E402
    FROM_ARCFACE,
    LANDMARKS,
    PART,
    RETAIL,
    SIDE,
    Layer,
    RetailTeacher,
    retail_input,
    tensor_of,
    views,
)
from models.train.embedder.stem_colours import aligned_colours, take_colours  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def drawn_layers(gate: float, bent: float = 0.0, moved: float = 0.0) -> Iterator[Layer]:
    """The teacher's layers with random weights.

    `gate`: what every gate's logit is; `moved`: the spread of the weights by which those that the student keeps differ
    from face to face. The slopes are those that the student can have: 0 where it has ReLU (else
    `bent`), 1 where it has nothing, and any where it has PReLU.
    """
    torch.manual_seed(3)
    student = FreeFaceNet()
    slopes = iter((-2.5, 0.4, 3.0, -0.9, 1.7, -1.2, 0.2, -6.0, 5.2))
    for name, unit in [(n, m) for n, m in student.named_modules() if isinstance(m, Unit) and ".f.3." not in n]:
        conv = nn.Conv2d(
            unit.c.in_channels, unit.c.out_channels, unit.c.kernel_size, unit.c.stride, unit.c.padding, 1, unit.c.groups
        )
        if isinstance(unit, End):
            conv = nn.Conv2d(512, 256, 1)
        nn.init.kaiming_normal_(conv.weight)
        slope = next(slopes) if name in CURVED else 1.0 if name in STRAIGHT else bent
        last = name.endswith(".f.2") or name in ("n.18", "n.19")
        yield Layer(conv, None if last else slope)
        if name.endswith(".f.2"):
            hidden = conv.out_channels // SQUEEZED
            yield Layer(nn.Conv2d(conv.out_channels, hidden, 1), 3.5)
            out = nn.Conv2d(hidden, conv.out_channels, 1)
            nn.init.normal_(out.weight, std=moved if int(name.split(".")[1]) in GATED else 0)
            nn.init.constant_(out.bias, gate)
            yield Layer(out, None)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The networks are small: threads that wait for each other on a busy machine take minutes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    return torch.randn(6, 3, 128, 128, generator=torch.Generator().manual_seed(1))


def embeddings(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return net(x)


@pytest.mark.skipif(not (SHARED / RETAIL).exists(), reason="needs the data folder's retail_0095.onnx")
def test_the_teacher_computes_what_its_file_does() -> None:
    teacher = RetailTeacher.read(SHARED)
    pixels = torch.randint(0, 256, (2, 3, 128, 128), generator=torch.Generator().manual_seed(2)).float()
    session = ort.InferenceSession(SHARED / RETAIL, providers=["CPUExecutionProvider"])
    wanted = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: pixels.numpy()})[0])
    got = embeddings(teacher, retail_input(pixels))
    assert got.shape == (2, 256)
    assert nn.functional.cosine_similarity(got, wanted).min() > 0.9999


def test_an_aligned_face_comes_to_lie_on_the_teachers_landmarks() -> None:
    picture = np.zeros((1, 112, 112, 3), np.uint8)
    for x, y in np.rint(TEMPLATE).astype(int):
        picture[0, y, x] = 255
    seen = views(picture, margin=0)[0, :, :, 0]
    for point, mark in zip(TEMPLATE @ FROM_ARCFACE[:, :2].T + FROM_ARCFACE[:, 2], LANDMARKS, strict=True):
        x, y = np.rint(point).astype(int)
        assert seen[y - 1 : y + 2, x - 1 : x + 2].max() > 40
        assert np.linalg.norm(point - mark) < 4, "the two templates are not quite alike"


def test_views_take_the_margin_off_and_mirror() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    plain = views(picture)
    assert (plain == views(picture[:, 8:120, 8:120], margin=0)).mean() > 0.97, "but for the border"
    assert (views(picture, mirrored=True) == plain[:, :, ::-1]).all()
    assert tensor_of(plain).shape == (2, 3, 128, 128)


def test_a_unit_computes_the_convolution_that_it_is_given() -> None:
    unit, conv = Unit(5, 7, 3, 1, 1, linear=True).eval(), nn.Conv2d(5, 7, 3, 1, 1)
    conv.weight.data[2] *= 1000
    put(unit, conv.weight.data, conv.bias.data)
    x = torch.randn(2, 5, 6, 6)
    torch.testing.assert_close(unit(x), conv(x), rtol=1e-4, atol=1e-3)
    sizes = unit.c.weight.pow(2).flatten(1).mean(1)
    torch.testing.assert_close(sizes, torch.full_like(sizes, 2 / 45))


def test_the_student_begins_as_a_teacher_whose_gates_are_open(faces: torch.Tensor) -> None:
    teacher, net = RetailTeacher(drawn_layers(gate=40.0)), FreeFaceNet().eval()
    projection = torch.linalg.qr(torch.randn(256, 128))[0].T
    carry_over(net, teacher, projection)
    wanted = embeddings(teacher, faces[:2]) @ projection.T
    torch.testing.assert_close(embeddings(net, faces[:2]), wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    assert all(m.slopes.abs().max() <= 1 for m in net.modules() if isinstance(m, Slopes))


def test_the_gates_that_stay_are_the_teachers(faces: torch.Tensor) -> None:
    teacher, net = RetailTeacher(drawn_layers(gate=0.0, moved=3.0)), FreeFaceNet().eval()
    carry_over(net, teacher, torch.eye(256)[:128])
    for k in GATED:
        y = torch.randn(3, net.n[k].f[2].c.out_channels, 5, 5)
        torch.testing.assert_close(net.n[k].f[3](y), y * teacher.n[k].factors(y), rtol=1e-3, atol=1e-3)
        assert teacher.n[k].factors(y).std(0).max() > 0.05, "from face to face they differ"


def test_least_squares_takes_a_constant_gate_back(faces: torch.Tensor) -> None:
    teacher, net = RetailTeacher(drawn_layers(gate=-1.0)), FreeFaceNet().eval()
    carry_over(net, teacher, torch.eye(256)[:128])
    small = faces[:, :, :64, :64]
    with torch.no_grad():
        wanted, before = teacher.n[:17](small), net.n[:17](small)
        errors = refit(net, teacher, small)
        after = net.n[:17](small)
    assert len(errors) == 15
    assert max(errors) < 0.01
    spread = float(wanted.var())
    assert float((after - wanted).pow(2).mean()) < 0.01 * spread < float((before - wanted).pow(2).mean())


def test_solved_finds_the_weights_behind_numbers() -> None:
    rows, weight, bias = torch.randn(400, 6), torch.randn(3, 6), torch.randn(3)
    found = solved(rows, rows @ weight.T + bias)
    torch.testing.assert_close(found[0], weight, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found[1], bias, rtol=1e-3, atol=1e-3)


def test_the_projection_keeps_what_the_embeddings_differ_in() -> None:
    class Flat(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1) @ directions

    directions = torch.randn(4, 256)
    x = torch.randn(50, 4)
    projection = principal(Flat(), x, dimensions=4)
    unit = nn.functional.normalize(x @ directions)
    torch.testing.assert_close((unit @ projection.T).norm(dim=1), torch.ones(50), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(projection @ projection.T, torch.eye(4), rtol=1e-3, atol=1e-3)


def test_each_number_of_an_embedding_takes_an_equal_part() -> None:
    class Unequal(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.logspace(0, -2, 256)

    x = torch.randn(400, 256, generator=torch.Generator().manual_seed(5))
    sizes = (nn.functional.normalize(Unequal()(x)) @ principal(Unequal(), x).T).pow(2).mean(0)
    assert sizes.max() < 4 * sizes.mean()


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def batch_of(faces: torch.Tensor, hidden: tuple[bool, ...] = (False, False)) -> Batch:
    return faces, faces, torch.tensor(hidden)


def test_layers_at_rest_learn_nothing_and_the_teachers_equal_has_no_loss(faces: torch.Tensor) -> None:
    teacher, net = RetailTeacher(drawn_layers(gate=40.0)), FreeFaceNet().eval()
    projection = torch.eye(256)[:128]
    carry_over(net, teacher, projection)
    found = losses(net, teacher, projection, batch_of(faces[:2]), resting=8)
    assert len(found) == 2 + 5, "the maps behind 11, 14, 15, 16 and 17 layers"
    assert max(float(v.detach()) for v in found) < 1e-3
    torch.stack(found).sum().backward()
    assert all(p.grad is None for p in net.n[:8].parameters())
    assert all(p.grad is not None for p in net.n[8:].parameters())
    assert len(losses(net, teacher, projection, batch_of(faces[:2]))) == 2 + 8


def test_of_a_covered_face_no_map_is_followed(faces: torch.Tensor) -> None:
    """The teacher sees it without the cover: its maps are of another picture."""
    teacher, net = RetailTeacher(drawn_layers(gate=40.0)), FreeFaceNet().eval()
    projection = torch.eye(256)[:128]
    carry_over(net, teacher, projection)
    seen = torch.cat([faces[:1], faces[1:2].flip(3)])
    found = losses(net, teacher, projection, (seen, faces[:2], torch.tensor([False, True])))
    assert max(float(v.detach()) for v in found[2:]) < 1e-3
    assert float(found[0].detach()) > 0.01


def drawn_batches() -> Batches:
    x = np.random.default_rng(0).integers(60, 200, (64, 128, 128, 3), np.uint8)
    return Batches(x, np.arange(64), seed=0)


def test_the_teacher_sees_the_students_picture_without_its_cover() -> None:
    seen, shown, hidden = pairs(drawn_batches(), 64)
    assert seen.shape == shown.shape == (64, 3, SIDE, SIDE)
    differ = (seen != shown).flatten(1).any(1)
    assert torch.equal(differ, hidden)
    assert 2 <= int(hidden.sum()) <= 20
    assert not hidden[0]
    same = (seen == shown).flatten(2).all(1)  # what is not covered is in the same light, and as sharp
    assert all(float(same[k].float().mean()) > 0.2 for k in torch.where(hidden)[0].tolist() if same[k].any())


def test_the_same_start_draws_the_same_pictures() -> None:
    a, b = pairs(drawn_batches(), 16), pairs(drawn_batches(), 16)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_cover_leaves_the_margin_and_some_of_the_face() -> None:
    face = np.full((128, 128, 3), 90, np.uint8)
    changed = (behind_cover(face, np.random.default_rng(1)) != face).any(2)
    assert 0.02 < changed.mean() < 0.7
    assert not changed[:8].any()
    assert not changed[:, :8].any()


def test_in_bfloat16_the_losses_are_nearly_the_same(faces: torch.Tensor) -> None:
    teacher, net = RetailTeacher(drawn_layers(gate=0.0)), FreeFaceNet().eval()
    projection = torch.eye(256)[:128]
    carry_over(net, teacher, projection)
    exact, rough = (losses(net, teacher, projection, batch_of(faces[:2]), bf16=low) for low in (False, True))
    assert {v.dtype for v in rough} == {torch.float32}
    for a, b in zip(exact[2:], rough[2:], strict=True):
        torch.testing.assert_close(a, b, rtol=0.1, atol=0.01)


def test_the_kiosk_shows_a_face_as_the_training_does() -> None:
    y, x = np.mgrid[:112, :112]
    face = np.stack([120 + 80 * np.sin(x / 9), 90 + 60 * np.cos(y / 7), 2 * x], axis=-1).astype(np.uint8)
    off = np.abs(scaled_part(face, PART, SIDE).astype(int) - views(face[None], margin=0)[0])
    assert (off.mean(), off.max()) < (0.5, 6)


def test_the_stem_takes_other_colours(faces: torch.Tensor) -> None:
    net = FreeFaceNet().eval()
    with torch.no_grad():
        wanted = net.n[0](faces)
        take_colours(net)
        got = net.n[0](aligned_colours(faces))
    torch.testing.assert_close(got[:, :, 1:, 1:], wanted[:, :, 1:, 1:], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        aligned_colours(retail_input(torch.tensor([[[[0.0]], [[127.5]], [[255.0]]]]))).flatten(),
        torch.tensor([255.0, 127.5, 0.0]) / 128 - 127.5 / 128,
    )


def test_weights_in_half_precision_and_the_exported_file_are_the_same_network(
    faces: torch.Tensor, tmp_path: Path
) -> None:
    net, projection = FreeFaceNet().eval(), torch.eye(256)[:128]
    carry_over(net, RetailTeacher(drawn_layers(gate=40.0)), projection)
    keep(net, projection, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").stat().st_size < 3_000_000
    again, its_projection = kept(tmp_path / "weights.pt")
    assert (its_projection == projection).all()
    write_weights(net.state_dict(), tmp_path / "other.pt")
    with pytest.raises(SystemExit, match="does not hold"):
        kept(tmp_path / "other.pt")
    wanted = embeddings(net, faces[:2])
    assert nn.functional.cosine_similarity(embeddings(again, faces[:2]), wanted).min() > 0.999
    write_onnx(net, tmp_path / "net.onnx")
    session = ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    got = torch.from_numpy(session.run(None, {"input": faces[:2].numpy()})[0])
    assert nn.functional.cosine_similarity(got, wanted).min() > 0.9999
