"""The detector's network, its teacher, and the decoding that both share.

The network has YuNet's shape (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023): depthwise-separable
units, a top-down neck, anchor-free heads at strides 8, 16 and 32. The four heads of a stride are one unit of 16
channels here: the same arithmetic in fewer and wider convolutions. Every weight starts at random.

Raw maps: one tensor a stride, B x 16 x h x w, channels cls logit, obj logit, centre (2), log size (2), landmarks (10),
positions in units of the stride relative to the cell.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.train.common.runtime import session

STRIDES = (8, 16, 32)
INPUT_SCALE = 128.0  # inside the network; folded into the stem on export


class Unit(nn.Module):
    """1x1 convolution, 3x3 depthwise convolution, batch norm (not in the heads); its reader applies the ReLU."""

    def __init__(self, inputs: int, outputs: int, head: bool = False) -> None:
        super().__init__()
        self.point = nn.Conv2d(inputs, outputs, 1)
        self.depth = nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs, bias=head)
        self.norm: nn.Module = nn.Identity() if head else nn.BatchNorm2d(outputs, momentum=0.03)
        nn.init.kaiming_normal_(self.depth.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.depth(self.point(x)))


class Detector(nn.Module):
    """BGR 0 to 255, B x 3 x H x W with H and W multiples of 32 -> 15 features before their ReLU, and 3 raw maps.

    Before it, because a channel that is dead after it would never learn from its error.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(16, momentum=0.03)
        widths = [(16, 16), (16, 16), (16, 32), (32, 32), (32, 64)] + [(64, 64)] * 9
        self.units = nn.ModuleList(Unit(i, o) for i, o in widths)
        self.heads = nn.ModuleList(Unit(64, 16, head=True) for _ in STRIDES)

    def scaled(self, x: Tensor) -> Tensor:
        return x / INPUT_SCALE

    def forward(self, x: Tensor, given: list[Tensor] | None = None) -> tuple[list[Tensor], list[Tensor]]:
        """With the teacher's features `given`, each block reads those instead of its predecessor's output."""
        features: list[Tensor] = []
        read: list[Tensor] = []

        def add(v: Tensor) -> None:
            features.append(v)
            read.append(torch.relu(v if given is None else given[len(read)]))

        def up(v: Tensor) -> Tensor:
            return F.interpolate(v, scale_factor=2.0, mode="nearest")

        add(self.norm(self.stem(self.scaled(x))))
        for i, unit in enumerate(self.units[:11]):  # the backbone; four of its units read their input at half the size
            add(unit(F.max_pool2d(read[i], 2) if i in (1, 5, 7, 9) else read[i]))
        add(self.units[11](read[11]))
        add(self.units[12](read[9] + up(read[12])))
        add(self.units[13](read[7] + up(read[13])))
        return features, [head(read[i]) for head, i in zip(self.heads, (14, 13, 12), strict=True)]


def decode(maps: list[Tensor]) -> Tensor:
    """Raw maps -> B x N x 15: x, y, width, height, five landmarks (x, y) in input pixels, score in 0 to 1."""
    rows = []
    for v, stride in zip(maps, STRIDES, strict=True):
        b, _, h, w = v.shape
        grid_x = torch.arange(w, dtype=torch.float32, device=v.device).view(1, 1, w, 1).expand(b, h, w, 1)
        grid_y = torch.arange(h, dtype=torch.float32, device=v.device).view(1, h, 1, 1).expand(b, h, w, 1)
        grid = torch.cat([grid_x, grid_y], 3)
        cls, obj, centre, size, points = v.permute(0, 2, 3, 1).split([1, 1, 2, 2, 10], 3)
        score = torch.sqrt(torch.sigmoid(cls) * torch.sigmoid(obj))
        size = torch.exp(size) * stride
        corner = (centre + grid) * stride - size / 2
        points = (points + grid.repeat(1, 1, 1, 5)) * stride
        rows.append(torch.cat([corner, size, points, score], 3).reshape(b, -1, 15))
    return torch.cat(rows, 1)


class Bare(Detector):
    """A Detector whose stem takes the picture as it is."""

    def scaled(self, x: Tensor) -> Tensor:
        return x


class Runtime(nn.Module):
    """What is exported: batch norm and the input's scale folded into the convolutions, decoded output."""

    def __init__(self, net: Detector) -> None:
        super().__init__()
        self.net = Bare()
        self.net.load_state_dict(net.state_dict())
        self.net.eval()
        stem = nn.utils.fuse_conv_bn_eval(self.net.stem, self.net.norm)
        stem.weight.data /= INPUT_SCALE
        self.net.stem, self.net.norm = stem, nn.Identity()
        for unit in self.net.units:
            unit.depth, unit.norm = nn.utils.fuse_conv_bn_eval(unit.depth, unit.norm), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return decode(self.net(x)[1])


def free_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose input takes any height and width (the reference's graph is written for 640 x 640)."""
    model = copy.deepcopy(model)
    for axis, name in ((2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"rows_{output.name}"
    del model.graph.value_info[:]
    return model


class Teacher:
    """YuNet 2023mar (OpenCV Zoo, MIT), cut before its last reshaping; gives features and raw maps like Detector's."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        graph = model.graph
        kept = [n for n in graph.node if n.op_type not in ("Transpose", "Reshape", "Sigmoid")]
        self.features = [n.input[0] for n in kept if n.op_type == "Relu"]
        ends = {n.input[1]: n.output[0] for n in kept if n.op_type == "Conv"}
        self.maps = [
            [ends[f"bbox_head.multi_level_{part}.{level}.conv2.weight"] for part in ("cls", "obj", "bbox", "kps")]
            for level in range(3)
        ]
        del graph.node[:], graph.output[:], graph.value_info[:]
        graph.node.extend(kept)
        for name in [*self.features, *(n for level in self.maps for n in level)]:
            graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        for axis, dim in ((0, "batch"), (2, "height"), (3, "width")):
            graph.input[0].type.tensor_type.shape.dim[axis].dim_param = dim
        self.input = graph.input[0].name
        self.session = session(model)

    def __call__(self, x: Tensor, features_from: int | None = None) -> tuple[list[Tensor], list[Tensor]]:
        """The features from that one on (none if None), and the raw maps."""
        inner = [] if features_from is None else self.features[features_from:]
        names = inner + [n for level in self.maps for n in level]
        one_by_one = [self.session.run(names, {self.input: v[None]}) for v in x.numpy()]  # faster than a batch: cache
        got = [torch.from_numpy(np.concatenate(v)) for v in zip(*one_by_one, strict=True)]
        rest = got[len(inner) :]
        return got[: len(inner)], [torch.cat(rest[k : k + 4], 1) for k in (0, 4, 8)]
