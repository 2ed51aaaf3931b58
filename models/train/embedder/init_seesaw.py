"""A MobileFaceNet's weights as a start for SeesawFaceNet: dense at first, and sparser while it learns.

A seesaw block is a bottleneck whose 1 x 1 convolutions lack the weights between their groups. The bottleneck's inner
channels are put into the groups that keep most of their weights; what lies between the groups, and the slopes of a
PReLU where this network has ReLU, are multiplied by a share that is to be brought from 1 to 0. At 1 the network
computes what the other does: the excitation's factors are all the same at first, and the head's additional channels
have no say.
"""

from __future__ import annotations

import torch

from models.train.embedder.init_from_teacher import Leaky
from models.train.embedder.mobilefacenet import Bottleneck, MobileFaceNet, Slopes, Unit
from models.train.embedder.seesawfacenet import HEAD, Seesaw, SeesawFaceNet, Uneven

LEAST = 1e-12  # of a channel's squared weights: those that pruning.py left out are zero
GATE = 2.0  # what the excitation's sigmoid gets at first: a factor of 0.88, which can still change


def inner_order(expand: torch.Tensor, project: torch.Tensor) -> torch.Tensor:
    """The places of a bottleneck's m inner channels: m x i and o x m weights -> m indices.

    The small group of the expansion: the channels with the highest share of their weights from the first quarter of
    the inputs. Half of it, and as many others, to the small group of the projection, in the same way.
    """
    m = len(expand)
    energy_in, energy_out = expand.pow(2), project.pow(2)
    heard = energy_in[:, : energy_in.shape[1] // 4].sum(1) / energy_in.sum(1).clamp_min(LEAST)
    told = energy_out[: len(energy_out) // 4].sum(0) / energy_out.sum(0).clamp_min(LEAST)
    by_heard = heard.argsort(descending=True)
    small, large = (part[told[part].argsort(descending=True)] for part in (by_heard[: m // 4], by_heard[m // 4 :]))
    return torch.cat([small[m // 8 :], small[: m // 8], large])


def _give(unit: Unit, source: Unit, order: torch.Tensor | slice = slice(None)) -> None:
    """Batch norm and slopes of a layer; its first channels where it has more than the source.

    Slopes that the layer keeps are cut at 1.
    """
    n = len(source.b.weight)
    for mine, theirs in zip(unit.b.state_dict().values(), source.b.state_dict().values(), strict=True):
        if mine.ndim:
            mine[:n] = theirs[order]
    unit.b.eps = source.b.eps
    slopes = torch.zeros(len(unit.b.weight))
    if isinstance(source.a, Leaky | Slopes):
        slopes[:n] = source.a.slopes.detach().flatten()[order]
    if isinstance(unit.a, Slopes):
        unit.a.slopes.data.copy_(slopes.clamp(max=1))
    elif slopes.any():
        unit.a = Leaky(slopes)


def _give_uneven(c: Uneven, dense: torch.Tensor) -> None:
    """o x i weights -> both groups, and the rest of them."""
    if c.permuted:
        dense = dense.roll(-(dense.shape[1] // 8), 1)
    o, i = c.low.shape
    c.low.data, c.high.data = dense[:o, :i].clone(), dense[o:, i:].clone()
    rest = dense.clone()
    rest[:o, :i], rest[o:, i:] = 0, 0
    c.rest, c.share = (rest.roll(rest.shape[1] // 8, 1) if c.permuted else rest), 1.0


def _give_block(block: Seesaw, source: Bottleneck) -> None:
    expand, depthwise, excitation, project = block.f
    w = [unit.c.weight.data for unit in source.f]
    order = inner_order(w[0][:, :, 0, 0], w[2][:, :, 0, 0])
    last = excitation.f[-2]
    last.weight.data.zero_()
    last.bias.data.fill_(GATE)
    _give_uneven(expand.c, w[0][order, :, 0, 0])
    depthwise.c.weight.data = w[1][order].clone()
    _give_uneven(project.c, w[2][:, order, 0, 0] / torch.sigmoid(torch.tensor(GATE)))
    for unit, theirs, places in zip((expand, depthwise, project), source.f, (order, order, slice(None)), strict=True):
        _give(unit, theirs, places)


def start_seesaw(net: SeesawFaceNet, teacher: MobileFaceNet) -> list[Leaky | Uneven]:
    """Gives the network the teacher's weights -> everything that has a `share` to be brought from 1 to 0."""
    for layer, source in zip(net.n, teacher.n, strict=True):
        if isinstance(layer, Seesaw):
            _give_block(layer, source)
    stem, (sep, wide, linear) = list(net.n[:2]), list(net.n[-3:])
    more = HEAD - 512
    with torch.no_grad():
        for unit, source in zip([*stem, sep, wide, linear], [*teacher.n[:2], *teacher.n[-3:]], strict=True):
            w = source.c.weight
            if unit is linear:
                w = torch.cat([w, torch.zeros(len(w), more, 1, 1)], 1)
            elif unit in (sep, wide):
                w = torch.cat([w, unit.c.weight[512:]])
            unit.c.weight.copy_(w)
            _give(unit, source)
    return [m for m in net.modules() if isinstance(m, Leaky | Uneven)]
