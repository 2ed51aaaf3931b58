"""Faces of somebody's own pictures, for a training without those of the research sets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.domain.errors import SampleError
from kiosk.domain.ports.recognition import Detector
from kiosk.evaluation.samples import FolderSamples
from kiosk.vision.detector import FaceDetector
from kiosk.vision.manifest import DetectorEntry, Manifest
from models.train.common.faces import aligned
from models.train.common.folders import MODELS

LARGEST = 1024  # pixels of a picture's longer side; a larger one is made smaller, as the kiosk's camera would be
LEAST = 1000  # faces; a training on fewer learns these people by heart


def own_faces(folder: Path, least: int = LEAST) -> NDArray[np.uint8]:
    """Each face that the kiosk's detector finds in the pictures below a folder, aligned, with a margin around it.

    N x 128 x 128 x 3 BGR. What is no picture is passed over. Raises SystemExit if there are fewer than `least`.
    """
    manifest = Manifest(MODELS)
    detector = FaceDetector.load(manifest, manifest.entry("face-detector", DetectorEntry), threads=1)
    samples, found = FolderSamples(folder), list[NDArray[np.uint8]]()
    for name in tqdm(samples.names, "pictures", mininterval=20):
        try:
            picture = cv2.imdecode(np.frombuffer(samples.read(name), np.uint8), cv2.IMREAD_COLOR)
        except (SampleError, cv2.error):
            continue
        if picture is not None:
            found += faces_in(np.asarray(picture, np.uint8), detector)
    if len(found) < least:
        raise SystemExit(f"{folder}: {len(found)} faces were found, at least {least} are needed")
    return np.stack(found)


def faces_in(picture: NDArray[np.uint8], detector: Detector) -> list[NDArray[np.uint8]]:
    """The faces of one picture, aligned."""
    smaller = min(1.0, LARGEST / max(picture.shape[:2]))
    if smaller < 1:
        picture = np.asarray(cv2.resize(picture, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA), np.uint8)
    return [aligned(picture, face.landmarks) for face in detector.detect(picture)]
