"""The PAD network for a face's own texture, and its teacher in torch.

The teacher is minifas_texture_128 (JoeyCollado/face-antispoof-onnx, Apache-2.0, trained on CelebA-Spoof): the shape of
a MiniFASNet at 128 x 128, its batch norms folded. The student begins as the teacher: ReLU in place of PReLU, whose
slopes are near nought but in the stem, and of each block's hidden channels those that its output can least do without;
the projection behind them is the least squares solution over the teacher's own activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 128
STEM = 32
RIDGE = 1e-3  # of the mean variance of a block's hidden channels


@dataclass(frozen=True)
class Shape:
    """One bottleneck: channels in, hidden, out; stride; middle of the squeeze and excitation (0: none)."""

    inputs: int
    hidden: int
    outputs: int
    stride: int = 1
    squeeze: int = 0
    adds: bool = False


def shapes(hidden: tuple[int, ...]) -> tuple[Shape, ...]:
    """MiniFASNet V2 with squeeze and excitation at the end of each stage, with these hidden channels."""
    fixed = [
        (32, 64, 2, 0), *[(64, 64, 1, 0)] * 3, (64, 64, 1, 16), (64, 128, 2, 0), *[(128, 128, 1, 0)] * 5,
        (128, 128, 1, 32), (128, 128, 2, 0), (128, 128, 1, 0), (128, 128, 1, 32),
    ]  # fmt: skip
    return tuple(
        Shape(i, h, o, stride, squeeze, adds=stride == 1)
        for (i, o, stride, squeeze), h in zip(fixed, hidden, strict=True)
    )


TEACHER_HIDDEN = (103, 13, 13, 13, 13, 231, 231, 52, 26, 77, 26, 26, 308, 26, 26)
HIDDEN = (48, 16, 16, 16, 16, 112, 112, 48, 24, 64, 24, 24, 144, 24, 24)
"""Whole vectors of 8, onnxruntime's blocks with AVX2. The stages' first blocks cost most: half of each is cut."""
TEACHER_HEAD, HEAD = 512, 256


class Block(nn.Module):
    def __init__(self, s: Shape, prelu: bool) -> None:
        super().__init__()
        self.shape = s
        self.wide = nn.Conv2d(s.inputs, s.hidden, 1)
        self.deep = nn.Conv2d(s.hidden, s.hidden, 3, s.stride, 1, groups=s.hidden)
        self.narrow = nn.Conv2d(s.hidden, s.outputs, 1)
        self.acts = nn.ModuleList(nn.PReLU(s.hidden) if prelu else nn.ReLU() for _ in range(2))
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(s.outputs, s.squeeze, 1), nn.ReLU(),
            nn.Conv2d(s.squeeze, s.outputs, 1), nn.Sigmoid(),
        ) if s.squeeze else None  # fmt: skip

    def inner(self, x: Tensor) -> Tensor:
        """The hidden channels that the projection reads."""
        return self.acts[1](self.deep(self.acts[0](self.wide(x))))

    def forward(self, x: Tensor) -> Tensor:
        y = self.narrow(self.inner(x))
        if self.gate is not None:
            y = y * self.gate(y)
        return x + y if self.shape.adds else y


class Texture(nn.Module):
    """RGB 0 to 1, B x 3 x 128 x 128 -> B x 2 logits; class 0 is bona fide."""

    def __init__(self, hidden: tuple[int, ...] = HIDDEN, head: int = HEAD, prelu: bool = False) -> None:
        super().__init__()
        self.stem = nn.ModuleList([nn.Conv2d(3, STEM, 3, 2, 1), nn.Conv2d(STEM, STEM, 3, 1, 1, groups=STEM)])
        self.stem_acts = nn.ModuleList(nn.PReLU(STEM) if prelu else nn.ReLU() for _ in range(2))
        self.blocks = nn.ModuleList(Block(s, prelu) for s in shapes(hidden))
        self.head = nn.Conv2d(128, head, 1)
        self.head_act = nn.PReLU(head) if prelu else nn.ReLU()
        self.pool = nn.Conv2d(head, head, 8, groups=head)
        self.last = nn.Linear(head, 2)

    def started(self, x: Tensor) -> Tensor:
        """Behind the stem."""
        for conv, act in zip(self.stem, self.stem_acts, strict=True):
            x = act(conv(x))
        return x

    def ended(self, x: Tensor) -> Tensor:
        """The head: from the last block to the features that the logits are a linear map of."""
        return self.pool(self.head_act(self.head(x))).flatten(1)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The stem's output, each block's, and the logits."""
        out = [self.started(x)]
        for block in self.blocks:
            out.append(block(out[-1]))
        return [*out, self.last(self.ended(out[-1]))]

    def features(self, x: Tensor) -> Tensor:
        """B x head: what the logits are a linear map of."""
        x = self.started(x)
        for block in self.blocks:
            x = block(x)
        return self.ended(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.features(x))


def teacher(path: Path) -> Texture:
    """minifas_texture_128 in torch. Raises ValueError for another graph."""
    graph = onnx.load(path).graph
    kept = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    net = Texture(TEACHER_HIDDEN, TEACHER_HEAD, prelu=True)
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    slopes = [m for m in net.modules() if isinstance(m, nn.PReLU)]
    order = _in_graph_order(net)
    nodes = [n for n in graph.node if n.op_type == "Conv"]
    if len(nodes) != len(convs):
        raise ValueError(f"{path}: not minifas_texture_128: {len(nodes)} convolutions")
    for conv, node in zip(order, nodes, strict=True):
        conv.weight.data = kept[node.input[1]].reshape(conv.weight.shape)
        conv.bias.data = kept[node.input[2]] if len(node.input) > 2 else torch.zeros(conv.out_channels)
    given = [n for n in graph.node if n.op_type == "PRelu"]
    for act, node in zip(_slopes_in_graph_order(net, slopes), given, strict=True):
        act.weight.data = kept[node.input[1]].flatten()
    first, second = (kept[n.input[1]] for n in graph.node if n.op_type == "MatMul")
    norm = next(n for n in graph.node if n.op_type == "BatchNormalization")
    gain, bias, mean, variance = (kept[name] for name in norm.input[1:])
    epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
    gain = gain / torch.sqrt(variance + epsilon)
    net.last.weight.data = ((first * gain) @ second).T.contiguous()
    net.last.bias.data = (bias - mean * gain) @ second
    return net.eval()


def _in_graph_order(net: Texture) -> list[nn.Conv2d]:
    order = list(net.stem)
    for b in net.blocks:
        order += [b.wide, b.deep, b.narrow, *([] if b.gate is None else [b.gate[1], b.gate[3]])]
    return [*order, net.head, net.pool]


def _slopes_in_graph_order(net: Texture, slopes: list[nn.PReLU]) -> list[nn.PReLU]:
    order = [*net.stem_acts, *(a for b in net.blocks for a in b.acts), net.head_act]
    if len(order) != len(slopes):
        raise ValueError("the slopes do not fit")
    return order


@torch.no_grad()
def begun(teacher: Texture, x: Tensor, hidden: tuple[int, ...] = HIDDEN, head: int = HEAD) -> Texture:
    """The student as it begins: see the module. `x`: pictures that the least squares are over.

    Which channels are kept follows from the teacher's own activations. The projection behind them is solved over what
    the student's blocks before it give, towards what the teacher has behind the block: it takes back their error.
    """
    net = Texture(hidden, head)
    maps = teacher.maps(x)
    for mine, theirs in zip(net.stem, teacher.stem, strict=True):
        mine.load_state_dict(theirs.state_dict())
    now = net.started(x)
    for mine, theirs, given, after in zip(net.blocks, teacher.blocks, maps[:-2], maps[1:-1], strict=True):
        inner = F.relu(theirs.deep(F.relu(theirs.wide(given))))
        keep, _, _ = thinned(_rows(inner), _rows(theirs.narrow(theirs.inner(given))), mine.shape.hidden)
        _take(mine.wide, theirs.wide, keep)
        _take(mine.deep, theirs.deep, keep)
        wanted = after - now if mine.shape.adds else after
        if mine.gate is not None:
            mine.gate.load_state_dict(theirs.gate.state_dict())
            wanted = wanted / theirs.gate(theirs.narrow(theirs.inner(given))).clamp_min(0.05)
        weight, bias = solved(_rows(mine.inner(now)), _rows(wanted))
        mine.narrow.weight.data, mine.narrow.bias.data = weight[:, :, None, None].contiguous(), bias
        now = mine(now)
    keep, _, _ = thinned(teacher.pool(F.relu(teacher.head(maps[-2]))).flatten(1), maps[-1], head)
    _take(net.head, teacher.head, keep)
    _take(net.pool, teacher.pool, keep)
    net.last.weight.data, net.last.bias.data = solved(net.ended(now), maps[-1], ridge=0.03)
    return net


def _rows(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _take(mine: nn.Conv2d, theirs: nn.Conv2d, keep: Tensor) -> None:
    """The kept channels' weights; where the student has more than the teacher, the others stay as they were drawn."""
    mine.weight.data[: len(keep)] = theirs.weight.data[keep]
    mine.bias.data[: len(keep)] = theirs.bias.data[keep]


def _centred(given: Tensor, wanted: Tensor, ridge: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Covariance of the given, cross-covariance with the wanted, and both means, in double."""
    given, wanted = given.double(), wanted.double()
    mean_in, mean_out = given.mean(0), wanted.mean(0)
    x, y = given - mean_in, wanted - mean_out
    covariance = x.T @ x / len(x)
    covariance += (ridge * covariance.diagonal().mean() + 1e-12) * torch.eye(len(covariance), dtype=torch.double)
    return covariance, x.T @ y / len(x), mean_in, mean_out


def solved(given: Tensor, wanted: Tensor, ridge: float = RIDGE) -> tuple[Tensor, Tensor]:
    """Weight and bias of the least squares' linear map, both N x C in, with a ridge in shares of the mean variance."""
    covariance, cross, mean_in, mean_out = _centred(given, wanted, ridge)
    weight = torch.linalg.solve(covariance, cross).T
    return weight.float(), (mean_out - weight @ mean_in).float()


def thinned(given: Tensor, wanted: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which `count` columns of `given` explain `wanted` best when the others are taken away one by one, each time the
    one that is missed least (optimal brain surgeon), and the least squares' weight and bias over those kept."""
    covariance, cross, mean_in, mean_out = _centred(given, wanted, RIDGE)
    inverse = torch.linalg.inv(covariance)
    weight = (inverse @ cross).T
    kept = list(range(given.shape[1]))
    while len(kept) > count:
        missed = (weight**2).sum(0) / inverse.diagonal()
        k = int(missed.argmin())
        weight = weight - torch.outer(weight[:, k] / inverse[k, k], inverse[k])
        inverse = inverse - torch.outer(inverse[:, k], inverse[k]) / inverse[k, k]
        rest = [i for i in range(len(kept)) if i != k]
        weight, inverse = weight[:, rest], inverse[rest][:, rest]
        kept = [kept[i] for i in rest]
    bias = mean_out - weight @ mean_in[kept]
    return torch.tensor(kept), weight.float(), bias.float()


def pixels(crops: np.ndarray) -> Tensor:
    """N x 128 x 128 x 3 BGR 0 to 255 as the network takes it."""
    return torch.from_numpy(np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2))).float() / 255
