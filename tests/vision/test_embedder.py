"""From an aligned face to a feature vector: of one side or of both."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.face import Image
from kiosk.vision.alignment import align
from kiosk.vision.detector import FaceDetector
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import DetectorEntry, EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture


def entry(mirrored: bool) -> EmbedderEntry:
    """The program's own, of one side or of both."""
    return Manifest(default_folder()).entry("mobilefacenet", EmbedderEntry).model_copy(update={"mirrored": mirrored})


def a_face() -> Image:
    manifest = Manifest(default_folder())
    image = SimulatedCamera.enrolment_picture(VISITORS[0])
    (face,) = FaceDetector.load(manifest, manifest.entry("face-detector", DetectorEntry), 1).detect(image)
    return align(image, face)


def test_a_mirrored_vector_is_of_the_face_and_its_mirror_image() -> None:
    network = Network.load(Manifest(default_folder()), entry(mirrored=True), 1)
    one, both = FaceEmbedder(network, entry(mirrored=False)), FaceEmbedder(network, entry(mirrored=True))
    face = a_face()
    turned = picture(cv2.flip(face, 1))
    sides = one.vector(face), one.vector(turned)
    assert not np.allclose(*sides, atol=0.1 * np.abs(sides).max())
    np.testing.assert_allclose(both.vector(face), sides[0] + sides[1])
    np.testing.assert_allclose(both.vector(face), both.vector(turned))


class Scripted:
    """A network that gives these vectors, one after the other."""

    def __init__(self, *vectors: float) -> None:
        self.vectors = [np.full(128, v, np.float32) for v in vectors]

    def run(self, *_: Image) -> list[np.ndarray]:
        return [self.vectors.pop(0)]


@pytest.mark.parametrize("sides", [(1.0, np.nan), (np.nan, 1.0), (np.inf, -np.inf), (1.0, -1.0), (0.0, 0.0)])
def test_without_a_direction_there_is_no_template(sides: tuple[float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.vision.embedder.align", lambda image, _face: image)
    embedder = FaceEmbedder(cast("Network", Scripted(*sides)), entry(mirrored=True))
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match="no direction"),
    ):
        embedder.embed(np.zeros((112, 112, 3), np.uint8), None)  # type: ignore[arg-type]
