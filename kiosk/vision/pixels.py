"""Where OpenCV's types meet ours."""

from __future__ import annotations

import cv2.typing
import numpy as np

from kiosk.domain.types import Image


def picture(mat: cv2.typing.MatLike) -> Image:
    """What an OpenCV function gave for a uint8 picture, as the same memory: its stubs promise any number type."""
    return np.asarray(mat, np.uint8)
