"""The PAD networks, their shape read off the teacher's graph, and the teacher with its intermediate outputs.

The teachers are MiniFASNet V2 (2.7) and V1SE (4.0) of minivision's Silent-Face-Anti-Spoofing (Apache-2.0): a stem,
bottlenecks (1x1, 3x3 depthwise, 1x1 linear; some with squeeze and excitation), and a head. The student has the same
blocks with ReLU instead of PReLU (but in the stem), hidden widths of whole vectors of 16, and random weights.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from models.train.common.runtime import session

INPUT_SCALE = 128.0  # inside the network; folded into the stem on export
HEAD = 400  # channels; the teachers' 512, less what the wider blocks cost: a network stays under 1.8 MB


@dataclass(frozen=True)
class Block:
    """One bottleneck: its tensors in the teacher's graph and its shape."""

    input: str
    output: str  # of the branch, before the addition
    channels: tuple[int, int, int]  # in, hidden, out
    stride: int
    squeeze: int  # channels of the squeeze and excitation's middle; 0: none
    adds: bool


@dataclass(frozen=True)
class Shape:
    """A whole network: stem (two convolutions), blocks, head, the last layer."""

    stem: int
    stem_output: str  # of its first half
    blocks: tuple[Block, ...]
    head_input: str
    features: str
    feature_count: int
    logits: str


def read_shape(model: onnx.ModelProto) -> Shape:
    """The shape of a MiniFASNet in ONNX, its batch norms folded. Raises ValueError for another graph."""
    graph = model.graph
    weights = {i.name: tuple(i.dims) for i in graph.initializer}
    made = {o: n for n in graph.node for o in n.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for n in graph.node:
        for i in n.input:
            readers.setdefault(i, []).append(n)

    def after(name: str, kind: str) -> onnx.NodeProto:
        found = [n for n in readers.get(name, []) if n.op_type == kind]
        if len(found) != 1:
            raise ValueError(f"not a MiniFASNet: {name} is read by {len(found)} {kind}")
        return found[0]

    def unit(name: str) -> tuple[onnx.NodeProto, str]:
        conv = after(name, "Conv")
        return conv, after(conv.output[0], "PRelu").output[0]

    def stride(conv: onnx.NodeProto) -> int:
        return int(next(a.ints[0] for a in conv.attribute if a.name == "strides"))

    first, stem_output = unit(graph.input[0].name)
    _, name = unit(stem_output)
    blocks: list[Block] = []
    while True:
        wide, inner = unit(name)
        deep, inner = unit(inner) if weights[after(inner, "Conv").input[1]][2] == 3 else (wide, "")
        if not inner:
            break
        narrow = after(inner, "Conv")
        shape = weights[wide.input[1]][1], weights[wide.input[1]][0], weights[narrow.input[1]][0]
        output, squeeze = narrow.output[0], 0
        pools = [n for n in readers[output] if n.op_type == "GlobalAveragePool"]
        if pools:
            squeeze = weights[after(pools[0].output[0], "Conv").input[1]][0]
            output = after(output, "Mul").output[0]
        sums = [n for n in readers[output] if n.op_type == "Add" and name in n.input]
        blocks.append(Block(name, output, shape, stride(deep), squeeze, bool(sums)))
        name = sums[0].output[0] if sums else output
    last = made[graph.output[0].name]
    count = weights[last.input[1]][0]
    return Shape(
        weights[first.input[1]][0], stem_output, tuple(blocks), name, last.input[0], count, graph.output[0].name
    )


def rounded(width: int) -> int:
    """The nearest whole vectors of 16; narrow ones get one more, since ReLU loses the sign that PReLU keeps."""
    return round(width / 16) * 16 + (16 if width < 64 else 0)


def unit(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, pad: bool = True,
         relu: bool = True) -> nn.Sequential:  # fmt: skip
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if pad else 0, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in" if groups == 1 else "fan_out")
    norm = nn.BatchNorm2d(outputs, momentum=0.03)
    return nn.Sequential(conv, norm, nn.ReLU(inplace=True) if relu else nn.Identity())


class Bottleneck(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        inputs, hidden, outputs = block.channels
        hidden = rounded(hidden)
        self.adds = block.adds
        self.layers = nn.Sequential(
            unit(inputs, hidden, 1), unit(hidden, hidden, 3, block.stride, hidden), unit(hidden, outputs, 1, relu=False)
        )
        self.gate: nn.Module | None = None
        if block.squeeze:
            self.gate = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(outputs, block.squeeze, 1), nn.ReLU(inplace=True),
                nn.Conv2d(block.squeeze, outputs, 1), nn.Sigmoid(),
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y if self.gate is None else y * self.gate(y)


class Pad(nn.Module):
    """BGR 0 to 255, B x 3 x 80 x 80 -> the outputs of its pieces: two of the stem, the blocks', features, logits.

    The stem keeps PReLU: nothing linear follows in it that could give the teacher's negative values.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.stem = nn.ModuleList([unit(3, shape.stem, 3, 2), unit(shape.stem, shape.stem, 3, 1, shape.stem)])
        for layers in self.stem:
            layers[2] = nn.PReLU(shape.stem)
        self.blocks = nn.ModuleList(Bottleneck(b) for b in shape.blocks)
        width = shape.blocks[-1].channels[2]
        self.head = nn.Sequential(
            unit(width, HEAD, 1), unit(HEAD, HEAD, 5, groups=HEAD, pad=False, relu=False),
            unit(HEAD, shape.feature_count, 1, relu=False),
        )  # fmt: skip
        self.last = nn.Conv2d(shape.feature_count, 3, 1)

    def scaled(self, x: Tensor) -> Tensor:
        return x / INPUT_SCALE

    def forward(self, x: Tensor) -> list[Tensor]:
        y = self.scaled(x)
        out: list[Tensor] = []
        for layers in self.stem:
            y = layers(y)
            out.append(y)
        for block in self.blocks:
            out.append(block(y))
            y = y + out[-1] if block.adds else out[-1]
        out.append(self.head(y))
        out.append(self.last(out[-1]).flatten(1))
        return out

    def pieces(self) -> list[nn.Module]:
        """In the order of the outputs; the first reads the scaled picture."""
        return [*self.stem, *self.blocks, self.head, self.last]


class Bare(Pad):
    """A Pad whose stem takes the picture as it is, with the logits alone."""

    def scaled(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[-1]


def runtime(net: Pad, shape: Shape) -> Bare:
    """What is exported: batch norm and the input's scale folded into the convolutions."""
    bare = Bare(shape)
    bare.load_state_dict(net.state_dict())
    bare.eval()
    for module in list(bare.modules()):
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0], module[1] = nn.utils.fuse_conv_bn_eval(module[0], module[1]), nn.Identity()
    bare.stem[0][0].weight.data /= INPUT_SCALE
    return bare


class Teacher:
    """A MiniFASNet in ONNX that gives the inputs and the outputs of the student's pieces."""

    def __init__(self, path: Path) -> None:
        self.plain = session(str(path))
        model = onnx.load(path)
        self.shape = read_shape(model)
        blocks = self.shape.blocks
        self.given = [self.shape.stem_output, *(b.input for b in blocks), self.shape.head_input, self.shape.features]
        self.wanted = [
            self.shape.stem_output,
            blocks[0].input,
            *(b.output for b in blocks),
            self.shape.features,
            self.shape.logits,
        ]
        model = copy.deepcopy(model)
        for name in dict.fromkeys([*self.given, *self.wanted]):
            if name not in {o.name for o in model.graph.output}:
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        self.names = list(dict.fromkeys([*self.given, *self.wanted]))
        self.session = session(model)
        self.input = model.graph.input[0].name

    def __call__(self, x: np.ndarray) -> tuple[list[Tensor], list[Tensor]]:
        """What the pieces are given, and what they are to give (the last: B x 3 logits)."""
        got = dict(zip(self.names, map(torch.from_numpy, self.session.run(self.names, {self.input: x})), strict=True))
        for name, v in got.items():
            if v.ndim == 4:
                got[name] = v.contiguous(memory_format=torch.channels_last)
        got[self.shape.features] = got[self.shape.features][:, :, None, None]
        return [got[n] for n in self.given], [got[n] for n in self.wanted]

    def logits(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.plain.run(None, {self.input: x})[0])
