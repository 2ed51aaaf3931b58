"""The vectors of an earlier embedder, while the embedder is being changed (domain.transition).

Either the earlier network itself runs too, or a measured affine map takes the current network's vectors to its space
(harmonic embeddings: FaceNet, arXiv 1503.03832, appendix). Without the thresholds that were measured for that very pair
a map is refused.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Face, Image, Vector
from kiosk.domain.matching import scaled
from kiosk.domain.people import Embedding
from kiosk.domain.renewal import Measure
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.measured import PairEntry


@dataclass(frozen=True, slots=True, eq=False)
class AffineMap:
    """Takes a network's vectors to where another one has them: v W^T + b of unit vectors v. `weight`: D x D, `bias`:
    D."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __call__(self, vector: Vector) -> Vector:
        """The mapped vector, not of unit length. Raises ValueError for a vector that has no direction."""
        found: Vector = self.weight @ scaled(vector, 1.0) + self.bias
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """The earlier embedder: its entry, what its comparisons need to know, and where its vectors come from: `source` is
    the network, or the map of `pair`."""

    entry: EmbedderEntry
    measure: Measure
    source: FaceEmbedder | AffineMap
    pair: PairEntry | None = None

    def vector(self, image: Image, face: Face, current: Vector) -> Vector | None:
        """The scaled vector of this face in the earlier network's space; None if that network takes it for no natural
        face. `current`: the current network's vector, which has passed that network's checks. Raises ValueError for a
        useless vector."""
        if isinstance(self.source, AffineMap):
            return scaled(self.source(current), self.entry.template_scale)
        made = self.source.embed(image, face)
        return None if made is None else made.vector


class BothEmbedders:
    """Implements the port Embedder with the current network. The earlier one's vector is made when it is asked for."""

    def __init__(self, current: FaceEmbedder, earlier: Earlier) -> None:
        self._current = current
        self._earlier = earlier
        self.model_id = current.model_id

    def embed(self, image: Image, face: Face) -> Embedding | None:
        """See the port."""
        made = self._current.embed(image, face)
        if made is None:
            return None
        vector = made.vector
        return Embedding(vector, made.hints, cache(lambda: self._earlier.vector(image, face, vector)))


def load_map(manifest: Manifest, pair: PairEntry, dimension: int) -> AffineMap:
    """The map of a pair: a numpy file of D x (D + 1) float32, the bias last. Raises ModelError when the file is
    missing, altered or no such map."""
    content = manifest.bytes_of(pair)
    try:
        numbers = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        if numbers.shape != (dimension, dimension + 1) or numbers.dtype != np.float32:
            raise ValueError(f"it is not {dimension} x {dimension + 1} numbers of float32")
        if not np.isfinite(numbers).all():
            raise ValueError("it holds what is no number")
    except (ValueError, EOFError) as error:
        raise ModelError(f"{manifest.folder / pair.file}: no map of {pair.old}: {error}") from error
    return AffineMap(np.ascontiguousarray(numbers[:, :-1]), np.ascontiguousarray(numbers[:, -1]))
