"""FreeFaceNet begins as its teacher: weights carried over, most of its gates regressed away by least squares.

A slope a beyond 1 or -1 becomes 1 / a: PReLU(x) = -a PReLU'(-x) with the slope 1 / a, and -a goes into the next layer.
Then, bottleneck after bottleneck, the last convolution is fitted anew: from what the student's own layers give for real
faces to what the teacher's bottleneck gives, gate and all. So each one also takes back what those before it are off by.
With 240 faces, and nothing else trained: cosine to the teacher .81, behind the teacher's own last layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from models.train.embedder.freefacenet import GATED, FreeFaceNet
from models.train.embedder.mobilefacenet import Block, Slopes, Unit
from models.train.embedder.pruning import thin
from models.train.embedder.retail import Layer, RetailTeacher

BATCH = 16
EVERY = 5  # of the places of a large map, one in so many is looked at: no divisor of its width, so of all columns
LARGE = 256  # places
RIDGE = 1e-5  # of the channels' mean variance
THINNED_BY = 48  # faces


def put(unit: Unit, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Gives a unit a convolution's weights o x i x k x k and biases o, as a weight of Kaiming's size times a gain.

    One rate suits all layers then; the teacher's own weights differ in size a thousandfold.
    """
    usual = (2 / weight[0].numel()) ** 0.5
    gain = weight.pow(2).flatten(1).mean(1).sqrt().clamp_min(1e-8) / usual
    unit.c.weight.data.copy_(weight / gain[:, None, None, None])
    unit.b.weight.data.copy_(gain * (1 + unit.b.eps) ** 0.5)
    unit.b.bias.data.copy_(bias)
    unit.b.reset_running_stats()  # 0 and 1


def _pairs(net: FreeFaceNet, teacher: RetailTeacher) -> Iterator[tuple[Unit, Layer]]:
    """The student's units and the teacher's layers that they begin as, in their order, without the gates."""
    units = [m for name, m in net.named_modules() if isinstance(m, Unit) and ".f.3." not in name]
    layers = [m for name, m in teacher.named_modules() if isinstance(m, Layer) and ".gate." not in name]
    return zip(units, layers, strict=True)


def _gates(net: FreeFaceNet, teacher: RetailTeacher) -> Iterator[tuple[Unit, Layer]]:
    """The same of the gates that the student keeps."""
    for k in GATED:
        yield from zip(net.n[k].f[3].f[1:3], teacher.n[k].gate, strict=True)  # type: ignore[index,union-attr,arg-type]


def carry_over(net: FreeFaceNet, teacher: RetailTeacher, projection: torch.Tensor) -> None:
    """Gives the student the teacher's weights, without the gates; its last layer is multiplied by a projection 128 x
    256."""
    end, factor = net.n[-1], 1.0
    for unit, layer in (*_pairs(net, teacher), *_gates(net, teacher)):
        weight, bias = layer.conv.weight * factor, layer.conv.bias
        assert bias is not None
        factor = 1.0
        if (slope := layer.slope) is not None:
            if abs(slope) > 1:
                weight, bias, factor, slope = -weight, -bias, -slope, 1 / slope
            if isinstance(unit.a, Slopes):
                unit.a.slopes.data.fill_(slope)
        if unit is end:
            weight, bias = torch.einsum("po,oihw->pihw", projection, weight), projection @ bias
        put(unit, weight, bias)


def solved(heard: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """n x m numbers and the n x o that should come of them -> the best o x m and o in the least squares' sense."""
    h, y = heard.double(), wanted.double()
    mean_h, mean_y = h.mean(0), y.mean(0)
    covariance = (h - mean_h).T @ (h - mean_h) / len(h)
    covariance += RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
    weight = torch.linalg.solve(covariance, (h - mean_h).T @ (y - mean_y) / len(h)).T
    return weight.float(), (mean_y - weight @ mean_h).float()


def _in_parts(f: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return torch.cat([f(part) for part in x.split(BATCH)])  # type: ignore[no-untyped-call]


def _rows(maps: torch.Tensor) -> torch.Tensor:
    """n x c x h x w -> vectors of places x c."""
    every = EVERY if maps[0, 0].numel() >= LARGE else 1
    return maps.permute(0, 2, 3, 1).flatten(0, 2)[::every]


@torch.no_grad()
def refit(net: FreeFaceNet, teacher: RetailTeacher, x: torch.Tensor) -> list[float]:
    """Fits each bottleneck's last convolution on inputs n x 3 x 128 x 128 -> what each map is still off by, as a share
    of its variance."""
    own, given = x, x
    errors: list[float] = []
    for layer, like in zip(net.n, teacher.n, strict=True):
        if not isinstance(layer, Block):
            if errors:
                break
            own, given = _in_parts(layer, own), _in_parts(like, given)
            continue
        given_before, given = given, _in_parts(like, given)
        heard = _in_parts(layer.f[:2], own)
        wanted = given - own if layer.residual else given
        if len(layer.f) > 3:  # a gate stays: what stands before it is wanted
            wanted = _in_parts(like.f, given_before)
        weight, bias = solved(_rows(heard), _rows(wanted))
        last = cast("Unit", layer.f[2])
        put(last, weight[:, :, None, None], bias)
        out = _in_parts(layer.f[2:], heard)
        own = own + out if layer.residual else out
        errors.append(float(F.mse_loss(own, given) / given.var()))
    return errors


@torch.no_grad()
def principal(teacher: nn.Module, x: torch.Tensor, dimensions: int = 128) -> torch.Tensor:
    """The projection dimensions x 256 that keeps most of the teacher's unit embeddings of these inputs.

    It is turned: principal components have unequal sizes, and a template has one range for all of its bytes. Raises
    SystemExit if there are fewer inputs than dimensions.
    """
    if len(x) < dimensions:
        raise SystemExit(f"{len(x)} faces are too few for {dimensions} dimensions: take a larger --share")
    unit = F.normalize(_in_parts(teacher, x))
    kept: torch.Tensor = torch.linalg.svd(unit, full_matrices=False)[2][:dimensions]
    return turn(dimensions) @ kept


def turn(dimensions: int) -> torch.Tensor:
    """An orthogonal matrix dimensions x dimensions, always the same."""
    numbers = torch.randn(dimensions, dimensions, generator=torch.Generator().manual_seed(0))
    q: torch.Tensor = torch.linalg.qr(numbers)[0]
    return q


def started(teacher: RetailTeacher, x: torch.Tensor, more: torch.Tensor) -> tuple[FreeFaceNet, torch.Tensor]:
    """The student to begin with, and the projection of its embeddings' targets. `x`, `more`: inputs n x 3 x 128 x 128;
    some hundred for the layers, and a thousand or more for the projection."""
    projection = principal(teacher, more)
    net = FreeFaceNet().eval()
    carry_over(net, teacher, projection)
    thin(net, x[:THINNED_BY])
    print("each map's error:", " ".join(f"{e:.3f}" for e in refit(net, teacher, x)))
    return net, projection
