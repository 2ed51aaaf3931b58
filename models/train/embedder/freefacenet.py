"""A MobileFaceNet under free terms: mobilefacenet.py's, for the 128 x 128 pixels of its teacher (retail.py), as whose
weights it begins (free_start.py).

The teacher has one PReLU slope a layer. Where a slope is near 1 the layer is linear here, where it is near 0 it is
ReLU; both cost nothing. PReLU stays where the slopes are near -1, so that the layer takes the absolute value: behind
the depthwise convolutions at 16 x 16 and 8 x 8. At 64 x 64 and 32 x 32, where it would cost most, all is ReLU.

The teacher's gates (squeeze and excitation) stay where they do most, at 8 x 8: there they differ from face to face, and
without them a tenth of each map's variance is lost; before, one to three hundredths are, and they cost more.
"""

from __future__ import annotations

from torch import nn

from models.train.embedder.mobilefacenet import Bottleneck, MobileFaceNet, Slopes, Unit
from models.train.embedder.retail import SIDE
from models.train.embedder.seesawfacenet import Excitation

CURVED = (*(f"n.{i}.f.1" for i in (8, 9, 10, 11, 12, 13, 15, 16)), "n.17")
"""Names of the units with PReLU."""
STRAIGHT = ("n.8.f.0", "n.11.f.0", "n.12.f.0", "n.14.f.1", "n.16.f.0")
"""Names of the units without an activation, besides each bottleneck's last."""
GATED = (2, 11, 12, 14, 15, 16)
"""The layers of 20 with a gate."""
SQUEEZED = 8
"""How many times fewer numbers are between a gate's two layers."""


class Gate(Excitation):
    """Each channel times a factor of 0..1 that two small layers find from the means of all channels."""

    def __init__(self, channels: int) -> None:
        nn.Module.__init__(self)
        layers = Unit(channels, channels // SQUEEZED, curved=True), Unit(channels // SQUEEZED, channels, linear=True)
        self.f = nn.Sequential(nn.AdaptiveAvgPool2d(1), *layers, nn.Sigmoid())


class FreeFaceNet(MobileFaceNet):
    """N x 3 x 128 x 128 BGR as `retail_input` makes them -> N x 128, not normalised.

    Its batch norms rest: they are a gain and a bias a channel (free_start.put).
    """

    side = SIDE

    def __init__(self) -> None:
        super().__init__()
        for block in (self.n[k] for k in GATED):
            assert isinstance(block, Bottleneck)
            block.f.append(Gate(block.f[2].c.out_channels))
        for name, unit in self.named_modules():
            if not isinstance(unit, Unit):
                continue
            unit.b.eval()
            if ".f.3." in name:
                continue  # a gate's
            if name in CURVED:
                unit.a = Slopes(unit.c.out_channels)
            elif name in STRAIGHT:
                unit.a = nn.Identity()
            elif isinstance(unit.a, Slopes):
                unit.a = nn.ReLU(inplace=True)
