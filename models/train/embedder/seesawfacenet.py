"""SeesawFaceNet (arXiv 1908.09124): MobileFaceNet's stages of seesaw blocks, 128 dimensions.

A seesaw block's 1 x 1 convolutions have two uneven groups: a quarter of the channels and the other three quarters,
each with the same share of the outputs. Between the expansion and the projection the channels are permuted, so that
the projection's small group gets half of its inputs from either group of the expansion, as the paper's shuffle gives
them. In the block: a 3 x 3 depthwise convolution, squeeze and excitation.

Other than the paper: ReLU for swish and PReLU (int8 runs it inside the convolutions), but for PReLU behind the last
depthwise convolutions and in the head, where MobileFaceNet has it here too; and 128 instead of 512 dimensions, whose
parameters widen the head from 512 to 1024 channels. `models.train.embedder count` counts them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from models.train.embedder.mobilefacenet import BOTTLENECKS, CURVED, Block, End, Unit, embedding

HEAD = 1024
REDUCTION = 4  # of squeeze and excitation


class Uneven(nn.Module):
    """A 1 x 1 convolution of two groups, run as one dense convolution with zeros: in training that is faster.

    `permuted`: the small group takes the second and third eighth of the channels, the large one the others.
    `rest`: weights between the groups, times `share`; for the start from the teacher (init_seesaw.py), no part of it.
    """

    stride = (1, 1)
    padding = (0, 0)
    groups = 1

    def __init__(self, i: int, o: int, permuted: bool) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.empty(o // 4, i // 4))
        self.high = nn.Parameter(torch.empty(3 * o // 4, 3 * i // 4))
        for w in (self.low, self.high):
            nn.init.kaiming_normal_(w)
        self.permuted = permuted
        self.register_buffer("rest", None, persistent=False)
        self.share = 0.0

    @property
    def weight(self) -> torch.Tensor:
        """o x i x 1 x 1."""
        w = torch.block_diag(self.low, self.high)
        w = w.roll(w.shape[1] // 8, 1) if self.permuted else w
        return (w + self.share * self.rest if self.share else w)[:, :, None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight)


class Grouped(nn.Module):
    """An `Uneven` as it is exported: its two convolutions, batch norm folded in; the permutation costs no operation."""

    def __init__(self, u: Uneven, scale: torch.Tensor, bias: torch.Tensor, activation: nn.Module) -> None:
        super().__init__()
        self.eighth, self.permuted, self.a = u.low.shape[1] // 2, u.permuted, activation
        q = len(u.low)
        self.low, self.high = nn.Conv2d(u.low.shape[1], q, 1), nn.Conv2d(u.high.shape[1], 3 * q, 1)
        for conv, w, rows in ((self.low, u.low, slice(q)), (self.high, u.high, slice(q, None))):
            conv.weight.data = (w * scale[rows, None])[:, :, None, None].detach()
            conv.bias.data = bias[rows].detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        e = self.eighth
        if self.permuted:
            first, low, rest = x.split([e, 2 * e, 5 * e], 1)
            high = torch.cat([rest, first], 1)
        else:
            low, high = x.split([2 * e, 6 * e], 1)
        return torch.cat([self.a(self.low(low)), self.a(self.high(high))], 1)


class UnevenUnit(Unit):
    """Uneven 1 x 1 convolution, batch norm, activation (none if linear)."""

    def __init__(self, i: int, o: int, permuted: bool = False, linear: bool = False) -> None:
        super().__init__(i, o, linear=linear)
        self.c = Uneven(i, o, permuted)

    def fold(self) -> None:
        scale, bias = self.scale_and_bias()
        self.c, self.b, self.a = Grouped(self.c, scale, bias, self.a), nn.Identity(), nn.Identity()


class Excitation(nn.Module):
    """Each channel times a factor of 0..1 that two small layers find from the means of all channels."""

    def __init__(self, m: int) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(m, m // REDUCTION, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(m // REDUCTION, m, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.f(x)
        return x * y


class Seesaw(Block):
    def __init__(self, i: int, o: int, stride: int, expand: int, curved: bool = False) -> None:
        m = i * expand
        depthwise = Unit(m, m, 3, stride, 1, m, curved=curved)
        parts = UnevenUnit(i, m), depthwise, Excitation(m), UnevenUnit(m, o, permuted=True, linear=True)
        super().__init__(nn.Sequential(*parts), residual=stride == 1 and i == o)


class SeesawFaceNet(nn.Module):
    """N x 3 x 112 x 112 RGB, (x - 127.5) / 128 -> N x 128, not normalised. Its maps have MobileFaceNet's shapes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Unit(3, 64, 3, 2, 1), Unit(64, 64, 3, 1, 1, 64)]
        i = 64
        for expand, o, repeats, stride in BOTTLENECKS:
            for k in range(repeats):
                layers.append(Seesaw(i, o, stride if k == 0 else 1, expand, len(layers) >= CURVED))
                i = o
        layers += [Unit(128, HEAD, curved=True), Unit(HEAD, HEAD, 7, 1, 0, HEAD, linear=True)]
        layers += [End(HEAD, 128)]
        self.n = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return embedding(self.n(x))
