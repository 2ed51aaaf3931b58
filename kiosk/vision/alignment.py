"""Warps a face onto the alignment template of ArcFace (arXiv 1801.07698), with the points that InsightFace uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Face, Image
from kiosk.vision.pixels import warped

SIZE = 112
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)], np.float64
)
"""Five landmarks in a 112 x 112 picture, in the order of domain.face.Face."""


def similarity(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2 x 3 similarity that maps 5 x 2 landmarks onto TEMPLATE with the least squared error (Umeyama 1991).

    In the plane a similarity is linear in complex numbers: z -> a z + b. Raises ValueError for landmarks that are not
    finite or all lie in one point.
    """
    if not np.isfinite(landmarks).all():
        raise ValueError("the landmarks are not finite")
    z = landmarks[:, 0] + 1j * landmarks[:, 1]
    t = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    zc, tc = z - z.mean(), t - t.mean()
    spread = float(np.vdot(zc, zc).real)
    if spread < 1e-9:
        raise ValueError("the landmarks lie in one point")
    a = np.vdot(zc, tc) / spread
    b = t.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(image: Image, face: Face) -> Image:
    """The aligned face: 112 x 112, BGR, black outside the picture."""
    return warped(image, similarity(np.array(face.landmarks, np.float64)), SIZE)
