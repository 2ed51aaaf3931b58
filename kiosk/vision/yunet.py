"""YuNet as OpenCV Zoo publishes it: OpenCV decodes its twelve outputs.

Its file states one size of picture, which onnxruntime would hold it to; OpenCV's own network engine does not.
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
"""OpenCV's log level: its engine warns of each network that it has no other target than this processor."""


class YuNet:
    """The port Finder over `cv2.FaceDetectorYN`. Not for two threads at once."""

    def __init__(self, content: bytes, entry: DetectorEntry) -> None:
        """Raises ModelError when the file is not all of the network (OpenCV would read any other file that it names),
        or OpenCV refuses it."""
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
        """N x 15 rows above the threshold, or the `least` score that is asked for, after non-maximum suppression.
        Raises ValueError when they are not finite."""
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
