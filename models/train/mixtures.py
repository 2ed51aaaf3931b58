"""Faces that nobody has: mixtures of two faces, for the teachers to say who that would be.

What one teaches another about is a function, and a function can be asked anywhere: a mixture is as good a question as a
picture, and there is no end of them. MobileFaceNet, which was full by then, gained nothing at a door by them (the model
card has the figures); a larger network may.
A mixture is the same on every machine: its number is the seed of all that is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

CANDIDATES = 64  # of which the second face is the most like the first in pose and light
THUMB = 16  # pixels; what pose and light are compared by
WARP = 2.5  # pixels: deviation of the shifts at the nodes of the warp's grid
NODES = 5
ALONE = 0.1  # share of the faces that are only warped, twice
LIT = 0.3  # share of the mixtures with another gamma and colour of light

Picture = NDArray[np.uint8]
Mask = NDArray[np.float32]


def thumbs(x: NDArray[np.uint8], ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """n x THUMB**2: the faces `ids` of x in small and grey, with mean 0 and length 1."""
    small = [
        cv2.cvtColor(cv2.resize(x[i], (THUMB, THUMB), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY) for i in ids
    ]
    flat = np.stack(small).reshape(len(ids), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    unit: NDArray[np.float32] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return unit


def parents(known: NDArray[np.float32], rng: np.random.Generator) -> tuple[int, int]:
    """Two places in `known`, the pool's thumbs: any face, and of some others the one most like it."""
    first = int(rng.integers(len(known)))
    others = rng.choice(len(known), min(CANDIDATES, len(known)), replace=False)
    others = others[others != first]
    return first, int(others[np.argmax(known[others] @ known[first])])


def mixture(a: Picture, b: Picture, rng: np.random.Generator) -> Picture:
    """Two aligned faces of one size -> a face of that size."""
    a, b = bent(a, rng), bent(b, rng)
    first, second = a.astype(np.float32), in_colours_of(b.astype(np.float32), a.astype(np.float32))
    m = _mask(len(a), rng)[:, :, None]
    mixed = m * first + (1 - m) * second
    return lit(mixed, rng) if rng.random() < LIT else np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def bent(x: Picture, rng: np.random.Generator) -> Picture:
    """Another shape of the face: moved by a smooth field."""
    size = len(x)
    nodes = rng.normal(0, WARP, (2, NODES, NODES)).astype(np.float32)
    dx, dy = (cv2.resize(n, (size, size), interpolation=cv2.INTER_CUBIC) for n in nodes)
    across, down = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    return np.asarray(cv2.remap(x, across + dx, down + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def in_colours_of(b: NDArray[np.float32], a: NDArray[np.float32]) -> NDArray[np.float32]:
    """b with the mean and the deviation of each of a's channels in the middle of the picture: a seam shows less."""
    edge = len(a) // 5
    inner = (slice(edge, -edge), slice(edge, -edge))
    gain = np.clip(a[inner].std((0, 1)) / (b[inner].std((0, 1)) + 1e-3), 0.5, 2.0)
    out: NDArray[np.float32] = (b - b[inner].mean((0, 1))) * gain + a[inner].mean((0, 1))
    return out


def _mask(size: int, rng: np.random.Generator) -> Mask:
    """How much of the first face there is, size x size of 0..1: everywhere alike, on one side of a line, in places."""
    kind = rng.random()
    if kind < 0.25:
        return np.full((size, size), rng.uniform(0.35, 0.65), np.float32)
    if kind < 0.6:
        line, soft, slope = rng.uniform(0.4, 0.65) * size, rng.uniform(3, 8), rng.normal(0, 0.15)
        down = np.arange(size)[:, None] - line + slope * (np.arange(size)[None, :] - size / 2)
        field = down / soft if rng.random() < 0.5 else -down / soft
    else:
        field = cv2.resize(rng.normal(0, 6, (4, 4)), (size, size), interpolation=cv2.INTER_CUBIC)
    return (1 / (1 + np.exp(-np.clip(field, -30, 30)))).astype(np.float32)


def lit(x: NDArray[np.float32], rng: np.random.Generator) -> Picture:
    """Another light: gamma 0.6 to 1.7, and a colour of it."""
    gamma = np.exp(rng.uniform(np.log(0.6), np.log(1.7)))
    colour = rng.uniform(0.8, 1.2, 3)
    out = 255 * (np.clip(x, 0, 255) / 255) ** gamma * colour
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def fill(x: NDArray[np.uint8], pool: NDArray[np.int64], wanted: Sequence[tuple[int, int]]) -> None:
    """Makes mixtures of the pool's faces: `wanted` names each by its place in x and its number."""
    known = thumbs(x, pool)
    for place, number in tqdm(wanted, desc="mixtures", mininterval=20):
        rng = np.random.default_rng([number])
        a, b = parents(known, rng)
        side = 1 if rng.random() < 0.5 else -1
        first, second = x[pool[a]][:, ::side], x[pool[a if rng.random() < ALONE else b]][:, ::side]
        x[place] = mixture(first, second, rng)
