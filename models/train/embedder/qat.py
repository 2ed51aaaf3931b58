"""Phase 4, quantization-aware fine-tuning (arXiv 1712.05877): the int8 network's rounding while the network learns.

The outputs of the layers and of the shortcuts' sums are rounded to 8 bits over the range that they have on clean
training faces, the weights to 8 bits a channel (`Unit.rounded`): where onnxruntime's quantizer puts its QDQ pairs. The
gradient passes through the rounding, and stops where a value is cut off. The export takes the same ranges.
"""

from __future__ import annotations

import itertools
import math

import onnx
import torch
from torch import nn

from models.train.embedder.mobilefacenet import Block, End, Slopes, Unit, rounded
from models.train.embedder.seesawfacenet import Excitation

MOST = 16.0  # times that a channel's values may grow where ranges are made equal
CUT = 5e-6  # of the values above the range, and as many below it: as the percentile of the export
BATCH = 16


def places(net: nn.Module) -> dict[str, nn.Module]:
    """The modules whose outputs are rounded, besides the network's input: all layers but the last one, and sums."""
    return {
        name: m
        for name, m in net.named_modules()
        if (isinstance(m, Unit | Excitation) and not isinstance(m, End)) or (isinstance(m, Block) and m.residual)
    }


@torch.no_grad()
def find_ranges(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Network inputs n x 3 x 112 x 112 -> (places + 1) x 2: the low and the high end of the input and of each place."""
    ends: list[list[tuple[float, float]]] = [[] for _ in range(len(places(net)) + 1)]

    def take(place: int, module: nn.Module, y: torch.Tensor) -> None:
        if isinstance(module, Unit) and isinstance(module.a, Slopes):
            y = torch.cat([y, inner.pop(module.a)])  # one range for what is below zero before and after
        values, k = y.flatten(), max(1, math.ceil(CUT * y.numel()))
        high, low = values.topk(k).values[-1], -(-values).topk(k).values[-1]
        ends[place].append((min(0.0, float(low)), max(0.0, float(high))))  # zero is a value of its own: paddings

    inner: dict[nn.Module, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda module, _inputs, y, place=place: take(place, module, y))
        for place, module in enumerate(places(net).values(), 1)
    ]
    hooks += [
        curve.register_forward_pre_hook(lambda module, inputs: inner.update({module: inputs[0]}))
        for curve in net.modules()
        if isinstance(curve, Slopes)
    ]
    for part in x.to(next(net.parameters()).device).split(BATCH):
        take(0, net, part)
        net(part)
    for hook in hooks:
        hook.remove()
    return torch.tensor(ends).mean(1)


@torch.no_grad()
def equalise(net: nn.Module, x: torch.Tensor) -> None:
    """Gives all channels that go into a depthwise convolution the same range; the network's function stays as it is.

    One range holds for all channels of a tensor, so those with small values would be rounded coarsely. ReLU and PReLU
    let a positive factor pass, and a depthwise convolution, whose weights have a scale a channel, takes it back without
    loss (arXiv 1906.04721, section 4.1). A channel that is never on stays as it is: blown up a thousandfold it came on
    in a later training, for one picture in a hundred. So does the greatest value of all pictures count, not the mean of
    theirs: a channel that is on in few pictures was blown up to ten times the others' range, which then held for all.
    `x`: network inputs n x 3 x 112 x 112.
    """
    units = [m for m in net.modules() if isinstance(m, Unit)]
    pairs = [(a, b) for a, b in itertools.pairwise(units) if b.c.groups > 1]
    seen: dict[nn.Module, list[torch.Tensor]] = {unit: [] for unit, _ in pairs}

    def take(unit: nn.Module, y: torch.Tensor) -> None:
        seen[unit].append(y.abs().amax((0, 2, 3)))

    hooks = [u.register_forward_hook(lambda u, _inputs, y: take(u, y)) for u in seen]
    hooks += [  # one range holds for what is below zero before PReLU, too, where most slopes make it small
        u.a.register_forward_pre_hook(lambda _, inputs, u=u: take(u, inputs[0]))
        for u in seen
        if isinstance(u.a, Slopes)
    ]
    for part in x.to(next(net.parameters()).device).split(BATCH):
        net(part)
    for hook in hooks:
        hook.remove()
    for unit, after in pairs:
        high = torch.stack(seen[unit]).amax(0)
        factor = (high.mean() / high.clamp_min(1e-12)).clamp_max(MOST)
        factor[high <= 0] = 1
        unit.b.weight *= factor
        unit.b.bias *= factor
        after.c.weight /= factor[:, None, None, None]


def ends_of(net: nn.Module, ranges: torch.Tensor) -> list[tuple[float, float]]:
    """The low and the high end of the input and of each place. Raises SystemExit for ranges of another network."""
    if len(ranges) != len(places(net)) + 1:
        raise SystemExit("the ranges are of another network or an older recipe; train --phase 4 --from makes new ones")
    return [(low, high) for low, high in ranges.tolist()]


def with_rounding(net: nn.Module, ranges: torch.Tensor) -> None:
    """Rounds what the network computes from now on. `ranges`: of `find_ranges`."""
    ends = ends_of(net, ranges)
    net.n[0].register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0], *ends[0]),))
    for unit in net.modules():
        if isinstance(unit, Unit):
            unit.rounded = True
    for module, (low, high) in zip(places(net).values(), ends[1:], strict=True):
        if isinstance(module, Unit) and isinstance(module.a, Slopes):
            module.a.ends = (low, high)
            continue  # its output is one of two rounded values
        module.register_forward_hook(lambda _module, _inputs, y, low=low, high=high: rounded(y, low, high))


def tensor_ranges(net: nn.Module, ranges: torch.Tensor, graph: onnx.GraphProto) -> dict[str, tuple[float, float]]:
    """The ranges by the names that the tensors have in the ONNX file which torch has made of the network.

    A layer of groups has an output for each group before their concatenation; all have the layer's range.
    """
    ends = ends_of(net, ranges)
    stem = next(n for n in graph.node if n.op_type == "Conv")
    found = {stem.input[0]: ends[0]}
    for (name, module), end in zip(places(net).items(), ends[1:], strict=True):
        inside = [n for n in graph.node if n.output[0].startswith(_scope(name) + "/")]
        parts = [n for n in inside if n.op_type in ("Conv", "Relu", "Mul", "Max")] if isinstance(module, Unit) else []
        found |= {n.output[0]: end for n in [*parts, inside[-1]]}
    return found


def _scope(name: str) -> str:
    """ "n.3.f.1" -> "/n/n.3/f/f.1": torch's exporter names what a module holds so."""
    scope, last = "", ""
    for part in name.split("."):
        scope += f"/{last}.{part}" if part.isdigit() else f"/{part}"
        last = part
    return scope
