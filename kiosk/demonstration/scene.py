"""What the simulated camera sees: a visit, rendered frame by frame.

Pure: the same seed, visit, time and number give the same picture. The networks were not made for these pictures: no
rendered picture is used to train anything or to set a threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.demonstration.layers import (
    EYES,
    HEIGHT,
    PAPER_EYES,
    PAPER_MARGIN,
    WIDTH,
    Layer,
    head_depth,
    noise,
    print_of,
    room,
    turned,
    visitor_layer,
)
from kiosk.demonstration.story import Kind, Visit, Visitor
from kiosk.domain.face import Image

APPROACH, HOLD, TURN, LEAVE = 0.9, 2.5, 0.6, 0.5
"""Durations of a visit's four parts, in seconds."""
VISIT_SECONDS = APPROACH + HOLD + TURN + LEAVE
HOLD_BEGINS, HOLD_ENDS = APPROACH, APPROACH + HOLD

_LIFT = 8
_YAW_STEP = 0.75
"""Degrees between two drawn views of a turning head."""
VIEWS = 7
"""Views that are kept, 1.2 MB each: as many as somebody sways through who stands there. Drawing one takes 3 ms."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Position of the point between the eyes in the frame (`x`, `y`, pixels), size (`scale`; 1: eyes 64 px apart) and
    rotation of the head (`roll`, `yaw`, degrees)."""

    x: float
    y: float
    scale: float
    roll: float
    yaw: float


def _ease(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def pose(t: float, phase: float) -> Pose:
    """The visitor's pose `t` seconds after the visit began. `phase` (radians) makes visits differ."""
    come, go = _ease(t / APPROACH), _ease((t - HOLD_ENDS - TURN) / LEAVE)
    turn = math.sin(math.pi * min(max((t - HOLD_ENDS) / (TURN + LEAVE), 0.0), 1.0))
    side = 1.0 if math.sin(phase) >= 0 else -1.0
    sway = math.sin(1.9 * t + phase)
    step = math.sin(9.0 * t) * (1 - come + go)
    return Pose(
        x=WIDTH / 2 + 6 * sway + side * 460 * (1 - come) - side * 520 * go,
        y=204 + 3 * math.sin(1.3 * t + 2 * phase) + 7 * step + 14 * (1 - come),
        scale=(0.96 + 0.012 * math.sin(0.9 * t + phase)) * (0.72 + 0.28 * come) * (1 - 0.15 * go),
        roll=1.2 * math.sin(1.1 * t + phase) + 1.5 * step,
        yaw=2.0 * math.sin(0.8 * t + 3 * phase) + side * (14 * (1 - come) - 11 * turn),
    )


class Scene:
    """Renders visits. Not thread-safe, because it caches what it has drawn."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._seed = seed
        self._room = room(rng)
        self._light = self._gradient()
        self._grain = self._noise_tile(rng)
        self._depth = head_depth()
        self._visitor = lru_cache(maxsize=8)(visitor_layer)
        self._view = lru_cache(maxsize=VIEWS)(self._draw_view)
        self._print = lru_cache(maxsize=2)(self._draw_print)
        self._holder = lru_cache(maxsize=2)(self._draw_holder)

    def prepare(self, story: tuple[Visit, ...]) -> None:
        """Draws the slow parts in advance. Raises CameraError when a visitor's picture cannot be read."""
        for visit in story:
            self._visitor(visit.visitor)
            if visit.kind is Kind.PRINT:
                self._print(visit.visitor)
                self._holder(visit.visitor)

    def render(self, visit: Visit | None, t: float, number: int, away: float = 1.0) -> Image:
        """A picture, 480 x 640 x 3, BGR. `t`: seconds since the visit began. `number`: the frame's number, which
        chooses the noise. `away`: how many times as far away as usual the visitor is. Without a visit it shows the
        empty room. Raises CameraError when a visitor's picture cannot be read."""
        image = self._room.copy()
        phase = 0.0
        if visit is not None:
            phase = float(sum(visit.name.encode()) % 628) / 100
            at = pose(t, phase)
            at = replace(at, scale=at.scale / away)
            if visit.kind is Kind.PRINT:
                self._show_print(image, visit.visitor, at, t)
            else:
                _over(image, self._view(visit.visitor, round(at.yaw / _YAW_STEP)), _placed(at, EYES))
        return self._expose(image, t + phase, number)

    def standing(self, visitor: Visitor, yaw: float, t: float, number: int) -> Image:
        """A picture like those of `render`, of a visitor who stands before the kiosk with the head turned by `yaw`
        degrees (positive: to their own left). `t`: seconds since they came."""
        image = self._room.copy()
        swaying = pose(HOLD_BEGINS + t % HOLD, 0.0)
        at = Pose(swaying.x, swaying.y, swaying.scale, swaying.roll, yaw)
        _over(image, self._view(visitor, round(at.yaw / _YAW_STEP)), _placed(at, EYES))
        return self._expose(image, t, number)

    # Parts that are drawn once and cached

    def _draw_view(self, visitor: Visitor, step: int) -> Layer:
        return turned(self._visitor(visitor), self._depth, step * _YAW_STEP)

    def _draw_print(self, visitor: Visitor) -> Layer:
        return print_of(visitor, np.random.default_rng(self._seed + 1))

    def _draw_holder(self, visitor: Visitor) -> Layer:
        """The body, in dark clothes, of the person who holds the print. The print hides the head."""
        body = self._visitor(visitor)[:, ::-1] * np.array([0.5, 0.55, 0.6, 1.0])
        body[: int(EYES[1]) + 110] = 0
        return np.asarray(body, np.uint8)

    def _show_print(self, image: Image, visitor: Visitor, at: Pose, t: float) -> None:
        body = Pose(at.x + 12, at.y - 14, at.scale, 0, 0)
        _over(image, self._holder(visitor), _placed(body, EYES))
        jitter = 2.5 * math.sin(7.3 * t) + 1.5 * math.sin(12.1 * t)
        held = Pose(at.x + jitter, at.y + 0.6 * jitter, at.scale, -4.0 + 1.5 * at.roll + 0.3 * jitter, 0)
        eyes = (PAPER_EYES[0] + PAPER_MARGIN, PAPER_EYES[1] + PAPER_MARGIN)
        tilt = np.array([[1, 0, 0], [0, 1, 0], [0.00022, -0.00016, 1 - 0.00022 * eyes[0] + 0.00016 * eyes[1]]])
        matrix = np.vstack([_placed(held, eyes), [0, 0, 1]]) @ tilt
        _over(image, self._print(visitor), matrix)

    @staticmethod
    def _gradient() -> Image:
        """The room's light as square roots (see `_expose`). It is wider than the frame, so that the light can move."""
        x = np.linspace(-1, 1, WIDTH + 320, dtype=np.float32)[None, :]
        y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
        light = 1.0 - 0.10 * x - 0.05 * y - 0.07 * (x**2 + y**2)
        return np.repeat(np.clip(np.sqrt(light) * 220, 0, 255).astype(np.uint8)[..., None], 3, 2)

    @staticmethod
    def _noise_tile(rng: np.random.Generator) -> Image:
        """Sensor noise after the camera's own smoothing, mostly in brightness. On a square-root scale shot noise is the
        same at every brightness. _LIFT is added so that bytes can hold negative values."""
        h, w = HEIGHT + 128, WIDTH + 128
        grey = noise(rng, h, w, 0.55)
        tile = np.dstack([0.5 * grey + 0.35 * noise(rng, h, w, 1.0) for _ in range(3)])
        return np.asarray(np.clip(np.round(tile) + _LIFT, 0, 2 * _LIFT), np.uint8)

    def _expose(self, image: Image, t: float, number: int) -> Image:
        """Applies lens blur, light and sensor noise. Works on square roots, with tables of 256 values."""
        gain = 1.0 + 0.05 * math.sin(0.37 * t) + 0.02 * math.sin(1.7 * t)
        warmth = 0.025 * math.sin(0.23 * t + 1)
        levels = np.arange(256, dtype=np.float32)
        gains = np.array([gain * (1 - warmth), gain, gain * (1 + warmth)], np.float32)
        roots = np.sqrt(np.clip(levels[:, None] * gains, 0, 255) * 255)
        shift = int(160 + 150 * math.sin(0.31 * t))
        dy, dx = (number * 61) % 128, (number * 97) % 127
        light = cv2.LUT(cv2.GaussianBlur(image, (3, 3), 0.55), np.round(roots).astype(np.uint8)[None])
        light = cv2.multiply(light, self._light[:, shift : shift + WIDTH], scale=1 / 220)
        light = cv2.add(light, self._grain[dy : dy + HEIGHT, dx : dx + WIDTH])
        squares = np.clip(levels - _LIFT, 0, 255) ** 2 / 255
        return np.asarray(cv2.LUT(light, np.round(squares).astype(np.uint8)), np.uint8)


def _placed(at: Pose, eyes: tuple[float, float]) -> NDArray[np.float64]:
    """The 2 x 3 matrix from a layer, whose eyes are at `eyes`, to the frame."""
    c = at.scale * math.cos(math.radians(at.roll))
    s = at.scale * math.sin(math.radians(at.roll))
    return np.array([[c, -s, at.x - c * eyes[0] + s * eyes[1]], [s, c, at.y - s * eyes[0] - c * eyes[1]]])


def _over(image: Image, layer: Layer, matrix: NDArray[np.float64]) -> None:
    """Draws a layer onto the image, in place."""
    warp = cv2.warpAffine if matrix.shape == (2, 3) else cv2.warpPerspective
    warped = warp(layer, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    x, y, w, h = cv2.boundingRect(cv2.extractChannel(warped, 3))
    part, warped = image[y : y + h, x : x + w], warped[y : y + h, x : x + w]
    if part.size == 0:
        return
    rest = cv2.cvtColor(255 - cv2.extractChannel(warped, 3), cv2.COLOR_GRAY2BGR)
    part[:] = cv2.add(cv2.multiply(part, rest, scale=1 / 255), cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR))
