"""Finds faces: small first, then each face closer and in the mirror: precise landmarks, and the search is cheap."""

from __future__ import annotations

from dataclasses import replace
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
SAME_FACE = 0.4
"""Overlap (IoU) of the two findings of one face, at least."""
REFINED = 2
"""Faces that are refined: the one at the door, and the one that may disturb it."""


Landmarks = tuple[tuple[float, float], ...]


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
        """The same face found again in a crop of its own; the first finding where the second look sees none.

        A third look, at the crop's mirror image, errs in other ways: the landmarks are the mean of both.
        """
        side = REFINE_CONTEXT * max(face.box.width, face.box.height)
        zoom = REFINE_SIDE / side
        left, top = (c - side / 2 for c in face.box.centre)
        crop = warped(image, np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]]), REFINE_SIDE)
        wanted = _scaled(face, zoom, -zoom * left, -zoom * top)
        found = self._again(crop, wanted)
        if found is None:
            return face
        mirrored = self._again(picture(cv2.flip(crop, 1)), _mirrored(found))
        if mirrored is not None:
            found = replace(found, landmarks=_mean(found.landmarks, _mirrored(mirrored).landmarks))
        return _scaled(found, 1 / zoom, left, top)

    def _again(self, crop: Image, wanted: Face) -> Face | None:
        """The face of the crop that is most likely the one that is wanted."""
        found = max(map(_face, self._finder.rows(crop)), key=lambda f: f.box.iou(wanted.box), default=None)
        return found if found is not None and found.box.iou(wanted.box) > SAME_FACE else None


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


def _scaled(face: Face, by: float, right: float, down: float) -> Face:
    """The face where it is after p -> by p + (right, down)."""
    box = face.box
    return Face(
        Box(by * box.x + right, by * box.y + down, by * box.width, by * box.height),
        tuple((by * x + right, by * y + down) for x, y in face.landmarks),
        face.score,
    )


def _mirrored(face: Face) -> Face:
    """The face of a refining crop in the crop's mirror image: the person's right eye is the left one there."""
    last = REFINE_SIDE - 1
    box = face.box
    flipped = tuple((last - face.landmarks[k][0], face.landmarks[k][1]) for k in (1, 0, 2, 4, 3))
    return Face(Box(last - box.x - box.width, box.y, box.width, box.height), flipped, face.score)


def _mean(a: Landmarks, b: Landmarks) -> Landmarks:
    """The middle of each two of the same landmarks."""
    return tuple(((ax + bx) / 2, (ay + by) / 2) for (ax, ay), (bx, by) in zip(a, b, strict=True))
