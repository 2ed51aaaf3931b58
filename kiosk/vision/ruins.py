"""The second wall: a feature vector that lies where pictures lie that are no natural face is no evidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Vector


class Ruins:
    """Where one embedder puts turned and ruined pictures.

    Faces that are upside down, on their side, a negative, or of a few grey levels all fall near one place, and so they
    look alike whoever they show. Natural faces lie across from it, and their feature vectors are longer: the length of
    a feature vector tells how much of a face the network saw (MagFace, arXiv 2103.06627). And no face is quite like its
    mirror image: one that is, was made of half a face. The wall knows no other particular ruin, and it can only deny.
    Centre and bounds are measured by models/train/embedder_ruins.py.
    """

    def __init__(
        self, centre: NDArray[np.float32], min_length: float, max_cosine: float, max_mirrored: float = 1.0
    ) -> None:
        """`centre` D numbers of any length above 0; `min_length` of a feature vector, 0 or more; `max_cosine` of the
        angle between it and the centre, -1..1; `max_mirrored` of that between the face's vector and its mirror image's.
        Raises ValueError for a centre without direction."""
        length = float(np.linalg.norm(centre))
        if centre.ndim != 1 or not np.isfinite(length) or length < 1e-6:
            raise ValueError("the centre of ruined pictures has no direction")
        self._centre = (centre / length).astype(np.float32)
        self.min_length = min_length
        self.max_cosine = max_cosine
        self.max_mirrored = max_mirrored

    def place(self, vector: Vector) -> tuple[float, float]:
        """(length, cosine to the centre) of a feature vector. NaN where it is not finite."""
        length = float(np.linalg.norm(vector))
        return length, float(vector @ self._centre) / length if length else np.nan

    def natural(self, vector: Vector, mirrored: float = 0.0) -> bool:
        """Whether it may be evidence; `mirrored` is the cosine of the face's own vector and its mirror image's. False
        for what is not finite."""
        length, cosine = self.place(vector)
        return length >= self.min_length and cosine <= self.max_cosine and mirrored <= self.max_mirrored
