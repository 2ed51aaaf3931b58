"""Finds faces: first in a small picture, which is cheap, then in a closer crop of each face, upright and mirrored,
which gives precise landmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Box, Face, Image
from kiosk.sections import Provider
from kiosk.vision.alignment import similarity
from kiosk.vision.manifest import DetectorEntry, Manifest
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture, warped
from kiosk.vision.yunet import YuNet

SEARCH_SIDE = 320
"""Longest side in pixels of the searched picture. A face of 40 px in 640 x 480 has 20 px there."""
REFINE_SIDE = 192
REFINE_CONTEXT = 2.0
"""Side of the refining crop as a multiple of the longer side of the face's box."""
UPRIGHT = 2.0
"""Scale of the upright crop relative to the alignment template. The face fills the crop."""
CENTRE = np.array([56.0, 64.0])
"""Centre of the upright crop in the template: between brows and chin."""
SAME_FACE = 0.4
"""Smallest overlap (IoU) of two detections of the same face."""
SAME_LANDMARKS = 0.25
"""Largest mean distance between the landmarks of two upright detections of the same face, as a share of the distance of
the eyes."""
TURNS = (0, 45, 90, 180, 270, 315)
"""Angles in degrees by which `upright` rotates a face."""
TURN_SIDE = 80
"""Width and height in pixels of each rotated picture."""
TURN_CONTEXT = 1.25
TURN_SCORE = 0.2
"""Lowest score of a face in `upright`. It is low because half of a masked face still looks like a face, more so when it
is upright."""
REFINED = 2
"""Number of faces that are refined: the one at the door, and a second one that may disturb it."""


Points = NDArray[np.float64]
"""5 x 2 landmarks, in pixels."""


class Finder(Protocol):
    """A network that finds faces in one pass."""

    def rows(self, image: Image, least: float | None = None) -> NDArray[np.float32]:
        """N x 15; each row: x, y, width, height, five landmarks (x, y), score. Rows above the network's threshold, or
        above the score `least` if it is given, after non-maximum suppression. Raises ValueError when they are not
        finite."""


class FaceDetector:
    """Implements the port Detector with one network."""

    def __init__(self, finder: Finder, search_side: int = SEARCH_SIDE) -> None:
        self._finder = finder
        self._search_side = search_side

    @classmethod
    def load(cls, manifest: Manifest, entry: DetectorEntry, threads: int, provider: Provider = "cpu") -> FaceDetector:
        """Loads the network. Raises ModelError when the file is missing, altered or cannot be loaded, and for a network
        that OpenCV runs, which is always the CPU, where another provider is asked for."""
        if entry.decoder == "yunet":
            if provider != "cpu":
                raise ModelError(f'{entry.name} runs in OpenCV, on the CPU alone: take another, or provider = "cpu"')
            return cls(YuNet(manifest.bytes_of(entry), entry))
        return cls(DecodedGraph(Network.load(manifest, entry, threads, provider), entry))

    def detect(self, image: Image) -> list[Face]:
        """All faces, the largest first. The two largest have refined landmarks."""
        scale = min(1.0, self._search_side / max(image.shape[:2]))
        if min(image.shape[:2]) * scale < 1:
            return []  # for example a strip of 2 x 2,000 pixels, which cannot show a face
        rows = self._finder.rows(_resized(image, scale))
        rows[:, :14] /= scale
        faces = sorted(map(_face, rows), key=lambda f: -f.box.width * f.box.height)
        return [self._refined(image, f) if i < REFINED else f for i, f in enumerate(faces)]

    def upright(self, image: Image, face: Face) -> bool:
        """Whether the face is upright in the picture.

        Landmarks do not show this: in an upside-down face the network still finds the eyes above the mouth. So six
        rotated pictures of the face are searched, side by side in one picture, and the unrotated one must have the
        highest score. Measured on LFW with 60 people: true for all 60 upright, for 58 rolled by 20 degrees, for 11 by
        30, for none from 40 on.
        """
        turns = [_turned(image, face.box, degrees) for degrees in TURNS]
        scores = np.zeros((2, 3))
        for row in self._finder.rows(picture(np.vstack([np.hstack(turns[:3]), np.hstack(turns[3:])])), TURN_SCORE):
            x, y = _face(row).box.centre
            at = int(y >= TURN_SIDE), int(np.clip(x // TURN_SIDE, 0, 2))
            scores[at] = max(scores[at], float(row[14]))
        return bool(scores[0, 0] > max(scores.flat[1:]))

    def _refined(self, image: Image, face: Face) -> Face:
        """Finds the same face again in a closer crop. Returns the first detection if the second pass finds none.

        Two further passes, on the face rotated upright and on its mirror image, have different errors. The landmarks
        are the mean of all passes.
        """
        found = self._closer(image, face)
        if found is None:
            return face
        upright = similarity(_points(found)) * UPRIGHT
        upright[:, 2] += REFINE_SIDE / 2 - UPRIGHT * CENTRE
        crop = warped(image, upright, REFINE_SIDE)
        expected = _moved(_points(found), upright)
        looks = [expected, self._landmarks(crop, expected)]
        mirrored = self._landmarks(picture(cv2.flip(crop, 1)), _mirrored(expected))
        looks.append(None if mirrored is None else _mirrored(mirrored))
        mean = np.mean([p for p in looks if p is not None], axis=0)
        back = _moved(mean, np.asarray(cv2.invertAffineTransform(upright), np.float64))
        return replace(found, landmarks=tuple((float(x), float(y)) for x, y in back))

    def _closer(self, image: Image, face: Face) -> Face | None:
        """The detection in a crop around the face that overlaps it most; None if the overlap is too small."""
        side = REFINE_CONTEXT * max(face.box.width, face.box.height)
        zoom = REFINE_SIDE / side
        left, top = (c - side / 2 for c in face.box.centre)
        crop = warped(image, np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]]), REFINE_SIDE)
        faces = [_scaled(_face(row), 1 / zoom, left, top) for row in self._finder.rows(crop)]
        found = max(faces, key=lambda f: f.box.iou(face.box), default=None)
        return found if found is not None and found.box.iou(face.box) > SAME_FACE else None

    def _landmarks(self, crop: Image, expected: Points) -> Points | None:
        """The landmarks in the crop that are nearest to the expected ones; None if all are too far away."""
        apart = SAME_LANDMARKS * float(np.linalg.norm(expected[0] - expected[1]))
        found = [row[4:14].reshape(5, 2).astype(np.float64) for row in self._finder.rows(crop)]
        nearest = min(found, key=lambda p: _distance(p, expected), default=None)
        return nearest if nearest is not None and _distance(nearest, expected) <= apart else None


class DecodedGraph:
    """Implements the port Finder with a network whose graph itself gives the rows."""

    def __init__(self, network: Network, entry: DetectorEntry) -> None:
        self._network = network
        self._entry = entry

    def rows(self, image: Image, least: float | None = None) -> NDArray[np.float32]:
        """See the port. Pads the picture with zeros at the right and below to a multiple of the network's step."""
        height, width = image.shape[:2]
        step = self._entry.input.multiple_of
        padded = cv2.copyMakeBorder(image, 0, -height % step, 0, -width % step, cv2.BORDER_CONSTANT)
        rows = self._network.run(picture(padded))[0]
        if rows.ndim != 2 or rows.shape[1] != 15:
            raise ValueError(f"the detector gave {rows.shape}, not rows of 15 numbers")
        if not np.isfinite(rows).all():
            raise ValueError("the detector's output is not finite")
        threshold = self._entry.score_threshold if least is None else least
        rows = rows[rows[:, 14] >= threshold]
        kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), threshold, self._entry.nms_iou)
        best: NDArray[np.float32] = rows[np.array(kept, int).reshape(-1)]
        return best


def _turned(image: Image, box: Box, degrees: float) -> Image:
    """The face of a box, rotated clockwise around its centre: TURN_SIDE x TURN_SIDE."""
    zoom = TURN_SIDE / (TURN_CONTEXT * max(box.width, box.height))
    cos, sin = zoom * np.cos(np.radians(degrees)), zoom * np.sin(np.radians(degrees))
    x, y = box.centre
    middle = TURN_SIDE / 2
    matrix = np.array([[cos, -sin, middle - cos * x + sin * y], [sin, cos, middle - sin * x - cos * y]])
    return warped(image, matrix, TURN_SIDE)


def _resized(image: Image, scale: float) -> Image:
    if scale == 1.0:
        return image
    return picture(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _face(row: NDArray[np.float32]) -> Face:
    x, y, w, h, *points, score = (float(v) for v in row)
    return Face(Box(x, y, w, h), tuple(zip(points[0::2], points[1::2], strict=True)), score)


def _scaled(face: Face, by: float, right: float, down: float) -> Face:
    """The face after moving each point p to by * p + (right, down)."""
    box = face.box
    return Face(
        Box(by * box.x + right, by * box.y + down, by * box.width, by * box.height),
        tuple((by * x + right, by * y + down) for x, y in face.landmarks),
        face.score,
    )


def _points(face: Face) -> Points:
    return np.array(face.landmarks, np.float64)


def _moved(points: Points, matrix: NDArray[np.float64]) -> Points:
    """5 x 2 points, transformed by a 2 x 3 matrix."""
    moved: Points = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _mirrored(points: Points) -> Points:
    """The landmarks of an upright crop in the crop's mirror image, where left and right are swapped."""
    flipped = points[[1, 0, 2, 4, 3]]
    flipped[:, 0] = REFINE_SIDE - 1 - flipped[:, 0]
    return flipped


def _distance(a: Points, b: Points) -> float:
    """The mean distance of two sets of landmarks, in pixels."""
    return float(np.linalg.norm(a - b, axis=1).mean())
