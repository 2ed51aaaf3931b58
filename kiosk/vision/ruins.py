"""The embedder's check against distorted ("ruined") pictures: a feature vector in their region is no evidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Vector


class Ruins:
    """The region of turned and distorted pictures in one embedder's space.

    The vectors of faces that are upside down, on their side, negative, or reduced to a few grey levels all lie near one
    point, so these faces look alike whoever they show. Natural faces lie on the opposite side, and their feature
    vectors are longer: the length tells how much of a face the network saw (MagFace, arXiv 2103.06627). Also, no
    natural face is almost equal to its mirror image; such a picture was made from half a face. The check uses no other
    particular distortion, and it can only deny. models/train/embedder/ruins.py measures centre and bounds.
    """

    def __init__(
        self, centre: NDArray[np.float32], min_length: float, max_cosine: float, max_mirrored: float = 1.0
    ) -> None:
        """`centre`: D numbers, not all 0. `min_length`: shortest feature vector, at least 0. `max_cosine`: largest
        cosine between vector and centre, -1..1. `max_mirrored`: largest cosine between the face's vector and that of
        its mirror image. Raises ValueError for a zero centre."""
        length = float(np.linalg.norm(centre))
        if centre.ndim != 1 or not np.isfinite(length) or length < 1e-6:
            raise ValueError("the centre of ruined pictures has no direction")
        self._centre = (centre / length).astype(np.float32)
        self.min_length = min_length
        self.max_cosine = max_cosine
        self.max_mirrored = max_mirrored

    def place(self, vector: Vector) -> tuple[float, float]:
        """(length, cosine to the centre) of a feature vector. NaN if it is not finite."""
        length = float(np.linalg.norm(vector))
        return length, float(vector @ self._centre) / length if length else np.nan

    def natural(self, vector: Vector, mirrored: float = 0.0) -> bool:
        """Whether a feature vector may be evidence. `mirrored`: the cosine between the face's own vector and that of
        its mirror image. False for values that are not finite."""
        length, cosine = self.place(vector)
        return length >= self.min_length and cosine <= self.max_cosine and mirrored <= self.max_mirrored
