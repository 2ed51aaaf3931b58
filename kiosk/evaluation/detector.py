"""Measures a face detector on faces at known places: recall by size, error of the landmarks, false detections, time.

Another network can be measured beside it, on the same pictures, in the same process, at the same thresholds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Box, Face, Image
from kiosk.domain.ports.recognition import Detector
from kiosk.evaluation.detector_figures import COUNTED, Result, Seen
from kiosk.evaluation.truth import Pictures, TrueFace, TruePicture
from kiosk.sections import ModelsConfig
from kiosk.vision.detector import DecodedGraph, FaceDetector, Finder
from kiosk.vision.manifest import DetectorEntry, Input, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture
from kiosk.vision.yunet import YuNet

LARGEST = 640
"""Longest side of a picture, in pixels, as a kiosk's camera gives. Larger pictures are shrunk."""
BANDS = ((24.0, 40.0), (40.0, 64.0), (64.0, 100.0), (100.0, 160.0), (160.0, math.inf))
OVERLAP = 0.5
"""Smallest intersection over union at which a detection counts as the face."""
LOW = 0.1
"""Lowest score of detections that are kept for the curve."""
CROPS = 12
"""Number of tries to find face-free crops in each picture."""
CROP_SIDES = (64, 161)
CROP_SHOWN = 256
"""Side of a crop as the detectors get it, in pixels. This enlarges distant things as if they were near."""
NETWORK_SIDE = 640
"""The picture size that the file of YuNet 2023mar states."""
NETWORK_RUNS, WARM_UP = 40, 5


def load(config: ModelsConfig, reference: Path | None) -> tuple[DetectorEntry, dict[str, Finder], FaceDetector]:
    """The manifest's entry, the networks by name (the kiosk's own first), and the detector as used at the door. One
    thread each. Raises ModelError."""
    manifest = Manifest(config.folder or default_folder())
    entry = manifest.entry(config.detector, DetectorEntry)
    low = entry.model_copy(update={"score_threshold": LOW})
    own = _finder(manifest, low)
    finders = {entry.model_id: own}
    if reference:
        other = low.model_copy(update={"name": str(reference), "decoder": "yunet"})
        finders[reference.stem] = YuNet(_content(reference), other)
    return entry, finders, FaceDetector(_finder(manifest, entry))


def _finder(manifest: Manifest, entry: DetectorEntry) -> Finder:
    if entry.decoder == "yunet":
        return YuNet(manifest.bytes_of(entry), entry)
    return DecodedGraph(Network.load(manifest, entry, threads=1), entry)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


def run(
    pictures: Iterable[TruePicture], source: Pictures, finders: Mapping[str, Finder], door: Detector, door_name: str
) -> Result:
    """Runs every detector on every picture in turn, and the networks on its face-free crops. Raises SampleError for a
    missing picture, ModelError for a network that is no detector or gives values that are not finite."""
    seen = {name: Seen() for name in (*finders, door_name)}
    sizes: list[float] = []
    sources: list[str] = []
    places: list[int] = []
    for place, truth in enumerate(pictures):
        image, faces = shrunk(source.read(truth.name), truth.faces)
        wanted = [math.nan] if faces is None else [f.size for f in faces if not f.ignore]
        sizes += wanted
        sources += [truth.source] * len(wanted)
        places += [place] * len(wanted)
        try:
            for name in (*finders, door_name)[:: -1 if place % 2 else 1]:
                begin = time.thread_time()
                found = _faces(finders[name].rows(image)) if name in finders else door.detect(image)
                seen[name].seconds.append(time.thread_time() - begin)
                judge(found, faces, image, seen[name])
            for crop in [] if faces is None else face_free(image, faces, seed=place):
                for name, finder in finders.items():
                    scores = (f.score for f in _faces(finder.rows(crop)) if _size(f) >= COUNTED)
                    seen[name].crops.append(max(scores, default=0.0))
        except (ValueError, cv2.error) as error:
            raise ModelError(f"{name}: not a detector of faces, or a broken one: {error}") from error
    return Result(np.array(sizes), tuple(sources), np.array(places, np.int64), seen)


def shrunk(image: Image, faces: Sequence[TrueFace] | None) -> tuple[Image, Sequence[TrueFace] | None]:
    """The picture, shrunk to at most LARGEST pixels, and the faces in it."""
    by = min(1.0, LARGEST / max(image.shape[:2]))
    if by < 1:
        image = picture(cv2.resize(image, None, fx=by, fy=by, interpolation=cv2.INTER_AREA))
    return image, faces and [f.scaled(by) for f in faces]


def judge(found: Sequence[Face], faces: Sequence[TrueFace] | None, image: Image, seen: Seen) -> None:
    """Adds the results of one picture's detections. In the order of their scores, each detection takes the free face
    that it overlaps most. So detections below a threshold never change the results above it."""
    height, width = image.shape[:2]
    if faces is None:
        over = (f.score for f in found if _holds(f.box, width / 2, height / 2))
        seen.scores.append(max(over, default=0.0))
        seen.errors.append(math.nan)
        return
    boxes = [_inside(f.box, width, height) for f in faces]
    ignored = [b for f, b in zip(faces, boxes, strict=True) if f.ignore]
    hits: dict[int, Face] = {}
    for face in sorted(found, key=lambda f: -f.score):
        box = _inside(face.box, width, height)
        best = max((i for i in range(len(faces)) if i not in hits), key=lambda i: boxes[i].iou(box), default=None)
        if best is not None and boxes[best].iou(box) >= OVERLAP:
            hits[best] = face
        elif _size(face) >= COUNTED and not any(_share(box, b) >= 0.5 for b in ignored):
            seen.false.append(face.score)
    for i, true in enumerate(faces):
        if not true.ignore:
            seen.scores.append(hits[i].score if i in hits else 0.0)
            seen.errors.append(landmark_error(hits[i], true) if i in hits else math.nan)


def landmark_error(face: Face, true: TrueFace) -> float:
    """Mean distance of the five landmarks from the true ones, divided by the true distance of the eyes; NaN if the true
    ones are unknown."""
    if not true.landmarks:
        return math.nan
    off = np.linalg.norm(np.subtract(face.landmarks, true.landmarks), axis=1)
    return float(off.mean() / max(math.dist(*true.landmarks[:2]), 1e-6))


def face_free(image: Image, faces: Sequence[TrueFace], seed: int) -> list[Image]:
    """Enlarged square crops that touch no face's box, also no ignored one. The same seed gives the same crops."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    crops = []
    for _ in range(CROPS):
        side = int(rng.integers(*CROP_SIDES))
        if min(height, width) <= side:
            continue
        x, y = int(rng.integers(width - side)), int(rng.integers(height - side))
        if not any(_share(Box(x, y, side, side), f.box) > 0 for f in faces):
            crop = image[y : y + side, x : x + side]
            crops.append(picture(cv2.resize(crop, (CROP_SHOWN, CROP_SHOWN), interpolation=cv2.INTER_LINEAR)))
    return crops


def network_times(config: ModelsConfig, reference: Path) -> tuple[float, float]:
    """Median milliseconds of processor time of the two networks alone, in onnxruntime, alternating. (Ours also decodes
    in its graph; the reference does not.) Raises ModelError when the reference does not accept the picture."""
    manifest = Manifest(config.folder or default_folder())
    own = Network.load(manifest, manifest.entry(config.detector, DetectorEntry), threads=1)
    plain = Input(colour="bgr", mean=(0, 0, 0), std=(1, 1, 1))
    other = Network(_content(reference), plain, str(reference), threads=1)
    blob = np.random.default_rng(0).uniform(0, 255, (1, 3, NETWORK_SIDE, NETWORK_SIDE)).astype(np.float32)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(WARM_UP + NETWORK_RUNS):
        for network, seconds in zip((own, other), times, strict=True):
            begin = time.thread_time()
            try:
                network.run_batch(blob)
            except Exception as error:
                raise ModelError(f"{reference}: does not take a picture of {NETWORK_SIDE} px: {error}") from error
            seconds.append(time.thread_time() - begin)
    ours, theirs = (float(np.median(t[WARM_UP:])) * 1e3 for t in times)
    return ours, theirs


def _faces(rows: NDArray[np.float32]) -> list[Face]:
    return [
        Face(Box(*row[:4]), tuple(zip(row[4:14:2], row[5:14:2], strict=True)), row[14])
        for row in rows.astype(float).tolist()
    ]


def _size(face: Face) -> float:
    return math.sqrt(max(face.box.width, 0) * max(face.box.height, 0))


def _holds(box: Box, x: float, y: float) -> bool:
    return 0 <= x - box.x <= box.width and 0 <= y - box.y <= box.height


def _inside(box: Box, width: int, height: int) -> Box:
    x, y = min(max(box.x, 0), width), min(max(box.y, 0), height)
    return Box(x, y, max(min(box.x + box.width, width) - x, 0), max(min(box.y + box.height, height) - y, 0))


def _share(box: Box, of: Box) -> float:
    w = min(box.x + box.width, of.x + of.width) - max(box.x, of.x)
    h = min(box.y + box.height, of.y + of.height) - max(box.y, of.y)
    area = box.width * box.height
    return max(w, 0) * max(h, 0) / area if area > 0 else 0.0
