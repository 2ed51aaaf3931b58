"""The vectors of an earlier embedder, while the embedder is being changed (domain.transition).

Either the earlier network itself runs too, or a measured map takes the current network's vectors to its space
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
class VectorMap:
    """Takes a network's vectors to where another one has them: of a unit vector v, v W^T + b + gelu(v A^T + a) B^T.

    `affine`: D x (D + 1), W and b; `inner`: H x (D + 1), A and a; `back`: D x H, B. H may be 0.
    """

    affine: NDArray[np.float32]
    inner: NDArray[np.float32]
    back: NDArray[np.float32]

    @classmethod
    def of(cls, numbers: NDArray[np.float32]) -> VectorMap:
        """A map of the rows of its file, (D + 2 H) x (D + 1): `affine`, `inner`, and `back` turned over with a column
        that is not read. Raises ValueError for another shape."""
        rows, columns = numbers.shape
        hidden, odd = divmod(rows - (columns - 1), 2)
        if hidden < 0 or odd:
            raise ValueError(f"it is not D + 2 H rows of D + 1 numbers, but {rows} of {columns}")
        ends = (columns - 1, columns - 1 + hidden)
        return cls(numbers[: ends[0]], numbers[ends[0] : ends[1]], np.ascontiguousarray(numbers[ends[1] :, :-1].T))

    def __call__(self, vector: Vector) -> Vector:
        """The mapped vector, not of unit length. Raises ValueError for a vector that has no direction."""
        given = np.append(scaled(vector, 1.0), np.float32(1))
        found: Vector = self.affine @ given + self.back @ _gelu(self.inner @ given)
        return found


def _gelu(x: Vector) -> Vector:
    """GELU by its tanh form (Hendrycks and Gimpel, arXiv 1606.08415, section 2)."""
    bent: Vector = np.float32(0.5) * x * (1 + np.tanh(np.float32(0.7978846) * (x + np.float32(0.044715) * x**3)))
    return bent


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """The earlier embedder: its entry, what its comparisons need to know, and where its vectors come from: `source` is
    the network, or the map of `pair`."""

    entry: EmbedderEntry
    measure: Measure
    source: FaceEmbedder | VectorMap
    pair: PairEntry | None = None

    def vector(self, image: Image, face: Face, current: Vector) -> Vector | None:
        """The scaled vector of this face in the earlier network's space; None if that network takes it for no natural
        face. `current`: the current network's vector, which has passed that network's checks. Raises ValueError for a
        useless vector."""
        if isinstance(self.source, VectorMap):
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


def load_map(manifest: Manifest, pair: PairEntry, dimension: int) -> VectorMap:
    """The map of a pair: a numpy file of float32 (VectorMap.of). Raises ModelError when the file is missing, altered or
    no such map, or when no thresholds were measured with it."""
    if not pair.thresholds:
        raise ModelError(
            f"{manifest.folder / pair.file}: no thresholds have been measured for {pair.new} mapped to {pair.old}: "
            "take this [[pair]] out of the manifest, then the earlier network runs too"
        )
    content = manifest.bytes_of(pair)
    try:
        numbers = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        if numbers.ndim != 2 or numbers.shape[1] != dimension + 1 or numbers.dtype != np.float32:
            raise ValueError(f"it is not rows of {dimension + 1} numbers of float32")
        if not np.isfinite(numbers).all():
            raise ValueError("it holds what is no number")
        return VectorMap.of(numbers)
    except (ValueError, EOFError) as error:
        raise ModelError(f"{manifest.folder / pair.file}: no map of {pair.old}: {error}") from error


def check_map(manifest: Manifest, pair: PairEntry) -> None:
    """Raises ModelError when the map of a pair cannot be used."""
    embedders = {e.model_id: e for e in manifest.entries if isinstance(e, EmbedderEntry)}
    for model_id in (pair.new, pair.old):
        if model_id not in embedders:
            raise ModelError(f"{manifest.folder / pair.file}: the manifest has no embedder {model_id}")
    load_map(manifest, pair, embedders[pair.old].dimension)
