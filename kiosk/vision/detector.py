"""Finds faces: small first, then again around each face, so that landmarks are precise and the search is cheap."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.types import Box, Face, Image
from kiosk.vision.manifest import DetectorEntry, Manifest
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture, warped
from kiosk.vision.yunet import YuNet

SEARCH_SIDE = 320
"""Longest side in pixels of the picture that is searched: a face of 40 px in 640 x 480 is 20 px there."""
REFINE_SIDE = 192
REFINE_CONTEXT = 2.0
"""The refining crop is this many times the longer side of the face's box."""
REFINED = 2
"""Faces that are refined: the one at the door, and the one that may disturb it."""


class Finder(Protocol):
    """A network that finds faces in one look."""

    def rows(self, image: Image) -> NDArray[np.float32]:
        """N x 15, each row x, y, width, height, five landmarks (x, y), score: those above the network's threshold,
        after non-maximum suppression. Raises ValueError when they are not finite."""


class FaceDetector:
    """The port Detector over one network."""

    def __init__(self, finder: Finder, search_side: int = SEARCH_SIDE) -> None:
        self._finder = finder
        self._search_side = search_side

    @classmethod
    def load(cls, manifest: Manifest, entry: DetectorEntry, threads: int) -> FaceDetector:
        """Raises ModelError when the file is missing, altered or cannot be loaded."""
        if entry.decoder == "yunet":
            return cls(YuNet(manifest.bytes_of(entry), entry))
        return cls(DecodedGraph(Network.load(manifest, entry, threads), entry))

    def detect(self, image: Image) -> list[Face]:
        """All faces, the largest first; the two largest with refined landmarks."""
        scale = min(1.0, self._search_side / max(image.shape[:2]))
        rows = self._finder.rows(_resized(image, scale))
        rows[:, :14] /= scale
        faces = sorted(map(_face, rows), key=lambda f: -f.box.width * f.box.height)
        return [self._refined(image, f) if i < REFINED else f for i, f in enumerate(faces)]

    def _refined(self, image: Image, face: Face) -> Face:
        """The same face found again in a crop of its own; the first finding where the second look sees none."""
        side = REFINE_CONTEXT * max(face.box.width, face.box.height)
        cx, cy = face.box.centre
        zoom = REFINE_SIDE / side
        to_crop = np.array([[zoom, 0, REFINE_SIDE / 2 - zoom * cx], [0, zoom, REFINE_SIDE / 2 - zoom * cy]])
        rows = self._finder.rows(warped(image, to_crop, REFINE_SIDE))
        if not len(rows):
            return face
        rows[:, :14] /= zoom
        rows[:, 0:14:2] += cx - side / 2
        rows[:, 1:14:2] += cy - side / 2
        # Column 2 and 3 are a size, not a point: the offsets above do not apply to them.
        rows[:, 2] -= cx - side / 2
        rows[:, 3] -= cy - side / 2
        found = max(map(_face, rows), key=lambda f: f.box.iou(face.box))
        return found if found.box.iou(face.box) > 0.4 else face


class DecodedGraph:
    """The port Finder over a network whose graph gives the rows."""

    def __init__(self, network: Network, entry: DetectorEntry) -> None:
        self._network = network
        self._entry = entry

    def rows(self, image: Image) -> NDArray[np.float32]:
        """As the port says. Zeros to the right and below fill up what is no multiple of the network's step."""
        height, width = image.shape[:2]
        step = self._entry.input.multiple_of
        padded = cv2.copyMakeBorder(image, 0, -height % step, 0, -width % step, cv2.BORDER_CONSTANT)
        rows = self._network.run(picture(padded))[0]
        if rows.ndim != 2 or rows.shape[1] != 15:
            raise ValueError(f"the detector gave {rows.shape}, not rows of 15 numbers")
        if not np.isfinite(rows).all():
            raise ValueError("the detector's output is not finite")
        rows = rows[rows[:, 14] >= self._entry.score_threshold]
        kept = cv2.dnn.NMSBoxes(
            rows[:, :4].tolist(), rows[:, 14].tolist(), self._entry.score_threshold, self._entry.nms_iou
        )
        best: NDArray[np.float32] = rows[np.array(kept, int).reshape(-1)]
        return best


def _resized(image: Image, scale: float) -> Image:
    if scale == 1.0:
        return image
    return picture(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _face(row: NDArray[np.float32]) -> Face:
    x, y, w, h, *points, score = (float(v) for v in row)
    return Face(Box(x, y, w, h), tuple(zip(points[0::2], points[1::2], strict=True)), score)
