"""YuNet as OpenCV Zoo publishes it, behind the kiosk's detector."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.errors import ModelError
from kiosk.vision.detector import FaceDetector
from kiosk.vision.manifest import DetectorEntry, Input, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.yunet import YuNet

SHARED = Path(os.environ.get("KIOSK_SHARED", Path(__file__).resolve().parents[3] / "shared"))
FILE = SHARED / "weights" / "face_detection_yunet_2023mar.onnx"
NO_NETWORK = b"\x08\x08"
"""A version and nothing else: a file of ONNX that holds no network."""
shared = pytest.mark.skipif(not FILE.is_file(), reason="needs shared/weights beside the checkout")


def entry(content: bytes) -> DetectorEntry:
    return DetectorEntry(
        name="yunet",
        role="detector",
        decoder="yunet",
        model_id="yunet-2023mar",
        file="yunet.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        licence="MIT",
        data="WIDER FACE",
        teacher="none",
        input=Input(colour="bgr", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), multiple_of=32),
        score_threshold=0.7,
        nms_iou=0.3,
    )


@pytest.mark.shared
@shared
def test_it_finds_the_faces_that_our_own_detector_finds() -> None:
    theirs = FaceDetector(YuNet(FILE.read_bytes(), entry(FILE.read_bytes())))
    manifest = Manifest(default_folder())
    ours = FaceDetector.load(manifest, manifest.entry("face-detector", DetectorEntry), 2)
    for visitor in VISITORS:
        image = SimulatedCamera.enrolment_picture(visitor)
        (a,), (b,) = theirs.detect(image), ours.detect(image)
        assert a.box.iou(b.box) > 0.75
        assert np.allclose(a.landmarks, b.landmarks, atol=0.15 * b.eye_distance)


@pytest.mark.shared
@shared
@pytest.mark.parametrize("shape", [(480, 640), (97, 131), (40, 40)])
def test_pictures_of_any_size_without_a_face(shape: tuple[int, int]) -> None:
    detector = FaceDetector(YuNet(FILE.read_bytes(), entry(FILE.read_bytes())))
    assert detector.detect(np.full((*shape, 3), 127, np.uint8)) == []


def test_what_is_no_network_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="yunet: OpenCV cannot load the model"):
        YuNet(NO_NETWORK, entry(NO_NETWORK))
