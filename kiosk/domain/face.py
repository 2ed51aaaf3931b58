"""A camera's frame and the faces in it: frame, box, face, and quality.

numpy is used only in annotations, never at run time. All times named `*_at` without `wall` are seconds of
CLOCK_BOOTTIME (`kiosk.system.clock.boottime()`). This clock is the same for all processes of a machine, nobody can set
it, and it counts while the machine is suspended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    """H x W x 3, BGR, 0..255."""
    Vector = NDArray[np.float32]
    """A feature vector from the embedder, not necessarily of unit length."""
else:
    Image = Vector = object


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a camera. `captured_at` is the time of the exposure, not the time when the picture was read."""

    image: Image
    number: int
    captured_at: float
    wall_at: datetime


@dataclass(frozen=True, slots=True)
class Box:
    """Upright rectangle in pixels of the frame; it may reach outside the frame."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        w = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        h = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if w <= 0 or h <= 0:
            return 0.0
        overlap = w * h
        return overlap / (self.width * self.height + other.width * other.height - overlap)


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face. `landmarks`, (x, y) in pixels, with left and right as seen in the picture: left eye, right eye,
    nose tip, left corner of the mouth, right corner."""

    box: Box
    landmarks: tuple[tuple[float, float], ...]
    score: float

    @property
    def eye_distance(self) -> float:
        """Distance of the eyes in pixels."""
        (ax, ay), (bx, by) = self.landmarks[0], self.landmarks[1]
        return float(((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5)


class Flaw(StrEnum):
    """Why a sample is no evidence. TOO_NEAR: the picture shows too little around the face for PAD. UNNATURAL: the
    embedder's vector is not that of a natural face (for example a negative, few grey levels, half a face)."""

    TOO_SMALL = "too_small"
    OUTSIDE_GUIDE = "outside_guide"
    TOO_NEAR = "too_near"
    CLIPPED = "clipped"
    TURNED_OVER = "turned_over"
    TURNED = "turned"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    UNNATURAL = "unnatural"


class Hint(StrEnum):
    """What hides part of a face, or lights it badly: three of the components of ISO/IEC 29794-5 (mouth occlusion, eyes
    visible, illumination uniformity). The most harmful to a comparison comes first.

    At the door a hint is guidance only: no decision depends on it. At enrolment a picture with a hint is refused.
    """

    MOUTH_COVERED = "mouth_covered"
    EYES_HIDDEN = "eyes_hidden"
    UNEVEN_LIGHT = "uneven_light"


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a sample: `score` 0 (useless) to 1 (good). `flaw`: the first flaw found, or None if the sample may be
    compared. `light`: mean luminance of the aligned face, 0..255; None where it was not measured."""

    score: float
    flaw: Flaw | None = None
    light: float | None = field(default=None, compare=False)
