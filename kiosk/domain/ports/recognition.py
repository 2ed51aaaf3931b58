"""The ports for face recognition: detector, quality gate, PAD, embedder."""

from __future__ import annotations

from typing import Protocol

from kiosk.domain.face import Face, Image, Quality
from kiosk.domain.people import Embedding


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> list[Face]:
        """All faces, the largest first."""


class QualityGate(Protocol):
    """Judges a sample before it is compared."""

    def assess(self, image: Image, face: Face) -> Quality:
        """Judges one face of one frame."""

    def upright(self, image: Image, face: Face) -> bool:
        """Whether the face is upright in the picture. It is slow, so it is called only for the first frame of an
        attempt that matches a subject."""


class PresentationAttackDetector(Protocol):
    """Scores how much a presentation looks bona fide. It can only deny."""

    threshold: float

    def score(self, image: Image, face: Face) -> float:
        """0 (attack) .. 1 (bona fide)."""


class Embedder(Protocol):
    """Turns a face into a feature vector."""

    model_id: str

    def embed(self, image: Image, face: Face) -> Embedding | None:
        """Aligns the face and embeds it: a feature vector of 128 numbers, scaled, and the hints. None if it is no
        natural face, which is evidence for nobody."""
