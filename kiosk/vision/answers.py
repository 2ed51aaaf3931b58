"""An embedder's second output: a few numbers about the face that the network has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kiosk.domain.face import Hint, Vector
from kiosk.vision.manifest import UNNATURAL, Answer


class Answers:
    """Names and bounds of the numbers. models/train/quality/fit.py measured them."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._names = [a.name for a in answers]
        self._most = np.array([a.most for a in answers], np.float32)

    def hints(self, numbers: Vector) -> tuple[Hint, ...] | None:
        """The hints whose numbers are above their bounds, in the order of Hint; None if the face is not natural. Raises
        ValueError unless there is one finite number for each answer."""
        if numbers.shape != self._most.shape or not np.isfinite(numbers).all():
            raise ValueError(f"the embedder's second output is of no use: {numbers}")
        yes = {name for name, above in zip(self._names, numbers > self._most, strict=True) if above}
        return None if UNNATURAL in yes else tuple(hint for hint in Hint if hint in yes)
