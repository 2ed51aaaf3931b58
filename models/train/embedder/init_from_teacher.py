"""The teacher's weights as a start: a network of its own architecture, most of whose PReLU slopes go to zero while it
learns; the others stay, but none above 1.

ReLU keeps the int8 network in int8 between its layers; PReLU does not. A slope of zero is ReLU, so the network that
comes out is the one that `mobilefacenet.py` describes. Begun so, the loss towards the teacher was .133 after 37,000
pictures; begun from nothing, block by block, it was .233 after 79,000.

The outcome derives from the teacher's weights, not only from its outputs: the teacher's terms hold for it.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

from models.train.embedder.mobilefacenet import CURVED, Curve, MobileFaceNet, Slopes, Unit
from models.train.embedder.teacher import TEACHER


class Leaky(nn.Module):
    """PReLU with a share of fixed slopes: 1 is the teacher's activation, 0 is ReLU."""

    def __init__(self, slopes: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("slopes", slopes.reshape(1, -1, 1, 1), persistent=False)
        self.share = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.share == 0:
            return F.relu(x, inplace=True)
        y: torch.Tensor = Curve.apply(x, (self.slopes * self.share).to(x.dtype))
        return y


def units(net: nn.Module) -> list[Unit]:
    return [u for u in net.modules() if isinstance(u, Unit)]


def start_from_teacher(net: MobileFaceNet, shared: Path) -> None:
    """Gives the network the teacher's convolutions and batch norms; `with_slopes` makes it compute what that does."""
    graph = onnx.load(shared / TEACHER).graph
    values = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    layers = iter(units(net))
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            unit = next(layers)
            shift = values[node.input[2]] if len(node.input) > 2 else 0.0
            unit.c.weight.data.copy_(values[node.input[1]].reshape(unit.c.weight.shape))
        elif node.op_type == "BatchNormalization":
            gain, bias, mean, variance = (values[i] for i in node.input[1:5])
            eps = next(a.f for a in node.attribute if a.name == "epsilon")
            # the same function with this network's own epsilon
            unit.b.weight.data.copy_(gain * ((variance + unit.b.eps) / (variance + eps)).sqrt())
            unit.b.bias.data.copy_(bias)
            unit.b.running_mean.copy_(mean - shift)
            unit.b.running_var.copy_(variance)


def end_as_teacher(net: MobileFaceNet, shared: Path) -> None:
    """Gives the layers from CURVED on the teacher's weights, and its slopes where they have PReLU; the others stay."""
    teacher = MobileFaceNet()
    start_from_teacher(teacher, shared)
    with_slopes(teacher, shared)
    net.n[CURVED:].load_state_dict(teacher.n[CURVED:].state_dict())


def bend(net: nn.Module, slopes: dict[str, torch.Tensor]) -> list[Leaky]:
    """Gives units, by name, PReLU in place of ReLU -> them: their share is to be brought to zero."""
    leaks = [Leaky(s) for s in slopes.values()]
    for name, leak in zip(slopes, leaks, strict=True):
        net.get_submodule(name).a = leak
    return leaks


def with_slopes(net: MobileFaceNet, shared: Path, keep: bool = True) -> list[Leaky]:
    """Puts the teacher's activations into the network -> those whose share is to be brought to zero.

    `keep`: where the network has PReLU itself, it has the teacher's slopes, cut at 1. Else all are the teacher's.
    """
    graph = onnx.load(shared / TEACHER).graph
    values = {i.name: i for i in graph.initializer}
    slopes = [numpy_helper.to_array(values[n.input[1]]).copy() for n in graph.node if n.op_type == "PRelu"]
    curved = [u for u in units(net) if not isinstance(u.a, nn.Identity)]
    for unit, slope in zip(curved, map(torch.from_numpy, slopes), strict=True):
        if isinstance(unit.a, Slopes) and keep:
            unit.a.slopes.data.copy_(slope.flatten().clamp(max=1))
        else:
            unit.a = Leaky(slope)
    return [u.a for u in curved if isinstance(u.a, Leaky)]
