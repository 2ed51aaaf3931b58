"""From a face to a template: align, embed, quantize."""

from __future__ import annotations

import cv2

from kiosk.domain.face import Face, Image, Vector
from kiosk.domain.matching import quantize
from kiosk.domain.people import Template
from kiosk.vision.alignment import align
from kiosk.vision.manifest import EmbedderEntry
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture
from kiosk.vision.ruins import Ruins


class FaceEmbedder:
    """The port Embedder over one network."""

    def __init__(self, network: Network, entry: EmbedderEntry, ruins: Ruins | None = None) -> None:
        """Without `ruins` every face has a template: for figures of the network alone, and for a network of which it
        has not been measured where ruined pictures lie."""
        self._network = network
        self._entry = entry
        self._ruins = ruins
        self.model_id = entry.model_id

    @property
    def bare(self) -> FaceEmbedder:
        """The network alone, without the wall."""
        return FaceEmbedder(self._network, self._entry)

    def embed(self, image: Image, face: Face) -> Template | None:
        """None for what is no natural face. Raises ValueError for a face that cannot be aligned or a feature vector of
        no use."""
        vector = self.vector(align(image, face))
        template = quantize(vector, self._entry.template_scale)
        return template if self._ruins is None or self._ruins.natural(vector) else None

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
