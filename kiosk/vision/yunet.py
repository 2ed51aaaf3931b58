"""YuNet from OpenCV Zoo. OpenCV decodes its twelve outputs.

Its file states one picture size. onnxruntime would accept only that size; OpenCV's own engine accepts any.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Image
from kiosk.vision import onnx_bytes
from kiosk.vision.manifest import DetectorEntry

ERRORS_ONLY = 2
"""OpenCV's log level. Otherwise its engine warns for each network that this processor is the only target."""


class YuNet:
    """Implements the port Finder with `cv2.FaceDetectorYN`. For one thread at a time."""

    def __init__(self, content: bytes, entry: DetectorEntry) -> None:
        """Raises ModelError when the file does not hold the whole network (OpenCV would read any other file that it
        names), or when OpenCV refuses it."""
        onnx_bytes.check(content, entry.name)
        before = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(ERRORS_ONLY)
        self._threshold = entry.score_threshold
        try:
            self._net = cv2.FaceDetectorYN.create(
                "onnx",
                np.frombuffer(content, np.uint8),
                np.empty(0, np.uint8),
                (320, 320),
                entry.score_threshold,
                entry.nms_iou,
            )
        except cv2.error as error:
            raise ModelError(f"{entry.name}: OpenCV cannot load the model: {error.err}") from error
        finally:
            cv2.utils.logging.setLogLevel(before)

    def rows(self, image: Image, least: float | None = None) -> NDArray[np.float32]:
        """See the port. N x 15 rows above the threshold, or above the score `least` if it is given, after non-maximum
        suppression. Raises ValueError when they are not finite."""
        height, width = image.shape[:2]
        self._net.setInputSize((width, height))
        self._net.setScoreThreshold(self._threshold if least is None else least)
        _, found = self._net.detect(image)
        if found is None:
            return np.empty((0, 15), np.float32)
        rows = np.asarray(found, np.float32)
        if not np.isfinite(rows).all():
            raise ValueError("the detector's output is not finite")
        return rows
