"""Fewer channels where they cost most: 48 of 64 in the stem, 96 of 128 in the first bottleneck, at 56 x 56.

A layer's next one hears its channels as a sum. The channel that the others can best stand in for is left out, the
weights of the others are fitted anew by least squares on training faces, and so on, one after the other (optimal brain
surgeon; channels by reconstruction: arXiv 1707.06168). In the stem that is next to no change: where the teacher's
PReLUs have become ReLU, 15 of its channels give nearly the same value at every place of every face. Multiples of 16 are
kept: onnxruntime's 8-bit products take so many channels at a time. In the training the others are zero, and stay so;
the export leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from models.train.embedder.mobilefacenet import MobileFaceNet, Unit

STEM, FIRST = 48, 96  # channels
BATCH = 16
EVERY = 5  # of the places of a map, one in so many is looked at: no divisor of its width, so of all columns
RIDGE = 1e-6  # of the channels' mean variance


@dataclass(frozen=True)
class Narrow:
    """A convolution, the depthwise one behind it, the 1 x 1 one that hears it, and how many channels go there."""

    first: Unit
    depthwise: Unit
    after: Unit
    channels: int


def narrow_places(net: MobileFaceNet) -> list[Narrow]:
    """In the order of the layers."""
    stem = (net.n[0], net.n[1], net.n[2].f[0])
    return [Narrow(*stem, STEM), Narrow(*net.n[2].f[:3], FIRST)]  # type: ignore[call-arg]


@torch.no_grad()
def thin(net: MobileFaceNet, x: torch.Tensor) -> None:
    """Makes channels zero until each of `narrow_places` has its number.

    `x`: network inputs n x 3 x 112 x 112 of faces. Done twice it is as if done once. The batch norms have to rest.
    """
    for place in narrow_places(net):
        mean, covariance = moments(net, place.after, x)
        old = place.after.c.weight[:, :, 0, 0].double()
        new = fitted(old, covariance, place.after.scale_and_bias()[0], place.channels)
        place.after.b.running_mean += ((new - old) @ mean).float()
        place.after.c.weight.copy_(new[:, :, None, None])
        out = ~new.any(0)
        for unit in (place.first, place.depthwise):
            unit.b.weight[out] = 0
            unit.b.bias[out] = 0


def moments(net: MobileFaceNet, unit: Unit, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (m) and covariance (m x m) of the channels that a unit hears, over faces and places."""
    heard: list[torch.Tensor] = []
    hook = unit.register_forward_pre_hook(
        lambda _, inputs: heard.append(inputs[0].permute(0, 2, 3, 1).flatten(0, 2)[::EVERY])
    )
    for part in x.to(unit.c.weight.device).split(BATCH):
        net(part)
    hook.remove()
    rows = torch.cat(heard).double()
    return rows.mean(0), rows.T.cov(correction=0)


def fitted(weight: torch.Tensor, covariance: torch.Tensor, scale: torch.Tensor, channels: int) -> torch.Tensor:
    """Weights o x m of channels with this covariance -> the same with all but so many channels zero, the others fitted.

    To leave out channel j costs |w_j|^2 / (C^-1)_jj of the output's variance once the others are fitted, which takes
    w_j (C^-1)_j / (C^-1)_jj from their weights. `scale`: what each of the o outputs is multiplied by later.
    """
    ridge = RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
    kept = torch.arange(len(covariance), device=weight.device)
    w = weight.clone()
    while len(kept) > channels:
        inverse = torch.linalg.inv((covariance + ridge)[kept][:, kept])
        j = int(((w[:, kept] * scale[:, None]).pow(2).sum(0) / inverse.diagonal()).argmin())
        w[:, kept] -= w[:, kept[j], None] * inverse[j] / inverse[j, j]
        w[:, kept[j]] = 0
        kept = kept[torch.arange(len(kept), device=kept.device) != j]
    return w


def without_zeros(net: MobileFaceNet) -> None:
    """Leaves out the channels of `narrow_places` that are zero. The batch norms have to be folded."""
    for place in narrow_places(net):
        kept = [u.c.weight.flatten(1).any(1) | (u.c.bias != 0) for u in (place.first, place.depthwise)]
        left = (kept[0] | kept[1]).nonzero().flatten()
        place.first.c = conv(place.first.c, place.first.c.weight[left], place.first.c.bias[left], 1)
        depthwise = place.depthwise.c
        place.depthwise.c = conv(depthwise, depthwise.weight[left], depthwise.bias[left], len(left))
        place.after.c = conv(place.after.c, place.after.c.weight[:, left], place.after.c.bias, 1)


def conv(like: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor, groups: int) -> nn.Conv2d:
    """A convolution with these weights (o x i / groups x k x k) and biases, else like the other."""
    o, i, k, _ = weight.shape
    made = nn.Conv2d(i * groups, o, k, like.stride, like.padding, groups=groups)
    made.weight.data, made.bias.data = weight.detach().clone(), bias.detach().clone()
    return made
