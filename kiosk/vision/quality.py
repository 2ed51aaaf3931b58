"""The quality gate: decides whether a sample may be compared. Each bound is about something that makes comparisons
fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from kiosk.domain.face import Face, Flaw, Image, Quality
from kiosk.vision.alignment import align
from kiosk.vision.pixels import picture

ROOM = 1.35
"""At the door the picture must be at least this many times as large as the face's box: PAD uses the surroundings, and a
print that fills the picture shows none. The closest face in nine clips of real people has 1.37."""
FLAT_ACROSS = 128
"""Number of pixels across a face that are compared with their neighbours."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of the gate.

    `min_face`: width of the box in px. `guide`: share of the frame in which the face's centre must lie. `room`: how
    many times as large as the face's box the picture must be, in width and in height. `turn`: 0 (frontal) to 1
    (profile). `roll`: radians. Sharpness: variance of the Laplacian of the aligned face. Luminance: 0..255. `flat`:
    share of the face's pixels that are equal to their neighbours. It is high in pictures with few grey levels, coarse
    pixels or heavy compression, in which all faces look alike (measured: at most 0.25 on CelebA and nine clips of real
    people). `broad`: share of the face's contrast that remains at 8 x 9 pixels. It is lower for drawn or embossed edges
    (measured: 0.69 to 0.94).
    """

    min_face: float = 64.0
    guide: float = 0.8
    room: float = 0.0
    max_turn: float = 0.5
    max_roll: float = 0.45
    min_sharpness: float = 15.0
    darkest: float = 35.0
    brightest: float = 225.0
    max_flat: float = 0.3
    min_broad: float = 0.66


class Gate:
    """Implements the port QualityGate."""

    def __init__(self, bounds: Bounds, upright: Callable[[Image, Face], bool], every: bool = True) -> None:
        """`upright`: whether a face is upright in the picture (FaceDetector.upright). `every`: whether `assess` calls
        it for every face; if not, the caller must call it for the faces that count."""
        self._bounds = bounds
        self.upright = upright
        self._every = every

    def assess(self, image: Image, face: Face) -> Quality:
        """The first flaw, in the order in which a visitor can correct them. The score is the smallest margin."""
        b = self._bounds
        turn, roll = turned(face)
        flaw = self._place(image, face, turn, roll)
        if flaw is not None:
            return Quality(0.0, flaw)
        grey = centre(image, face)
        sharp = sharpness(grey)
        flaw = self._look(grey, sharp)
        if flaw is not None:
            return Quality(0.0, flaw)
        if _flat(image, face) > b.max_flat or _broad(grey) < b.min_broad:
            return Quality(0.0, Flaw.UNNATURAL)
        if self._every and not self.upright(image, face):
            return Quality(0.0, Flaw.TURNED_OVER)
        margins = (
            face.box.width / b.min_face / 2,
            1 - 0.5 * turn / b.max_turn,
            0.5 + sharp / (8 * b.min_sharpness) if b.min_sharpness else 1.0,
        )
        return Quality(round(float(np.clip(min(margins), 0, 1)), 4), light=round(float(grey.mean()), 1))

    def _place(self, image: Image, face: Face, turn: float, roll: float) -> Flaw | None:
        """A flaw of the face's position or of the head's pose."""
        b = self._bounds
        if face.box.width < b.min_face:
            return Flaw.TOO_SMALL
        if not _in_guide(image, face, b.guide):
            return Flaw.OUTSIDE_GUIDE
        if not _room_around(image, face, b.room):
            return Flaw.TOO_NEAR
        if not _landmarks_inside(image, face):
            return Flaw.CLIPPED
        if turn > b.max_turn or abs(roll) > b.max_roll:
            return Flaw.TURNED
        return None

    def _look(self, grey: Image, sharp: float) -> Flaw | None:
        """A flaw in the centre of the aligned face: brightness, sharpness, contrast."""
        b = self._bounds
        light = float(grey.mean())
        if light < b.darkest:
            return Flaw.TOO_DARK
        if light > b.brightest:
            return Flaw.TOO_BRIGHT
        if sharp < b.min_sharpness:
            return Flaw.BLURRED
        return None


def centre(image: Image, face: Face) -> Image:
    """The middle of the aligned face in grey: 72 x 64, 0..255."""
    return picture(cv2.cvtColor(align(image, face), cv2.COLOR_BGR2GRAY))[32:104, 24:88]


def sharpness(grey: Image) -> float:
    """The variance of the Laplacian of a face's `centre`."""
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def turned(face: Face) -> tuple[float, float]:
    """(turn, roll). `turn`: distance of the nose from the middle between the eyes, divided by half the distance of the
    eyes. `roll`: slope of the line between the eyes, in radians."""
    p = np.array(face.landmarks, np.float64)
    across = p[1] - p[0]
    length = float(np.hypot(*across))
    if length < 1:
        return 1.0, 0.0
    roll = float(np.arctan2(across[1], across[0]))
    middle = (p[0] + p[1] + p[3] + p[4]) / 4
    offset = float(np.dot(p[2] - middle, across)) / length
    return min(1.0, abs(offset) / (length / 2)), roll


def _flat(image: Image, face: Face) -> float:
    """The share of the face's pixels that are equal to their right and lower neighbours. In a large face only every
    n-th pixel is used, because its direct neighbours are similar anyway."""
    box, (height, width) = face.box, image.shape[:2]
    step = max(1, int(box.width) // FLAT_ACROSS)
    left, right = (int(np.clip(x, 0, width)) for x in (box.x, box.x + box.width))
    top, bottom = (int(np.clip(y, 0, height)) for y in (box.y, box.y + box.height))
    seen = image[top:bottom:step, left:right:step]
    if min(seen.shape[:2]) < 2:
        return 1.0
    alike = (seen[:-1, :-1] == seen[:-1, 1:]) & (seen[:-1, :-1] == seen[1:, :-1])
    return float(alike.all(axis=2).mean())


def _broad(grey: Image) -> float:
    """The share of the aligned face's contrast (standard deviation) that remains at 8 x 9 pixels."""
    few = cv2.resize(grey, (8, 9), interpolation=cv2.INTER_AREA)
    return float(few.std()) / max(float(grey.std()), 1e-6)


def _in_guide(image: Image, face: Face, share: float) -> bool:
    height, width = image.shape[:2]
    x, y = face.box.centre
    return bool(abs(x - width / 2) <= share * width / 2 and abs(y - height / 2) <= share * height / 2)


def _room_around(image: Image, face: Face, room: float) -> bool:
    height, width = image.shape[:2]
    return bool(face.box.width * room <= width and face.box.height * room <= height)


def _landmarks_inside(image: Image, face: Face) -> bool:
    height, width = image.shape[:2]
    return all(0 <= x < width and 0 <= y < height for x, y in face.landmarks)
