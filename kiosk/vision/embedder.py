"""Turns a face into a feature vector: aligns, embeds and scales it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Face, Image, Vector
from kiosk.domain.matching import scaled
from kiosk.domain.people import Embedding
from kiosk.vision.alignment import align
from kiosk.vision.answers import Answers
from kiosk.vision.manifest import EmbedderEntry
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture
from kiosk.vision.ruins import Ruins

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The network's outputs for a face. `vector`: the feature vector. `numbers`: the second output, the mean of both
    sides (empty if the manifest names no answers). `mirrored`: the cosine between the face's own vector and that of its
    mirror image; 0 if that is not computed."""

    vector: Vector
    numbers: Vector
    mirrored: float = 0.0


class FaceEmbedder:
    """Implements the port Embedder with one network."""

    def __init__(
        self, network: Network, entry: EmbedderEntry, ruins: Ruins | None = None, answers: Answers | None = None
    ) -> None:
        """`ruins` and `answers` are the checks for a natural face: the place of distorted pictures, and the network's
        second output. Without both every face gets a vector. That is for measuring the network alone, and for a
        network for which neither was measured."""
        self._network = network
        self._entry = entry
        self._ruins = ruins
        self._answers = answers
        self.model_id = entry.model_id

    @property
    def bare(self) -> FaceEmbedder:
        """The network alone, without the checks for a natural face."""
        return FaceEmbedder(self._network, self._entry)

    def embed(self, image: Image, face: Face) -> Embedding | None:
        """The scaled vector and the hints; None if it is no natural face. Raises ValueError for a face that cannot be
        aligned, or for a useless feature vector or answers."""
        return self.judged(self.look(align(image, face)))

    def judged(self, seen: Look) -> Embedding | None:
        """What `embed` gives for these outputs of the network."""
        vector = scaled(seen.vector, self._entry.template_scale)
        if self._ruins is not None and not self._ruins.natural(seen.vector, seen.mirrored):
            return None
        hints = () if self._answers is None else self._answers.hints(seen.numbers)
        return None if hints is None else Embedding(vector, hints)

    def vector(self, aligned: Image) -> Vector:
        """The feature vector of an aligned 112 x 112 BGR face: the network's output or, if the manifest says
        `mirrored`, the sum of the outputs for the face and for its mirror image."""
        return self.look(aligned).vector

    def look(self, aligned: Image) -> Look:
        """All outputs of the network for an aligned face. Both sides go through it together: a tenth less time than one
        after the other."""
        sides = (aligned, picture(cv2.flip(aligned, 1))) if self._entry.mirrored else (aligned,)
        vectors, numbers = self._outputs(sides)
        if not self._entry.mirrored:
            return Look(vectors[0], numbers[0])
        one, other = vectors
        lengths = max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12)
        return Look(one + other, numbers.sum(0) * np.float32(0.5), float(one @ other) / lengths)

    def _outputs(self, sides: Sequence[Image]) -> tuple[Rows, Rows]:
        """The feature vectors and the second outputs, a row for each side."""
        outputs = self._network.run_all(*sides)
        vectors = outputs[0].reshape(len(sides), -1)
        if vectors.shape[1] != self._entry.dimension:
            raise ValueError(f"the embedder gave {vectors.shape[1:]}, not {self._entry.dimension} numbers")
        if not self._entry.answers:  # an output that no entry names may have any shape
            return vectors, np.empty((len(sides), 0), np.float32)
        return vectors, outputs[1].reshape(len(sides), -1)
