"""The free teacher: face-reidentification-retail-0095 of the Open Model Zoo (Apache-2.0), as a PyTorch network.

It is MobileFaceNet (Table 1 of arXiv 1804.07573) for 128 x 128 pixels and 256 numbers, with one PReLU slope a layer and
squeeze and excitation behind each bottleneck. No weight of it comes from networks for research only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from kiosk.vision.alignment import TEMPLATE
from models.train.common.faces import MARGIN
from models.train.embedder.mobilefacenet import BOTTLENECKS, Curve

RETAIL = Path("weights") / "retail_0095.onnx"
SIDE = 128
# Where its makers put the five landmarks, in shares of the side: right and left eye, nose, corners of the mouth.
LANDMARKS = SIDE * np.array([(0.3156, 0.4616), (0.6826, 0.4598), (0.5003, 0.6405), (0.3495, 0.8247), (0.6534, 0.8233)])
# The pixels' numbers, as the file's first two operations make them: BGR, (x - MEAN) / STD.
MEAN, STD = (64.4414, 67.6565, 82.0681), (69.5711, 46.8114, 53.6300)


def _nearest(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2 x 3 similarity that takes points 5 x 2 to others with the least squared error."""
    p, q = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    turn = np.vdot(p - p.mean(), q - q.mean()) / np.vdot(p - p.mean(), p - p.mean()).real
    shift = q.mean() - turn * p.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


FROM_ARCFACE = _nearest(TEMPLATE, LANDMARKS)
"""Takes the 112 x 112 picture of an aligned face to the 128 x 128 that this family of networks sees: its middle 105
pixels, 1.22 times as large."""
PART = tuple(round(float(v), 2) for v in (*-FROM_ARCFACE[:, 2], SIDE - 1) / FROM_ARCFACE[0, 0])
"""The same as the manifest says it (kiosk.vision.manifest.Input): left, top, side. The turn is .02 degrees."""


def views(
    pictures: NDArray[np.uint8],
    rng: np.random.Generator | None = None,
    mirrored: bool = False,
    margin: int = MARGIN,
) -> NDArray[np.uint8]:
    """Aligned 112 x 112 BGR faces with a margin around them, N of one shape -> what the networks see, N x 128 x 128 x C
    (C is 3; or 6, two pictures of a face that are moved alike).

    `rng`: each is moved by about a pixel, turned by about two degrees, sized by about 3%, and mirrored or not.
    """
    out = np.empty((len(pictures), SIDE, SIDE, pictures.shape[3]), np.uint8)
    for k, picture in enumerate(pictures):
        matrix = FROM_ARCFACE.copy()
        matrix[:, 2] -= margin * matrix[:, :2].sum(1)
        flip = mirrored
        if rng is not None:
            turn, size = np.deg2rad(rng.normal(0, 2)), 1 + rng.normal(0, 0.03)
            about = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            centre = np.array([SIDE, SIDE]) / 2
            matrix = about @ matrix
            matrix[:, 2] += centre - about @ centre + rng.normal(0, 1.2, 2)
            flip = bool(rng.random() < 0.5)
        seen = cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        out[k] = seen[:, ::-1] if flip else seen
    return out


def retail_input(x: torch.Tensor) -> torch.Tensor:
    """N x 3 x 128 x 128 BGR 0..255 -> the networks' input, channels last in memory."""
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    return ((x.clamp(0, 255) - mean) / std).contiguous(memory_format=torch.channels_last)


def tensor_of(bgr: NDArray[np.uint8]) -> torch.Tensor:
    """N x 128 x 128 x C BGR -> N x C x 128 x 128 float BGR 0..255."""
    return torch.from_numpy(np.ascontiguousarray(bgr)).permute(0, 3, 1, 2).float()


class Layer(nn.Module):
    """A convolution with bias, and a PReLU of one slope where there is one."""

    def __init__(self, conv: nn.Conv2d, slope: float | None) -> None:
        super().__init__()
        self.conv, self.slope = conv, slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        if self.slope is None:
            return y
        z: torch.Tensor = Curve.apply(y, torch.full((1, 1, 1, 1), self.slope).to(y.dtype))
        return z


class ExcitedBottleneck(nn.Module):
    """1 x 1, 3 x 3 depthwise, 1 x 1, times a gate of each channel from the means of all, plus the shortcut."""

    def __init__(self, layers: list[Layer], gate: list[Layer], residual: bool) -> None:
        super().__init__()
        self.f, self.gate, self.residual = nn.Sequential(*layers), nn.Sequential(*gate), residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.f(x)
        y = y * self.factors(y)
        return x + y if self.residual else y

    def factors(self, y: torch.Tensor) -> torch.Tensor:
        """n x c x h x w before the gate -> what each channel is multiplied by, n x c x 1 x 1."""
        found: torch.Tensor = torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        return found


def layers_of(graph: onnx.GraphProto) -> Iterator[Layer]:
    """The graph's convolutions in order, each with the sum behind it as its bias, and its slope."""
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    readers = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        given = {a.name: list(a.ints) or [a.i] for a in node.attribute}
        weight = torch.from_numpy(values[node.input[1]].copy())
        o, i, k, _ = weight.shape
        groups = given.get("group", [1])[0]
        conv = nn.Conv2d(i * groups, o, k, given["strides"][0], given["pads"][0], groups=groups)
        conv.weight.data, conv.bias.data = weight, torch.zeros(o)  # type: ignore[union-attr]
        after = readers.get(node.output[0])
        if after is not None and after.op_type == "Add" and after.input[1] in values:
            conv.bias.data = torch.from_numpy(values[after.input[1]].flatten().copy())  # type: ignore[union-attr]
            after = readers.get(after.output[0])
        curved = after is not None and after.op_type == "PRelu"
        yield Layer(conv, float(values[after.input[1]].item()) if curved and after is not None else None)


class RetailTeacher(nn.Module):
    """Inputs of `retail_input` -> N x 256, not normalised. `n`: 20 layers, the third to the 17th bottlenecks.

    `made`: its convolutions in the order of the file, of each bottleneck the three and then the gate's two.
    """

    def __init__(self, made: Iterator[Layer]) -> None:
        super().__init__()
        layers: list[nn.Module] = [next(made), next(made)]
        i = 64
        for _, o, repeats, stride in BOTTLENECKS:
            for k in range(repeats):
                inner, gate = [next(made) for _ in range(3)], [next(made) for _ in range(2)]
                layers.append(ExcitedBottleneck(inner, gate, residual=(k > 0 or stride == 1) and i == o))
                i = o
        layers += list(made)
        self.n = nn.Sequential(*layers)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @classmethod
    def read(cls, shared: Path) -> RetailTeacher:
        """The network of the data folder's file."""
        return cls(layers_of(onnx.load(shared / RETAIL).graph))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.n(x)
        return y.flatten(1)
