"""An embedder's second output: a few numbers about the face that the network has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kiosk.domain.face import Vector
from kiosk.vision.manifest import Answer, AnswerName


class Answers:
    """Names and bounds of the numbers. models/train/quality/fit.py measured them."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._names = [a.name for a in answers]
        self._most = np.array([a.most for a in answers], np.float32)

    def yes(self, numbers: Vector) -> frozenset[AnswerName]:
        """The names of the answers whose numbers are above their bounds. Raises ValueError unless there is one finite
        number for each answer."""
        if numbers.shape != self._most.shape or not np.isfinite(numbers).all():
            raise ValueError(f"the embedder's second output is of no use: {numbers}")
        return frozenset(name for name, yes in zip(self._names, numbers > self._most, strict=True) if yes)
