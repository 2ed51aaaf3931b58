"""Lets a network that begins as retail_0095 take the kiosk's own numbers, (RGB - 127.5) / 128, by other weights of its
stem."""

from __future__ import annotations

import torch

from models.train.embedder.free_start import put
from models.train.embedder.freefacenet import FreeFaceNet
from models.train.embedder.retail import MEAN, STD


def colours() -> tuple[torch.Tensor, torch.Tensor]:
    """A 3 x 3 matrix and 3 numbers: (RGB - 127.5) / 128 -> (BGR - MEAN) / STD."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return torch.diag(128 / std) @ torch.eye(3).flip(0), (127.5 - mean) / std


def aligned_colours(x: torch.Tensor) -> torch.Tensor:
    """Inputs as `retail_input` makes them -> the same pictures as (RGB - 127.5) / 128."""
    matrix, shift = colours()
    rgb = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix), x - shift.reshape(1, 3, 1, 1))
    return rgb.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def take_colours(net: FreeFaceNet) -> None:
    """Changes the stem, so that a network that took `retail_input` takes `aligned_colours` of it.

    But for the outermost row and column above and to the left, where the convolution sees zeros beyond the picture:
    these are another colour now.
    """
    matrix, shift = colours()
    stem = net.n[0]
    scale, bias = stem.scale_and_bias()
    weight = stem.c.weight * scale[:, None, None, None]
    put(stem, torch.einsum("ojhw,ji->oihw", weight, matrix), bias + torch.einsum("ojhw,j->o", weight, shift))
