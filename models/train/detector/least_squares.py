"""Channels that the first phase left in a poor minimum, solved anew.

A unit's channel is a 1x1 convolution followed by a 3x3 depthwise one: a linear map of rank one, whose gradient descent
can get stuck. The least-squares 3x3 convolution from the teacher's input to the teacher's output, cut to rank one,
takes its place where that fits better.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.train.detector.network import Detector, Unit

STUCK = 0.005  # squared error relative to the channel's variance


def inputs_of(features: list[Tensor]) -> list[Tensor]:
    """What each unit and each head reads, from the teacher's features before their ReLU."""
    read = [torch.relu(v) for v in features]
    backbone = [F.max_pool2d(read[i], 2) if i in (1, 5, 7, 9) else read[i] for i in range(11)]
    neck = [read[11]] + [read[i] + F.interpolate(read[j], scale_factor=2.0) for i, j in ((9, 12), (7, 13))]
    return [*backbone, *neck, read[14], read[13], read[12]]


def solve(x: Tensor, target: Tensor) -> tuple[Tensor, Tensor, float, float]:
    """Inputs B x C x h x w and one output B x h x w -> 1x1 weights (C), its bias, 3x3 weights, and the last bias."""
    channels, (h, w) = x.shape[1], target.shape[1:]
    columns = F.unfold(x.double(), 3, padding=1).transpose(1, 2)
    inside = torch.zeros(h, w, dtype=torch.bool)
    inside[1:-1, 1:-1] = True
    rows = columns[:, inside.flatten()].flatten(0, 1)
    rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.double)], 1)
    wanted = target.double().flatten(1)[:, inside.flatten()].flatten()
    gram = rows.T @ rows
    ridge = 1e-9 * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.double)
    found = torch.linalg.solve(gram + ridge, rows.T @ wanted)
    u, s, v = torch.linalg.svd(found[:-1].view(channels, 9))
    point, depth = u[:, 0] * s[0].sqrt(), v[0] * s[0].sqrt()
    # at the border the 1x1 convolution's bias is missing where the 3x3 one reads zeros: that tells the two biases apart
    missing = F.conv2d(torch.ones(1, 1, h, w).double(), depth.view(1, 1, 3, 3), padding=1)[0, 0] - depth.sum()
    rest = target.double() - (columns @ (point[:, None] * depth).flatten()).view(target.shape) - found[-1]
    bias = float((rest * missing).sum() / ((missing**2).sum() * len(rest) + 1e-9))
    return point, depth, bias, float(found[-1] - bias * depth.sum())


@torch.no_grad()
def refit(net: Detector, features: list[Tensor], maps: list[Tensor]) -> int:
    """Solves the stuck channels of all units and heads; returns how many took a better solution."""
    net.eval()
    changed = 0
    for module, x, target in zip([*net.units, *net.heads], inputs_of(features), features[1:] + maps, strict=True):
        unit: Unit = module
        variance = target.var(dim=(0, 2, 3))
        variance = variance.clamp_min(0.1 * float(variance.mean()))
        error = ((unit(x) - target) ** 2).mean((0, 2, 3)) / variance
        worst = error.argsort(descending=True)[:8].tolist()
        for o in (k for k in worst if error[k] > STUCK):
            before = {name: value.clone() for name, value in unit.state_dict().items()}
            point, depth, point_bias, bias = solve(x, target[:, o])
            unit.point.weight[o, :, 0, 0], unit.point.bias[o] = point.float(), point_bias
            if isinstance(unit.norm, nn.BatchNorm2d):  # its statistics stand still: the unit's own scale and offset
                spread = torch.sqrt(unit.norm.running_var[o] + unit.norm.eps)
                unit.norm.weight[o] = 1.0
                unit.norm.bias[o] = bias + unit.norm.running_mean[o] / spread
                depth = depth * spread
            else:
                unit.depth.bias[o] = bias
            unit.depth.weight[o, 0] = depth.float().view(3, 3)
            after = ((unit(x)[:, o] - target[:, o]) ** 2).mean() / variance[o]
            if after < error[o]:
                changed += 1
            else:
                unit.load_state_dict(before)
    return changed
