"""The parts of a scene, each drawn once: visitors, the room, prints and camera noise."""

from __future__ import annotations

from importlib import resources

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiosk.demonstration.story import Visitor
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Image

WIDTH, HEIGHT = 640, 480
CANVAS = 512
"""Width and height of a visitor's picture."""
EYES = (256.0, 172.0)
"""Position of the point between the eyes in a visitor's picture. The eyes are 64 px apart."""

BODY_BELOW = 96
"""Number of rows by which a body continues below its picture."""

Layer = NDArray[np.uint8]
"""H x W x 4: BGR multiplied by alpha, and alpha."""
Plane = NDArray[np.float32]


def _float(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _bytes(values: ArrayLike) -> NDArray[np.uint8]:
    return np.clip(values, 0, 255).astype(np.uint8)


def premultiplied(picture: NDArray[np.float32], alpha: Plane) -> Layer:
    """`picture` H x W x 3 in 0..255, `alpha` H x W in 0..1."""
    return _bytes(np.dstack([picture * alpha[..., None], alpha * 255]))


def visitor_picture(visitor: Visitor) -> tuple[NDArray[np.float32], Plane]:
    """(picture 512 x 512 x 3 in 0..255, matte in 0..1). Raises CameraError when the file is missing or damaged."""
    file = resources.files("kiosk.demonstration") / "visitors" / f"{visitor.key}.webp"
    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise CameraError(f"the demonstration's visitor {visitor.key} is missing: install the kiosk anew") from error
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None or image.shape != (CANVAS, CANVAS, 4):
        raise CameraError(f"the demonstration's visitor {visitor.key} is damaged: install the kiosk anew")
    return image[:, :, :3].astype(np.float32), image[:, :, 3].astype(np.float32) / np.float32(255)


def visitor_layer(visitor: Visitor) -> Layer:
    """The visitor in the room's light. The body continues below the picture. Raises CameraError as above."""
    picture, matte = visitor_picture(visitor)
    side = 1.10 - 0.16 * np.linspace(0, 1, CANVAS)  # the window is on the left
    lit = picture * side[None, :, None] * np.array([1.0, 0.985, 0.96])
    layer = premultiplied(_float(lit), matte)
    return np.asarray(cv2.copyMakeBorder(layer, 0, BODY_BELOW, 0, 0, cv2.BORDER_REPLICATE), np.uint8)


def head_depth() -> tuple[Plane, Plane, Plane]:
    """(depth, x, y) for each pixel of a visitor's layer. `depth` (0..1.35): how far the point moves when the head
    turns. `x` and `y`: the pixel's coordinates."""
    y, x = np.mgrid[: CANVAS + BODY_BELOW, :CANVAS].astype(np.float32)
    u, v = (x - EYES[0]) / 95, (y - EYES[1] - 25) / 135
    depth = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    nose = 0.35 * np.exp(-(((x - EYES[0]) / 22) ** 2) - ((y - EYES[1] - 42) / 30) ** 2)
    return _float(cv2.GaussianBlur(depth + nose, (0, 0), 6)), x, y


def turned(layer: Layer, depth: tuple[Plane, Plane, Plane], yaw: float) -> Layer:
    """The visitor with the head turned by about `yaw` degrees. Near parts of the head move further than far parts."""
    shift, x, y = depth
    moved = x - shift * np.float32(95 * np.sin(np.radians(yaw)))
    return np.asarray(cv2.remap(layer, moved, y, cv2.INTER_LINEAR), np.uint8)


def noise(rng: np.random.Generator, height: int, width: int, sigma: float) -> Plane:
    """Noise of unit deviation with features of about `sigma` pixels."""
    plane = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), sigma)
    return np.asarray(plane / plane.std(), np.float32)


def room(rng: np.random.Generator) -> Image:
    """A lobby, out of focus: wall, window, a door, a ceiling lamp, a plant, the floor."""
    h, w = HEIGHT, WIDTH
    y, x = np.mgrid[:h, :w].astype(np.float32)
    wall = np.array([154, 170, 180], np.float32)
    picture = wall * (1.05 - 0.30 * (x / w)[..., None] - 0.16 * ((y / h)[..., None]) ** 2)

    def fill(points: list[tuple[int, int]], colour: tuple[int, int, int]) -> None:
        cv2.fillPoly(picture, [np.array(points, np.int32)], colour)

    fill([(0, 0), (w, 0), (w, 34), (430, 66), (0, 40)], (196, 202, 204))  # ceiling
    fill([(300, 16), (420, 20), (400, 40), (310, 38)], (250, 252, 252))  # lamp
    fill([(18, 92), (140, 104), (140, 330), (18, 356)], (236, 226, 208))  # window
    fill([(74, 90), (82, 90), (82, 350), (74, 350)], (120, 126, 130))
    fill([(18, 208), (140, 210), (140, 218), (18, 218)], (120, 126, 130))
    fill([(466, 96), (576, 80), (576, 480), (466, 452)], (78, 104, 132))  # door
    fill([(480, 120), (562, 108), (562, 260), (480, 262)], (104, 132, 160))
    fill([(0, 430), (440, 446), (w, 470), (w, h), (0, h)], (86, 98, 108))  # floor
    for _ in range(40):  # plant
        px, py = int(rng.normal(196, 22)), int(rng.normal(352, 40))
        tone = float(rng.uniform(0.5, 1.2))
        cv2.ellipse(picture, (px, py), (int(rng.integers(6, 20)), 7), float(rng.uniform(0, 180)), 0, 360,
                    (48 * tone, 92 * tone, 66 * tone), -1)  # fmt: skip
    picture = cv2.GaussianBlur(picture, (0, 0), 7)
    picture = 0.76 * picture + 2.0 * noise(rng, h, w, 30)[..., None]
    return _bytes(picture)


def photo(visitor: Visitor) -> Image:
    """A clean photo of the visitor before a plain wall, 512 x 512: for the gallery, and for a print."""
    picture, matte = visitor_picture(visitor)
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    glow = 1.05 - 0.25 * np.hypot((x - 200) / CANVAS, (y - 180) / CANVAS)
    wall = np.array([206, 208, 206], np.float32) * glow[..., None]
    shown = picture * matte[..., None] + wall * (1 - matte[..., None])
    return _bytes(shown)


def _fingers(canvas: NDArray[np.float32], alpha: Plane, edge: int, row: int, side: int) -> None:
    """Draws four fingers that reach around the sheet's edge from behind. The lowest is the little finger."""
    skin = np.array([112, 136, 180])
    for k, (reach, thick) in enumerate(((25, 17), (31, 18), (28, 17), (19, 14))):
        y = row + 18 * k
        shape = np.zeros(alpha.shape, np.uint8)
        cv2.line(shape, (edge + side * 13, y + 2), (edge - side * reach, y - 2 + k), 255, thick)
        soft = cv2.GaussianBlur(shape, (0, 0), 0.9).astype(np.float32) / 255
        depth = cv2.GaussianBlur(cv2.distanceTransform(shape, cv2.DIST_L2, 5), (0, 0), 1.5)
        light = 0.50 + 0.52 * np.sqrt(np.clip(depth / thick * 2, 0, 1)) - 0.12 * np.roll(1 - soft, 4, 0)
        shadow = cv2.GaussianBlur(np.roll(soft, 5, 0), (0, 0), 4)
        canvas *= (1 - 0.4 * shadow * (1 - soft))[..., None]
        nail = np.zeros_like(soft)
        cv2.ellipse(nail, (edge - side * (reach - 1), y - 3 + k), (6, 4), 0, 0, 360, 1.0, -1)
        tone = light[..., None] * (skin + cv2.GaussianBlur(nail, (0, 0), 1.2)[..., None] * np.array([34, 28, 18]))
        canvas[:] = canvas * (1 - soft[..., None]) + tone * soft[..., None]
        np.maximum(alpha, soft, out=alpha)


PAPER = (300, 380)
"""Width and height of a print in a scene, before it is tilted."""
PAPER_EYES = (150.0, 150.0)
PAPER_MARGIN = 40
"""Room around the sheet for the fingers that hold it."""


def print_of(visitor: Visitor, rng: np.random.Generator) -> Layer:
    """A sheet with the visitor's photo and the fingers that hold it: few tones, dots, a white border, a shine."""
    width, height = PAPER
    pad = PAPER_MARGIN
    border = 16
    place = np.array([[1.0, 0, PAPER_EYES[0] - EYES[0]], [0, 1.0, PAPER_EYES[1] - EYES[1]]])
    ink = cv2.warpAffine(photo(visitor), place, PAPER, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    grey = ink.mean(-1, keepdims=True)
    ink = (62 + (grey + 0.62 * (ink - grey)) * 0.58).astype(np.float32)  # few tones, pale colours
    ink *= np.array([1.04, 0.99, 0.97], np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    dots = np.sin((x + y) * 1.55) * np.sin((x - y) * 1.55)
    ink += (7.0 * dots + 3.0 * noise(rng, height, width, 0.7))[..., None]
    sheet = np.full((height, width, 3), (222, 224, 222), np.float32)
    sheet[border:-border, border:-border] = ink[border:-border, border:-border]
    bend = 1.0 - 0.16 * ((x - width / 2) / (width / 2)) ** 2
    shine = 46 * np.exp(-(((x * 0.8 + y * 0.6 - 250) / 70) ** 2))
    sheet = sheet * bend[..., None] + shine[..., None]
    canvas = np.zeros((height + 2 * pad, width + 2 * pad, 3), np.float32)
    alpha = np.zeros(canvas.shape[:2], np.float32)
    canvas[pad:-pad, pad:-pad] = sheet
    alpha[pad:-pad, pad:-pad] = 1
    for side in (-1, 1):
        _fingers(canvas, alpha, pad if side < 0 else pad + width, pad + height - 120 + 14 * side, side)
    return premultiplied(_float(cv2.GaussianBlur(canvas, (0, 0), 0.8)), _float(cv2.GaussianBlur(alpha, (0, 0), 0.8)))
