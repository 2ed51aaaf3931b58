"""From a face to a template: align, embed, quantize."""

from __future__ import annotations

import cv2

from kiosk.domain.matching import quantize
from kiosk.domain.types import Face, Image, Template, Vector
from kiosk.vision.alignment import align
from kiosk.vision.manifest import EmbedderEntry
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture


class FaceEmbedder:
    """The port Embedder over one network."""

    def __init__(self, network: Network, entry: EmbedderEntry) -> None:
        self._network = network
        self._entry = entry
        self.model_id = entry.model_id

    def embed(self, image: Image, face: Face) -> Template:
        """Raises ValueError for a face that cannot be aligned or a feature vector of no use."""
        return quantize(self.vector(align(image, face)), self._entry.template_scale)

    def vector(self, aligned: Image) -> Vector:
        """The feature vector of an aligned 112 x 112 BGR face: as the network gives it or, where the manifest says
        `mirrored`, the sum of the face's and of its mirror image's."""
        vector = self._one_side(aligned)
        if not self._entry.mirrored:
            return vector
        return vector + self._one_side(picture(cv2.flip(aligned, 1)))

    def _one_side(self, aligned: Image) -> Vector:
        vector: Vector = self._network.run(aligned)[0].reshape(-1)
        if vector.shape != (self._entry.dimension,):
            raise ValueError(f"the embedder gave {vector.shape}, not {self._entry.dimension} numbers")
        return vector
