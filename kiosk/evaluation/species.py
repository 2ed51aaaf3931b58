"""Draws attacks as a camera at a door sees them, from one labelled picture of an attack: the species of ISO/IEC
30107-3.

Pure: the same picture, species, distance and random number generator give the same frame. The training recipe of the
networks also draws its pictures with this module, but from other sources than those used for measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Box, Image
from kiosk.vision.pixels import picture

HEIGHT, WIDTH = 480, 640
"""Size of a drawn frame in pixels, as most cameras at a door give."""


class Species(StrEnum):
    """How the picture is presented."""

    AS_FRAMED = "as framed"
    """The picture as its source took it."""
    CUT_OUT_PLAIN = "cut-out, plain ground"
    CUT_OUT_BUSY = "cut-out, busy ground"
    BENT = "bent"
    """A cut-out, bent around a vertical axis, on a busy background."""
    EDGELESS = "edgeless"
    """The picture fills the frame: no edge of paper or screen is visible."""


class Distance(StrEnum):
    """How large the face is in the frame."""

    FAR = "far"
    MIDDLE = "middle"
    NEAR = "near"

    @property
    def share(self) -> float:
        """Height of the face's box as a share of the frame's height."""
        return {"far": 0.22, "middle": 0.35, "near": 0.55}[self.value]


@dataclass(frozen=True, slots=True)
class Cut:
    """The ellipse of a cut-out head: its half axes in heights and widths of the face's box, and how far its centre lies
    above the box's centre, in heights of the box."""

    across: float = 0.75
    along: float = 0.8
    above: float = 0.1


def draw(image: Image, box: Box, species: Species, distance: Distance, rng: np.random.Generator) -> Image:
    """The frame that a camera at a door would see: HEIGHT x WIDTH, or the picture itself for AS_FRAMED. Raises
    ValueError for a box without area."""
    if species is Species.AS_FRAMED:
        return image
    if box.width < 1 or box.height < 1:
        raise ValueError("the face's box has no area")
    size = distance.share * float(rng.uniform(0.9, 1.1))
    if species is Species.EDGELESS:
        return edgeless(image, box, size)
    ground = plain(rng) if species is Species.CUT_OUT_PLAIN else busy(rng)
    cut = Cut(*(float(v) for v in rng.uniform((0.65, 0.7, 0.04), (0.9, 0.95, 0.14))))
    bend = float(rng.uniform(0.5, 1.0)) if species is Species.BENT else 0.0
    place = float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.4, 0.4))
    return cut_out(image, box, ground, size, cut, bend, place)


def edgeless(image: Image, box: Box, share: float) -> Image:
    """The part of the picture around the face in which the face's box has the share `share` of the height, scaled to
    HEIGHT x WIDTH. If the picture is too small for that, the part ends at the picture's edges: the face is then larger
    or the frame narrower."""
    height, width = image.shape[:2]
    high = min(box.height / share, height)
    wide = min(high * WIDTH / HEIGHT, width)
    x, y = box.centre
    left, top = int(min(max(x - wide / 2, 0.0), width - wide)), int(min(max(y - high / 2, 0.0), height - high))
    part = image[top : top + max(int(high), 1), left : left + max(int(wide), 1)]
    size = max(round(wide * HEIGHT / high), 1), HEIGHT
    return picture(cv2.resize(part, size, interpolation=cv2.INTER_AREA if high > HEIGHT else cv2.INTER_CUBIC))


def cut_out(
    image: Image, box: Box, ground: Image, share: float, cut: Cut, bend: float, place: tuple[float, float]
) -> Image:
    """The head, cut out and placed on the background `ground`; its box has the share `share` of the frame's height.
    `bend`: angle in radians by which the paper turns away from the camera at its sides; 0 is flat. `place`: position of
    the head's centre, as a share of the free space beside the head (half width and half height of the frame)."""
    scale = share * HEIGHT / box.height
    half_w, half_h = cut.across * box.width * scale, cut.along * box.height * scale
    at_x = WIDTH / 2 + place[0] * max(WIDTH / 2 - half_w, 0.0)
    at_y = HEIGHT / 2 + place[1] * max(HEIGHT / 2 - half_h, 0.0)
    left, right = max(int(at_x - half_w) - 3, 0), min(int(at_x + half_w) + 4, WIDTH)
    top, bottom = max(int(at_y - half_h) - 3, 0), min(int(at_y + half_h) + 4, HEIGHT)
    v, u = np.mgrid[top:bottom, left:right].astype(np.float32) - np.array([at_y, at_x], np.float32).reshape(2, 1, 1)
    light = np.ones_like(u)
    if bend:
        light = np.clip(1 - 0.25 * math.sin(bend) * u / half_w, 0.6, 1.3)
        u = np.arcsin(np.clip(u / half_w * math.sin(bend), -1, 1)) / bend * half_w
    x, y = box.centre
    at = x + u / scale, y - cut.above * box.height + v / scale
    inside = (u / half_w) ** 2 + (v / half_h) ** 2 <= 1
    for where, end in zip(at, image.shape[1::-1], strict=True):
        inside &= (where >= 0) & (where <= end - 1)
    mask = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.7)[..., None]
    frame = ground.copy()
    part = frame[top:bottom, left:right]
    part[:] = np.clip(_seen(image, at, scale) * light[..., None] * mask + part * (1 - mask), 0, 255).astype(np.uint8)
    return frame


def _seen(image: Image, at: tuple[NDArray[np.floating], NDArray[np.floating]], scale: float) -> NDArray[np.float32]:
    """The picture's pixels at these positions. If the picture is made much smaller, pixels are averaged first."""
    by = max(int(1 / scale), 1)
    if by > 1:
        image = picture(cv2.resize(image, None, fx=1 / by, fy=1 / by, interpolation=cv2.INTER_AREA))
    x, y = (((m + 0.5) / by - 0.5).astype(np.float32) for m in at)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float32)


def plain(rng: np.random.Generator) -> Image:
    """A background: an unevenly lit wall of one colour, HEIGHT x WIDTH."""
    return _lit(np.tile(rng.uniform(40, 235) + rng.normal(0, 12, 3), (HEIGHT // 4, WIDTH // 4, 1)), rng)


def busy(rng: np.random.Generator) -> Image:
    """A background that suggests shelves, people and plants: boxes, discs and lines, out of focus, HEIGHT x WIDTH."""
    image = np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.uint8)
    image[:] = np.clip(rng.uniform(30, 220) + rng.normal(0, 15, 3), 0, 255)
    for k in range(int(rng.integers(25, 80))):
        colour = tuple(float(v) for v in np.clip(rng.uniform(0, 255) + rng.normal(0, rng.uniform(5, 40), 3), 0, 255))
        x, y = int(rng.integers(0, WIDTH // 2)), int(rng.integers(0, HEIGHT // 2))
        w, h = (int(v) for v in rng.exponential(25, 2) + 3)
        if k % 3 == 0:
            cv2.rectangle(image, (x - w, y - h), (x + w, y + h), colour, -1)
        elif k % 3 == 1:
            cv2.ellipse(image, (x, y), (w, h), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            cv2.line(image, (x, y), (x + 4 * w - 50, y + 4 * h - 50), colour, int(rng.integers(1, 6)))
    return _lit(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 2))), rng)


def _lit(image: NDArray[np.generic], rng: np.random.Generator) -> Image:
    """Lights one side more, and scales to the size of a frame."""
    angle, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.25)
    v, u = np.mgrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
    light = 1 + strength * (u * math.cos(angle) + v * math.sin(angle))
    return picture(cv2.resize(np.clip(image * light[..., None], 0, 255).astype(np.uint8), (WIDTH, HEIGHT)))


def held(still: Image, count: int, rng: np.random.Generator) -> Iterator[Image]:
    """`count` camera frames of a still picture in a hand. The hand moves it by 1 to 3 px from frame to frame, but never
    far. The sensor's noise has 1.5 to 3 grey levels, and the light changes slowly."""
    height, width = still.shape[:2]
    sigma, at = float(rng.uniform(1.5, 3.0)), np.zeros(2)
    grain = (rng.standard_normal((height + 64, width + 64, 3), np.float32) * sigma).astype(np.float32)
    for k in range(count):
        angle, step = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(1, 3))
        at = 0.8 * at + step * np.array([math.cos(angle), math.sin(angle)])
        shift = np.array([[1, 0, at[0]], [0, 1, at[1]]])
        moved = cv2.warpAffine(still, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
        y, x = rng.integers(0, 65, 2)
        noise = grain[y : y + height, x : x + width]
        yield np.clip(moved * np.float32(1 + 0.02 * math.sin(0.4 * k)) + noise, 0, 255).astype(np.uint8)
