"""What covers a face: a mask, glasses or a hat, drawn on an aligned face of 112 x 112."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

# Of the 112 x 112 face: eyes, as ArcFace's alignment puts them; a mask's outline from ear over nose to ear and chin.
EYES = np.array([(38, 52), (74, 52)])
OUTLINE = np.array([(10, 58), (40, 66), (56, 60), (72, 66), (102, 58), (96, 96), (76, 114), (36, 114), (16, 96)])


def mask(rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """Where a mask is, 112 x 112 of 0 or 1, and that nothing is seen through it."""
    where = np.zeros((112, 112), np.uint8)
    outline = OUTLINE + rng.integers(-3, 4, OUTLINE.shape) + (0, int(rng.integers(-2, 8)))
    cv2.fillPoly(where, [outline.astype(np.int32)], 1)
    return where, 1.0


def glasses(rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """Where glasses are, 112 x 112 of 0 or 1: frames alone or dark lenses; and how little is seen through them."""
    where = np.zeros((112, 112), np.uint8)
    thick, dark = int(rng.integers(1, 4)), rng.random() < 0.5
    half = (int(rng.integers(11, 16)), int(rng.integers(8, 13)))
    left, right = (EYES + rng.integers(-2, 3, 2)).tolist()
    for eye in (left, right):
        cv2.ellipse(where, eye, half, 0, 0, 360, 1, -1 if dark else thick)
    for a, b in ((left[0] + half[0], right[0] - half[0]), (0, left[0] - half[0]), (right[0] + half[0], 111)):
        cv2.line(where, (a, left[1]), (b, right[1]), 1, thick)
    return where, float(rng.uniform(0.6, 1.0)) if dark else 1.0


def hat(rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """Where a hat or a cap is, 112 x 112 of 0 or 1: from the top to above the brows; and that nothing is seen through
    it."""
    where = np.zeros((112, 112), np.uint8)
    left, right = rng.integers(14, 40, 2).tolist()
    brim = min(int((left + right) / 2 + rng.integers(-8, 9)), 40)
    cv2.fillPoly(where, [np.array([(0, 0), (112, 0), (112, right), (56, brim), (0, left)], np.int32)], 1)
    return where, 1.0


Cover = Callable[[np.random.Generator], tuple[NDArray[np.uint8], float]]
COVERS: dict[str, Cover] = {"mask": mask, "glasses": glasses, "hat": hat}


def covered(x: torch.Tensor, cover: Cover, rng: np.random.Generator) -> torch.Tensor:
    """A face, 3 x 112 x 112 RGB 0..255, behind a cover of some colour, which is lit as the face is."""
    where, weight = cover(rng)
    alpha = torch.from_numpy(where.astype(np.float32)) * weight
    coarse = F.interpolate(F.avg_pool2d(x[None].mean(1, keepdim=True), 28), size=112, mode="bilinear")[0]
    light = 0.6 + 0.4 * coarse / coarse.mean().clamp_min(1)
    colour = torch.from_numpy((rng.uniform(5, 235) + rng.uniform(-25, 25, (3, 1, 1))).astype(np.float32))
    return x * (1 - alpha) + (colour * light).clamp(0, 255) * alpha
