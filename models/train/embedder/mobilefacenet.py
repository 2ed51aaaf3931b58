"""MobileFaceNet: Table 1 of arXiv 1804.07573, 128 dimensions.

ReLU instead of PReLU (int8 runs it faster), but in the last layers, where PReLU costs a fifteenth of the time.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# (expansion, channels, repeats, stride) of the bottlenecks: the table's rows 3 to 7
BOTTLENECKS = [(2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)]
CURVED = 12  # from this layer of 20 on, the last but one bottleneck at 14 x 14, activations are PReLU
SLOPES = ".a.slopes"  # what a unit's slopes are called in a state dict, behind the unit's own name
# Layers [from, to) that the first phase trains as one piece each: the stem, each bottleneck, the head.
PIECES = [(0, 3)] + [(i, i + 1) for i in range(3, 17)] + [(17, 20)]


def rounded_weight(w: torch.Tensor) -> torch.Tensor:
    """o x i x k x k -> the nearest multiples of each output channel's 127th: int8 without a zero point."""
    scale = (w.detach().abs().amax((1, 2, 3)) / 127).clamp_min(1e-12)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    y: torch.Tensor = torch.fake_quantize_per_channel_affine(w, scale, zero, 0, -127, 127)
    return y


def rounded(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """The nearest of 256 values from low <= 0 to high >= 0, one of which is 0."""
    scale = max((high - low) / 255, 1e-12)
    y: torch.Tensor = torch.fake_quantize_per_tensor_affine(x, scale, round(-low / scale), 0, 255)
    return y


class Curve(torch.autograd.Function):
    """x above zero, slope * x below (slopes of 1 x c x 1 x 1, in x's type).

    A third of the time of torch.maximum, about half of that of torch's own prelu with channels last.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, slopes)
        return F.relu(x).lerp_(x, slopes)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        x, slopes = ctx.saved_tensors
        above = torch.ops.aten.threshold_backward(g, x, 0)
        by_slope = None
        if ctx.needs_input_grad[1]:
            by_slope = ((g - above) * x).sum((0, 2, 3), keepdim=True, dtype=torch.float32).to(slopes.dtype)
        return above.lerp_(g, slopes), by_slope


class Slopes(nn.Module):
    """max(x, slope * x), which is PReLU for slopes up to 1, above which they are cut: two operations that onnxruntime
    has for int8.

    `ends`: the range over which x and slope * x are rounded to 8 bits, for a training with int8's rounding.
    """

    ends: tuple[float, float] | None = None

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.full((channels,), 0.25))
        self.product: nn.Module | None = None  # x -> slope * x, of a folded layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.product is not None:
            return torch.maximum(x, self.product(x))
        slopes = self.slopes.clamp(max=1).reshape(1, -1, 1, 1).to(x.dtype)
        if self.ends is not None:
            x = rounded(x, *self.ends)
            return torch.maximum(x, rounded(x * slopes, *self.ends))
        y: torch.Tensor = Curve.apply(x, slopes)
        return y

    def fold(self) -> None:
        """Makes the product a convolution: onnxruntime's int8 one takes three quarters of the time of its
        multiplication, and has a scale for each channel, so that the slopes are not rounded."""
        n = len(self.slopes)
        self.product = nn.Conv2d(n, n, 1, groups=n, bias=False)
        self.product.weight.data = self.slopes.detach().clamp(max=1).reshape(n, 1, 1, 1).clone()


class Unit(nn.Module):
    """Convolution, batch norm, activation (none if linear, PReLU if curved).

    Where the batch norm rests (evaluation mode), it is folded into the convolution: the same function, a quarter of a
    training step less, and what a training with int8's rounding has to see. `rounded`: weights as int8 will hold them.
    """

    rounded = False

    def __init__(
        self,
        i: int,
        o: int,
        k: int = 1,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        linear: bool = False,
        curved: bool = False,
    ) -> None:
        super().__init__()
        self.c = nn.Conv2d(i, o, k, stride, pad, groups=groups, bias=False)
        self.b = nn.BatchNorm2d(o)
        self.a = nn.Identity() if linear else Slopes(o) if curved else nn.ReLU(inplace=True)
        nn.init.kaiming_normal_(self.c.weight, mode="fan_in" if groups == 1 else "fan_out")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.b.training or isinstance(self.b, nn.Identity):
            y: torch.Tensor = self.b(self.c(x))
        else:
            y = self.settled(x)
        z: torch.Tensor = self.a(y)
        return z

    def settled(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution with the batch norm's running statistics folded in."""
        scale, bias = self.scale_and_bias()
        weight = self.c.weight * scale[:, None, None, None]
        if self.rounded:
            weight = rounded_weight(weight)
        if self.c.groups > 1 and self.c.stride[0] > 1:  # torch's backward of these takes six times as long in bf16
            with torch.autocast(x.device.type, enabled=False):
                return self.convolved(x.float(), weight, bias)
        return self.convolved(x, weight, bias)

    def convolved(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, weight, bias, self.c.stride, self.c.padding, groups=self.c.groups)

    def scale_and_bias(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What the batch norm's running statistics do to the convolution's output channels."""
        scale = self.b.weight * torch.rsqrt(self.b.running_var + self.b.eps)
        return scale, self.b.bias - self.b.running_mean * scale

    def fold(self) -> None:
        """Puts the batch norm into the convolution, for export."""
        self.c, self.b = fuse_conv_bn_eval(self.c, self.b), nn.Identity()
        if isinstance(self.a, Slopes):
            self.a.fold()


class End(Unit):
    """The last layer: linear, on maps of 1 x 1. Folded it is a product with a matrix, n x i x 1 x 1 -> n x o.

    onnxruntime's 8-bit product with a matrix gives floats, where its convolution would round the embedding to 8 bits.
    """

    def __init__(self, i: int, o: int) -> None:
        super().__init__(i, o, linear=True)

    def fold(self) -> None:
        super().fold()
        product = nn.Linear(self.c.in_channels, self.c.out_channels)
        product.weight.data, product.bias.data = self.c.weight.detach().flatten(1), self.c.bias.detach()
        self.c = nn.Sequential(nn.Flatten(), product)


class Block(nn.Module):
    """Layers with a shortcut around them or none."""

    def __init__(self, f: nn.Sequential, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.f = f

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.f(x)
        return x + y if self.residual else y


class Bottleneck(Block):
    """1 x 1 to `expand` times the channels, 3 x 3 depthwise, 1 x 1 back; the first two PReLU if curved.

    But for the expansion of one with a stride, ReLU in any case: the last one's 512 channels at 14 x 14 would be the
    costliest of all that are curved.
    """

    def __init__(self, i: int, o: int, stride: int, expand: int, curved: bool = False) -> None:
        m = i * expand
        inner = Unit(i, m, curved=curved and stride == 1), Unit(m, m, 3, stride, 1, m, curved=curved)
        f = nn.Sequential(*inner, Unit(m, o, linear=True))
        super().__init__(f, residual=stride == 1 and i == o)


class MobileFaceNet(nn.Module):
    """N x 3 x 112 x 112 RGB, (x - 127.5) / 128 -> N x 128, not normalised."""

    side = 112

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Unit(3, 64, 3, 2, 1), Unit(64, 64, 3, 1, 1, 64)]
        i = 64
        for expand, o, repeats, stride in BOTTLENECKS:
            for k in range(repeats):
                layers.append(Bottleneck(i, o, stride if k == 0 else 1, expand, len(layers) >= CURVED))
                i = o
        layers += [Unit(128, 512, curved=True), Unit(512, 512, self.side // 16, 1, 0, 512, linear=True)]
        layers.append(End(512, 128))
        self.n = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return embedding(self.n(x))


def embedding(y: torch.Tensor) -> torch.Tensor:
    """What comes out of the last layer -> n x 128; an operation more in the file only where it is needed."""
    return y if y.ndim == 2 else y.flatten(1)


def net_input(x: torch.Tensor) -> torch.Tensor:
    """RGB 0..255 -> the network's input, channels last in memory (a quarter faster here)."""
    return ((x.clamp(0, 255) - 127.5) / 128).contiguous(memory_format=torch.channels_last)


def write_weights(state: dict[str, torch.Tensor], path: Path, ranges: torch.Tensor | None = None) -> None:
    """A state dict in half precision, without the batch norms' counters (they have no use outside a training).

    `ranges`: those of a training with int8's rounding, kept with it.
    """
    kept = {k: v.half() for k, v in state.items() if v.dtype.is_floating_point}
    kept = kept if ranges is None else kept | {"ranges": ranges}
    torch.save(kept, path, _use_new_zipfile_serialization=False)  # the newer format pads 257 tensors: 40 kB more


def read_weights(path: Path, network: type[nn.Module] = MobileFaceNet) -> dict[str, torch.Tensor]:
    """The state dict of a file of `write_weights`, or the average of weights of a training's checkpoint.

    Where the network has PReLU and the file is of one that had ReLU there, the slopes are 0: the same function.
    Raises SystemExit if the file is not of this network.
    """
    weights, more = read_curved(path, network)
    if more:
        raise SystemExit(f"{path} has PReLU where a {network.__name__} has ReLU: begin with it by --anneal")
    return weights


def read_curved(
    path: Path, network: type[nn.Module] = MobileFaceNet
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The same of a file that may be of a network with more PReLUs -> the state dict, slopes by the name of their unit.

    Without those slopes the state dict is not what the file's network computes. Raises SystemExit as `read_weights`.
    """
    saved = torch.load(path, map_location="cpu", weights_only=True)
    state = network().state_dict()
    average = saved.get("average") or {k: v for k, v in saved.items() if k != "ranges"}
    extra = {k for k in average if k.endswith(SLOPES) and k not in state and k.replace(SLOPES, ".c.weight") in state}
    more = {k.removesuffix(SLOPES): average.pop(k).float() for k in sorted(extra)}
    straight = {k: torch.zeros_like(v) for k, v in state.items() if k.endswith(SLOPES) and k not in average}
    average = straight | average
    if not {k for k, v in state.items() if v.dtype.is_floating_point} <= average.keys() <= state.keys():
        raise SystemExit(f"{path} does not hold a {network.__name__}'s weights")
    return state | {k: v.to(state[k].dtype) for k, v in average.items()}, more


def read_ranges(path: Path) -> torch.Tensor | None:
    """The ranges that were trained with the weights of such a file; None where none were."""
    ranges: torch.Tensor | None = torch.load(path, map_location="cpu", weights_only=True).get("ranges")
    return ranges
