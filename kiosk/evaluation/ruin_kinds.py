"""Ways to distort ("ruin") a picture of a face so that it is no longer an upright, natural face.

Each kind is a function from a picture (H x W x 3, BGR) to a picture. Sizes are shares of the picture's width, so that a
kind does the same at any resolution. Each kind is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from kiosk.domain.face import Image
from kiosk.vision.pixels import picture

Change = Callable[[Image], Image]


@dataclass(frozen=True, slots=True)
class Ruin:
    """A kind of distortion. `kept_out`: this kind was not used to design the checks against distorted pictures or to
    choose their bounds."""

    name: str
    change: Change
    kept_out: bool = False


def _turned(code: int) -> Change:
    return lambda image: picture(cv2.rotate(image, code))


def _rolled(degrees: float) -> Change:
    """Rotates clockwise around the centre. The edge pixels fill the corners."""

    def change(image: Image) -> Image:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
        return picture(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))

    return change


def _grey(image: Image) -> Image:
    return picture(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def _levels(count: int) -> Change:
    """Reduces each channel to `count` levels."""
    steps = np.round(np.round(np.arange(256) / 255 * (count - 1)) / (count - 1) * 255).astype(np.uint8)
    return lambda image: picture(cv2.LUT(image, steps))


def _grey_levels(count: int) -> Change:
    return lambda image: _levels(count)(_grey(image))


def _coarse(cells: int) -> Change:
    """Reduces the picture to `cells` pixels across."""

    def change(image: Image) -> Image:
        height, width = image.shape[:2]
        small = cv2.resize(image, (cells, max(1, cells * height // width)), interpolation=cv2.INTER_AREA)
        return picture(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))

    return change


def _compressed(quality: int) -> Change:
    """Compresses as JPEG with quality 0..100."""

    def change(image: Image) -> Image:
        content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)

    return change


def _noisy(sigma: float) -> Change:
    def change(image: Image) -> Image:
        grain = np.random.default_rng(int(image[::7, ::7].sum())).normal(0, sigma, image.shape)
        return picture(np.clip(image + grain, 0, 255).astype(np.uint8))

    return change


def _blurred(share: float) -> Change:
    return lambda image: picture(cv2.GaussianBlur(image, (0, 0), share * image.shape[1]))


def _covered(top: float, bottom: float, left: float, right: float, level: int) -> Change:
    """Covers a part of the picture (shares of height and width) with one grey level."""

    def change(image: Image) -> Image:
        height, width = image.shape[:2]
        out = image.copy()
        out[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = level
        return out

    return change


def _swapped(*order: int) -> Change:
    return lambda image: picture(np.ascontiguousarray(image[:, :, list(order)]))


def _waves(image: Image) -> Image:
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    far = np.float32(0.02 * width)
    across, down = x + far * np.sin(40 * y / height), y + far * np.sin(40 * x / width)
    return picture(cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _shuffled(image: Image) -> Image:
    """Rotates small squares of the picture independently."""
    out, side = image.copy(), max(2, image.shape[1] // 24)
    rng = np.random.default_rng(0)
    for y in range(0, image.shape[0] - side, side):
        for x in range(0, image.shape[1] - side, side):
            square = image[y : y + side, x : x + side]
            out[y : y + side, x : x + side] = np.rot90(square, int(rng.integers(4)))
    return out


def _drawn(image: Image) -> Image:
    """Draws the edges, dark on white."""
    soft = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (0, 0), 1.2)
    lines = np.clip(255 - 8 * np.abs(cv2.Laplacian(soft, cv2.CV_32F)), 0, 255).astype(np.uint8)
    return picture(cv2.cvtColor(lines, cv2.COLOR_GRAY2BGR))


def _embossed(image: Image) -> Image:
    values = image.astype(np.float32)
    return picture(np.clip(128 + 2 * (values - np.roll(values, (2, 2), (0, 1))), 0, 255).astype(np.uint8))


def _solarised(image: Image) -> Image:
    return picture(np.where(image > 110, 255 - image, image).astype(np.uint8))


def _stretched(width: float, height: float) -> Change:
    return lambda image: picture(cv2.resize(image, None, fx=width, fy=height))


def _halves_alike(image: Image) -> Image:
    """Replaces the right half by the mirror image of the left half."""
    out, width = image.copy(), image.shape[1]
    out[:, width - width // 2 :] = image[:, : width // 2][:, ::-1]
    return out


def _barred(image: Image) -> Image:
    out, step = image.copy(), max(2, image.shape[0] // 40)
    for y in range(0, image.shape[0], 2 * step):
        out[y : y + step] = 0
    return out


def _faint(image: Image) -> Image:
    return picture(np.clip(128 + (image.astype(np.float32) - 128) * 0.12, 0, 255).astype(np.uint8))


def _false_colour(image: Image) -> Image:
    return picture(cv2.applyColorMap(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLORMAP_JET))


def _dark_for_light(image: Image) -> Image:
    """Keeps the colours and swaps light and dark."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[:, :, 2] = 255 - hsv[:, :, 2]
    return picture(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))


def _negative(image: Image) -> Image:
    return picture(255 - image)


UPRIGHT = Ruin("as it is", lambda image: image)
"""The unchanged picture: it shows what the checks cost."""

QUARTERS = (
    Ruin("turned by 90", _turned(cv2.ROTATE_90_CLOCKWISE)),
    Ruin("turned by 180", _turned(cv2.ROTATE_180)),
    Ruin("turned by 270", _turned(cv2.ROTATE_90_COUNTERCLOCKWISE)),
)
"""The kinds from which the centre of an embedder's distorted pictures is computed."""

RUINS = (
    *QUARTERS,
    Ruin("top to bottom", lambda image: picture(cv2.flip(image, 0))),
    Ruin("rolled by 30", _rolled(30)),
    Ruin("rolled by 45", _rolled(45)),
    Ruin("rolled by -60", _rolled(-60)),
    Ruin("rolled by 135", _rolled(135)),
    Ruin("negative", _negative),
    Ruin("negative, turned by 180", lambda image: _negative(picture(cv2.rotate(image, cv2.ROTATE_180))), kept_out=True),
    Ruin("dark for light", _dark_for_light),
    Ruin("2 grey levels", _grey_levels(2)),
    Ruin("3 grey levels", _grey_levels(3)),
    Ruin("4 grey levels", _grey_levels(4)),
    Ruin("2 levels a channel", _levels(2)),
    Ruin("3 levels a channel", _levels(3)),
    Ruin("24 pixels across", _coarse(24)),
    Ruin("32 pixels across", _coarse(32)),
    Ruin("40 pixels across", _coarse(40)),
    Ruin("JPEG of quality 2", _compressed(2)),
    Ruin("JPEG of quality 5", _compressed(5)),
    Ruin("JPEG of quality 8", _compressed(8), kept_out=True),
    Ruin("noise of 40", _noisy(40)),
    Ruin("noise of 70", _noisy(70)),
    Ruin("blur of 1.2%", _blurred(0.012), kept_out=True),
    Ruin("blur of 2%", _blurred(0.02)),
    Ruin("left half covered", _covered(0, 1, 0, 0.5, 128)),
    Ruin("right half covered", _covered(0, 1, 0.5, 1, 0), kept_out=True),
    Ruin("lower half covered", _covered(0.55, 1, 0, 1, 128)),
    Ruin("upper half covered", _covered(0, 0.5, 0, 1, 255), kept_out=True),
    Ruin("red for blue", _swapped(2, 1, 0)),
    Ruin("channels in turn", _swapped(1, 2, 0), kept_out=True),
    Ruin("false colours", _false_colour, kept_out=True),
    Ruin("grey", _grey),
    Ruin("faint", _faint),
    Ruin("waves", _waves),
    Ruin("squares shuffled", _shuffled, kept_out=True),
    Ruin("edges drawn", _drawn),
    Ruin("embossed", _embossed),
    Ruin("solarised", _solarised, kept_out=True),
    Ruin("1.6 times as wide", _stretched(1.6, 1)),
    Ruin("1.6 times as high", _stretched(1, 1.6)),
    Ruin("halves alike", _halves_alike),
    Ruin("bars", _barred, kept_out=True),
)
