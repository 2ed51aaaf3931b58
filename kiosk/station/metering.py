"""Brightens a face that stands against the light. A camera measures the whole picture, and a bright door behind
somebody leaves the face dark: too dark for PAD and for a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2

from kiosk.domain.face import Box, Frame, Image
from kiosk.domain.ports.camera import Brightening, Camera
from kiosk.domain.updates import Finding, Observed, Waiting

DARK, BRIGHT = 70.0, 150.0
"""Mean luminance of a face, 0..255, below which it is brightened, and above which that is taken back. The gate refuses
below 35 and above 225. They are further apart than a step can bring a face, so that it does not go to and fro."""
BEHIND = 1.3
"""The whole picture must be so many times brighter than the face: in a dark room a camera does all it can already."""
STEP, MOST = 0.5, 2.0
"""Stops: at once, and at most. Two are four times the light."""
PAUSE = 0.5
"""Seconds between two steps: a camera needs some frames until a change is seen."""
GONE = 2.0
"""Seconds after which nobody's face is remembered."""
_FEWER = 4
"""Every fourth pixel of a face, and every eighth of a picture, is enough for a mean."""


class Metering:
    """How many stops more than the camera would by itself. Times are those of the frames."""

    def __init__(self) -> None:
        self.stops = 0.0
        self._changed_at = self._face_at = -math.inf

    def see(self, face: float | None, picture: float, at: float) -> bool:
        """Takes the mean luminance of the nearest face (None: there is none) and of the whole picture. Whether `stops`
        has changed."""
        before = self.stops
        if face is None:
            if at - self._face_at >= GONE:
                self.stops = 0.0
        else:
            self._face_at = at
            if at - self._changed_at >= PAUSE:
                if face < DARK and picture > BEHIND * face:
                    self.stops = min(before + STEP, MOST)
                elif face > BRIGHT:
                    self.stops = max(before - STEP, 0.0)
        if self.stops == before:
            return False
        self._changed_at = at
        return True


class Meter:
    """Looks at the pipeline's findings, and tells the camera, if it can be told."""

    def __init__(self, camera: Camera) -> None:
        self._brighten: Callable[[float], None] | None = camera.brighten if isinstance(camera, Brightening) else None
        self._metering = Metering()

    def see(self, frame: Frame, findings: Sequence[Finding]) -> None:
        """Takes a frame and what was found in it."""
        if self._brighten is None:
            return
        faces = [face for found in findings if isinstance(found, Observed) for face in found.faces]
        if not faces and not all(isinstance(found, Waiting) for found in findings):
            return  # a decision, say: it tells nothing of the light
        face = luminance(frame.image, faces[0].box) if faces else None
        picture = 0.0 if face is None else float(_grey(frame.image, 2 * _FEWER))
        if self._metering.see(face, picture, frame.captured_at):
            self._brighten(self._metering.stops)


def luminance(image: Image, box: Box) -> float | None:
    """The mean luminance, 0..255, of what a box holds of the picture; None if it lies outside, or nowhere."""
    if not all(map(math.isfinite, (box.x, box.y, box.width, box.height))):
        return None
    left, top = max(0, round(box.x)), max(0, round(box.y))
    part = image[top : max(0, round(box.y + box.height)), left : max(0, round(box.x + box.width))]
    return _grey(part, _FEWER) if part.size else None


def _grey(image: Image, every: int) -> float:
    return float(cv2.cvtColor(image[::every, ::every].copy(), cv2.COLOR_BGR2GRAY).mean())
