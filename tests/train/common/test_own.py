"""Faces of somebody's own pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.vision.alignment import TEMPLATE
from kiosk.vision.detector import FaceDetector
from kiosk.vision.manifest import DetectorEntry, Manifest
from models.train.common.folders import MODELS
from models.train.common.own import own_faces

pytestmark = pytest.mark.train


def test_each_face_of_a_folder_is_aligned_and_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    large = cv2.resize(SimulatedCamera.enrolment_picture(VISITORS[0]), None, fx=4, fy=4)
    cv2.imwrite(str(tmp_path / "deep" / "one.png"), large)
    cv2.imwrite(str(tmp_path / "two.jpg"), SimulatedCamera.enrolment_picture(VISITORS[1]))
    cv2.imwrite(str(tmp_path / "nobody.png"), np.zeros((90, 90, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    faces = own_faces(tmp_path, least=2)
    assert faces.shape == (2, 128, 128, 3)

    manifest = Manifest(MODELS)
    detector = FaceDetector.load(manifest, manifest.entry("face-detector", DetectorEntry), threads=1)
    for face in faces:
        around = np.asarray(cv2.copyMakeBorder(face, 64, 64, 64, 64, cv2.BORDER_CONSTANT), np.uint8)
        (found,) = detector.detect(around)
        assert np.abs(np.array(found.landmarks) - 64 - 8 - TEMPLATE).mean() < 4


def test_too_few_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0 faces were found, at least 1000 are needed"):
        own_faces(tmp_path)
