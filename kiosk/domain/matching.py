"""Byte templates and the search over them.

A template is a unit feature vector quantized to signed bytes, as FaceNet (arXiv 1503.03832, section 5.1) keeps a face
in 128 bytes. The score is the cosine of two byte vectors: the dot product is exact integer arithmetic, so a score does
not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.types import Comparison, Reference, Template, Vector


def quantize(vector: Vector, scale: float) -> Template:
    """Unit-normalises a feature vector and rounds `scale` times it to -127..127.

    Raises ValueError for a vector that is not finite or has no direction: such a face must never be compared.
    """
    v = np.asarray(vector, np.float32).reshape(-1)
    length = float(np.linalg.norm(v))
    if not np.isfinite(length) or length < 1e-6:
        raise ValueError("the feature vector is not finite or has no direction")
    template: Template = np.clip(np.rint(v * (scale / length)), -127, 127).astype(np.int8)
    if not template.any():
        raise ValueError("the feature vector quantizes to nothing")
    return template


def cosine(a: Template, b: Template) -> float:
    """Cosine similarity of two byte templates, -1..1."""
    x, y = a.astype(np.int32), b.astype(np.int32)
    return float(x @ y) / float(np.sqrt(float(x @ x) * float(y @ y)))


def enrol_again(references: int) -> str:
    """What to say of references that were made with another network than the one that runs."""
    many = "references were" if references != 1 else "reference was"
    return f"{references} {many} made with another network: enrol again (`kiosk enrol --again`)"


class ReferenceMatrix:
    """All references of one model as one int8 matrix. Immutable: a changed gallery makes a new one."""

    def __init__(self, model_id: str, dimension: int, references: Iterable[Reference] = ()) -> None:
        """Raises ValueError for a reference of another model or length: such templates are never compared."""
        kept = list(references)
        for r in kept:
            if r.model_id != model_id:
                raise ValueError(f"reference {r.id} is of model {r.model_id}, not {model_id}")
            if r.template.shape != (dimension,) or not r.template.any():
                raise ValueError(f"reference {r.id} is not a template of {dimension} bytes")
        self.model_id = model_id
        self.dimension = dimension
        self.subject_ids = tuple(r.subject_id for r in kept)
        self._rows: NDArray[np.int8] = (
            np.stack([r.template for r in kept]) if kept else np.empty((0, dimension), np.int8)
        )
        self._lengths = np.sqrt(np.square(self._rows.astype(np.int32)).sum(axis=1, dtype=np.int32).astype(np.float64))

    def __len__(self) -> int:
        return len(self.subject_ids)

    def scores(self, probe: Template) -> NDArray[np.float64]:
        """Cosine of the probe to each reference, in their order. Raises ValueError for a probe of another length."""
        if probe.shape != (self.dimension,) or probe.dtype != np.int8:
            raise ValueError(f"a probe has {self.dimension} signed bytes")
        p = probe.astype(np.int32)
        length = float(np.sqrt(float(p @ p)))
        if length == 0:
            raise ValueError("the probe is empty")
        cosines: NDArray[np.float64] = np.matmul(self._rows, p, dtype=np.int32) / (self._lengths * length)
        return cosines

    def search(self, probe: Template, threshold: float) -> Comparison:
        """1:N: the subject of the highest score, whether or not it reaches the threshold."""
        scores = self.scores(probe)
        if not len(scores):
            return Comparison(None, -1.0, threshold, self.model_id)
        best = int(np.argmax(scores))
        return Comparison(self.subject_ids[best], float(scores[best]), threshold, self.model_id)
