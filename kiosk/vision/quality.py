"""The quality gate: is this sample worth comparing? Each bound is about what makes comparisons fail."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kiosk.domain.types import Face, Flaw, Image, Quality
from kiosk.vision.alignment import align


@dataclass(frozen=True, slots=True)
class Bounds:
    """`min_face` px of the box's width; `guide` share of the frame in which the face's centre must lie; `turn` 0
    (frontal) to 1 (profile); `sharpness` variance of the Laplacian of the aligned face; luminance 0..255."""

    min_face: float = 64.0
    guide: float = 0.8
    max_turn: float = 0.5
    max_roll: float = 0.6
    min_sharpness: float = 15.0
    darkest: float = 35.0
    brightest: float = 225.0


class Gate:
    """The port QualityGate."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    def assess(self, image: Image, face: Face) -> Quality:
        """The first flaw in the order in which a visitor can mend them. The score is the least of the margins."""
        b = self._bounds
        size = face.box.width / b.min_face
        if size < 1:
            return Quality(0.0, Flaw.TOO_SMALL)
        if not _in_guide(image, face, b.guide):
            return Quality(0.0, Flaw.OUTSIDE_GUIDE)
        if not _landmarks_inside(image, face):
            return Quality(0.0, Flaw.CLIPPED)
        turn, roll = turned(face)
        if turn > b.max_turn or abs(roll) > b.max_roll:
            return Quality(0.0, Flaw.TURNED)
        grey = cv2.cvtColor(align(image, face), cv2.COLOR_BGR2GRAY)
        middle = grey[32:104, 24:88]
        light = float(middle.mean())
        if light < b.darkest:
            return Quality(0.0, Flaw.TOO_DARK)
        if light > b.brightest:
            return Quality(0.0, Flaw.TOO_BRIGHT)
        sharp = float(cv2.Laplacian(middle, cv2.CV_32F).var())
        if sharp < b.min_sharpness:
            return Quality(0.0, Flaw.BLURRED)
        margins = (
            size / 2,
            1 - 0.5 * turn / b.max_turn,
            0.5 + sharp / (8 * b.min_sharpness) if b.min_sharpness else 1.0,
        )
        return Quality(round(float(np.clip(min(margins), 0, 1)), 4))


def turned(face: Face) -> tuple[float, float]:
    """(turn, roll): how far the nose lies from the middle between the eyes, over half the eyes' distance; the slope of
    the eyes' line in radians."""
    p = np.array(face.landmarks, np.float64)
    across = p[1] - p[0]
    length = float(np.hypot(*across))
    if length < 1:
        return 1.0, 0.0
    roll = float(np.arctan2(across[1], across[0]))
    middle = (p[0] + p[1] + p[3] + p[4]) / 4
    offset = float(np.dot(p[2] - middle, across)) / length
    return min(1.0, abs(offset) / (length / 2)), roll


def _in_guide(image: Image, face: Face, share: float) -> bool:
    height, width = image.shape[:2]
    x, y = face.box.centre
    return bool(abs(x - width / 2) <= share * width / 2 and abs(y - height / 2) <= share * height / 2)


def _landmarks_inside(image: Image, face: Face) -> bool:
    height, width = image.shape[:2]
    return all(0 <= x < width and 0 <= y < height for x, y in face.landmarks)
