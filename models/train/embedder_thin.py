"""A narrower stem: 48 of its 64 channels, since the others do next to nothing.

Where the teacher's PReLUs have become ReLU, 15 of the stem's channels give nearly the same value at every place of
every face (ten are never on, the depthwise convolution makes next to a constant of the others). What they give goes
into the next layer's bias, and a sixteenth goes with them, so that 48 are left: onnxruntime's 8-bit products take 16
channels at a time. In the training they are zero, and stay so; the export leaves them out.
"""

from __future__ import annotations

import torch
from mobilefacenet import MobileFaceNet, Unit
from torch import nn

STEM = 48  # channels
BATCH = 16


def stem(net: MobileFaceNet) -> tuple[Unit, Unit, Unit]:
    """The first convolution, the depthwise one behind it, and the 1 x 1 one that hears it."""
    first, depthwise, after = net.n[0], net.n[1], net.n[2].f[0]
    assert isinstance(first, Unit)
    assert isinstance(depthwise, Unit)
    assert isinstance(after, Unit)
    return first, depthwise, after


@torch.no_grad()
def thin_stem(net: MobileFaceNet, x: torch.Tensor) -> None:
    """Makes all but STEM of the stem's channels zero, those that change the next layer least on the faces `x`.

    `x`: network inputs n x 3 x 112 x 112. Done twice it is as if done once. The batch norms have to rest.
    """
    first, depthwise, after = stem(net)
    parts = [depthwise(first(part)) for part in x.to(after.c.weight.device).split(BATCH)]
    mean = torch.stack([p.mean((0, 2, 3)) for p in parts]).mean(0)
    change = torch.stack([p.std((0, 2, 3)) for p in parts]).mean(0)
    scale, _ = after.scale_and_bias()
    heard = (after.c.weight[:, :, 0, 0] * scale[:, None]).norm(dim=0)
    out = (change * heard).argsort()[: len(mean) - STEM]
    after.b.running_mean -= after.c.weight[:, out, 0, 0] @ mean[out]
    after.c.weight[:, out] = 0
    for unit in (first, depthwise):
        unit.b.weight[out] = 0
        unit.b.bias[out] = 0


def without_zeros(net: MobileFaceNet) -> None:
    """Leaves out the channels of the stem that are zero. The batch norms have to be folded."""
    first, depthwise, after = stem(net)
    kept = [unit.c.weight.flatten(1).any(1) | (unit.c.bias != 0) for unit in (first, depthwise)]
    left = (kept[0] | kept[1]).nonzero().flatten()
    first.c = conv(first.c, first.c.weight[left], first.c.bias[left], 1)
    depthwise.c = conv(depthwise.c, depthwise.c.weight[left], depthwise.c.bias[left], len(left))
    after.c = conv(after.c, after.c.weight[:, left], after.c.bias, 1)


def conv(like: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor, groups: int) -> nn.Conv2d:
    """A convolution with these weights (o x i / groups x k x k) and biases, else like the other."""
    o, i, k, _ = weight.shape
    made = nn.Conv2d(i * groups, o, k, like.stride, like.padding, groups=groups)
    made.weight.data, made.bias.data = weight.detach().clone(), bias.detach().clone()
    return made
