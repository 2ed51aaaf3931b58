"""Weights rounded to 8 bits by least squares (GPTQ, arXiv 2210.17323): what a layer computes of real faces matters, not
its weights.

A weight's rounding is taken over by those of the same output channel that are not rounded yet. The gain is where inputs
are alike: the nine pixels under a depthwise kernel are nearly one, so what its nine weights are off by should be zero
in sum.
"""

from __future__ import annotations

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

BATCH = 16
EVERY = 5  # of the places of a map, one in so many is looked at: no divisor of its width, so of all columns
RIDGE = 1e-3  # of the inputs' mean square


@torch.no_grad()
def second_moments(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Network inputs n x 3 x 112 x 112 -> by the name of each layer, E[u u^T] of what its outputs hear.

    g x m x m: g is 1, or the number of channels of a depthwise convolution; m numbers make one output.
    """
    sums: dict[str, torch.Tensor] = {}

    def take(name: str, layer: nn.Conv2d | nn.Linear, u: torch.Tensor) -> None:
        if isinstance(layer, nn.Linear):
            places, groups = u[:, :, None].double(), 1
        else:
            places = F.unfold(u, layer.kernel_size, padding=layer.padding, stride=layer.stride)[:, :, ::EVERY].double()
            groups = layer.groups
        rows = places.unflatten(1, (groups, -1)).transpose(2, 3).transpose(0, 1).flatten(1, 2)  # g x places x m
        sums[name] = sums.get(name, 0) + rows.transpose(1, 2) @ rows / (rows.shape[1] * -(-len(x) // BATCH))

    hooks = [
        m.register_forward_pre_hook(lambda layer, inputs, name=name: take(name, layer, inputs[0]))
        for name, m in net.named_modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and m.weight[0].numel() > 1
    ]
    for part in x.split(BATCH):
        net(part)
    for hook in hooks:
        hook.remove()
    return sums


def rounded_by_squares(weight: torch.Tensor, moments: torch.Tensor, scale: torch.Tensor, most: int) -> torch.Tensor:
    """Weights o x m, moments g x m x m of what they hear, a scale for each output -> whole numbers up to `most`."""
    g, m, _ = moments.shape
    w = weight.double().reshape(g, -1, m).clone()
    step = scale.double().reshape(g, -1)
    ridge = (RIDGE * moments.diagonal(dim1=1, dim2=2).mean(1)).clamp_min(1e-12)
    factor = torch.linalg.cholesky(
        torch.linalg.inv(moments + torch.diag_embed(ridge[:, None].expand(g, m))), upper=True
    )
    whole = torch.empty_like(w)
    for j in range(m):
        whole[:, :, j] = (w[:, :, j] / step).round().clamp(-most, most)
        error = (w[:, :, j] - whole[:, :, j] * step) / factor[:, j, None, j]
        w[:, :, j + 1 :] -= error[:, :, None] * factor[:, j, None, j + 1 :]
    return whole.reshape(weight.shape)


def round_by_squares(graph: onnx.GraphProto, fp32: onnx.GraphProto, moments: dict[str, torch.Tensor]) -> None:
    """Rounds the int8 weights of a quantized graph anew, by the moments of `second_moments`; scales stay."""
    exact = {i.name: numpy_helper.to_array(i) for i in fp32.initializer}
    stored = {i.name: i for i in graph.initializer}
    for name, found in moments.items():
        weight = f"{name}.weight"
        old = stored[f"{weight}_quantized"]
        bytes_, values = numpy_helper.to_array(old), torch.from_numpy(exact[weight].copy())
        if values[0].numel() != found.shape[1]:
            continue  # the stem, whose kernel has another shape in the file
        scale = torch.from_numpy(numpy_helper.to_array(stored[f"{weight}_scale"]).copy())
        whole = rounded_by_squares(values.flatten(1), found, scale, int(abs(bytes_.astype(int)).max()))
        new = whole.reshape(values.shape).numpy().astype(bytes_.dtype)
        old.CopyFrom(numpy_helper.from_array(new, old.name))
