"""Pictures that are no upright, natural face, drawn by chance: for the fit of an embedder's second output (fit.py).

Each kind is a function of a picture (H x W x 3, BGR) and a random generator. `kiosk evaluate ruins` has kinds of its
own with fixed numbers (kiosk.evaluation.ruin_kinds). Waves and stretched faces are not drawn with the numbers that are
measured there. Covered halves, false and swapped colours, shuffled squares, drawn edges, solarised pictures and bars
are not drawn at all.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.vision.pixels import picture

Picture = NDArray[np.uint8]
Draw = Callable[[Picture, np.random.Generator], Picture]

QUARTERS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


def _one_of(rng: np.random.Generator, *spans: tuple[float, float]) -> float:
    low, high = spans[int(rng.integers(len(spans)))]
    return float(rng.uniform(low, high))


def turned(image: Picture, rng: np.random.Generator) -> Picture:
    """By a quarter or half turn, upside down in a mirror, or by any angle from 38 degrees."""
    kind = int(rng.integers(5))
    if kind < 3:
        return picture(cv2.rotate(image, QUARTERS[kind]))
    if kind == 3:
        return picture(cv2.flip(image, 0))
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(38, 322)), 1.0)
    return picture(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def waves(image: Picture, rng: np.random.Generator) -> Picture:
    """2 to 5 or 8 to 14 waves along the shorter side, in one direction or both; not the 6.4 that are measured."""
    height, width = image.shape[:2]
    side = min(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)

    def bend(along: NDArray[np.float32]) -> NDArray[np.float32]:
        count = _one_of(rng, (2, 5), (8, 14))
        far = side * rng.uniform(0.045, 0.09) / count**0.75  # short waves need less to bend as much
        return (far * np.sin(2 * np.pi * count * along / side + rng.uniform(0, 6.28))).astype(np.float32)

    which = int(rng.integers(4))
    across = bend(y) if which != 1 else np.zeros_like(y)
    down = bend(x) if which != 0 else np.zeros_like(x)
    return picture(cv2.remap(image, x + across, y + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _factor(rng: np.random.Generator) -> float:
    """Not the 1.6 that is measured."""
    return _one_of(rng, (1.4, 1.53), (1.67, 2.0))


def wide(image: Picture, rng: np.random.Generator) -> Picture:
    return picture(cv2.resize(image, None, fx=_factor(rng), fy=1))


def high(image: Picture, rng: np.random.Generator) -> Picture:
    return picture(cv2.resize(image, None, fx=1, fy=_factor(rng)))


def halves(image: Picture, rng: np.random.Generator) -> Picture:
    """A half and its mirror image, cut up to 6% beside the middle."""
    width = image.shape[1]
    cut = int(width * rng.uniform(0.44, 0.56))
    part = image[:, :cut] if rng.random() < 0.5 else image[:, cut:][:, ::-1]
    return np.ascontiguousarray(np.concatenate([part, part[:, ::-1]], axis=1))


def negative(image: Picture, rng: np.random.Generator) -> Picture:
    """All, or light and dark alone."""
    if rng.random() < 0.6:
        return picture(255 - image)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[:, :, 2] = 255 - hsv[:, :, 2]
    return picture(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))


def levels(image: Picture, rng: np.random.Generator) -> Picture:
    """Two to four levels, of each channel or of grey."""
    if rng.random() < 0.5:
        image = picture(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
    count = int(rng.integers(2, 5))
    steps = np.round(np.round(np.arange(256) / 255 * (count - 1)) / (count - 1) * 255).astype(np.uint8)
    return picture(cv2.LUT(image, steps))


def coarse(image: Picture, rng: np.random.Generator) -> Picture:
    """20 to 48 pixels across."""
    height, width = image.shape[:2]
    cells = int(rng.integers(20, 48))
    small = cv2.resize(image, (cells, max(1, cells * height // width)), interpolation=cv2.INTER_AREA)
    return picture(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))


def noisy(image: Picture, rng: np.random.Generator) -> Picture:
    """Much more than a camera has in the dark."""
    grain = rng.normal(0, rng.uniform(35, 80), image.shape)
    return picture(np.clip(image + grain, 0, 255).astype(np.uint8))


def embossed(image: Picture, rng: np.random.Generator) -> Picture:
    values = image.astype(np.float32)
    by = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    return picture(np.clip(128 + 2 * (values - np.roll(values, by, (0, 1))), 0, 255).astype(np.uint8))


def faint(image: Picture, rng: np.random.Generator) -> Picture:
    around, share = rng.uniform(90, 170), rng.uniform(0.06, 0.14)
    return picture(np.clip(around + (image.astype(np.float32) - around) * share, 0, 255).astype(np.uint8))


RUINS: dict[str, Draw] = {
    "turned": turned,
    "waves": waves,
    "wide": wide,
    "high": high,
    "halves": halves,
    "negative": negative,
    "levels": levels,
    "coarse": coarse,
    "noisy": noisy,
    "embossed": embossed,
    "faint": faint,
}
OFTEN = {"turned": 3, "waves": 4, "wide": 2, "high": 2, "halves": 3}
"""How often a kind is drawn; the others once. Waves, stretched faces and halves are what other walls do not see."""
