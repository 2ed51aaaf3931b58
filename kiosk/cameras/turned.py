"""A camera that is mounted turned: its pictures are rotated upright directly after reading."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from kiosk.domain.face import Frame, Image
from kiosk.domain.ports.camera import Brightening, Camera

CLOCKWISE = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turned(image: Image, degrees: int) -> Image:
    """The picture rotated clockwise by 0, 90, 180 or 270 degrees."""
    return np.asarray(cv2.rotate(image, CLOCKWISE[degrees]), np.uint8) if degrees else image


class TurnedCamera:
    """Implements the port Camera with another camera of any kind, and rotates its pictures."""

    def __init__(self, camera: Camera, degrees: int) -> None:
        """`degrees` clockwise: 90, 180 or 270."""
        self._camera = camera
        self._degrees = degrees
        self.live = camera.live

    def open(self) -> None:
        """Opens the wrapped camera."""
        self._camera.open()

    def read(self, timeout: float) -> Frame:
        """Reads a frame of the wrapped camera and rotates it upright."""
        frame = self._camera.read(timeout)
        return replace(frame, image=turned(frame.image, self._degrees))

    def brighten(self, stops: float) -> None:
        """Brightens the wrapped camera, if it can."""
        if isinstance(self._camera, Brightening):
            self._camera.brighten(stops)

    def close(self) -> None:
        """Never raises."""
        self._camera.close()
