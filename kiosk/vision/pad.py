"""Presentation attack detection: a cue that can only deny."""

from __future__ import annotations

import cv2
import numpy as np

from kiosk.domain.types import Box, Face, Image
from kiosk.vision.manifest import PadEntry
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture


def surroundings(box: Box, context: float, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom), inclusive pixels: `context` times the box around its centre, made smaller where the
    picture is, then moved inside it. The geometry of minivision's Silent-Face-Anti-Spoofing, which the teachers of
    these networks were trained with. Raises ValueError for a box without area.
    """
    if box.width < 1 or box.height < 1:
        raise ValueError("the face's box has no area")
    scale = min((height - 1) / box.height, (width - 1) / box.width, context)
    w, h = box.width * scale, box.height * scale
    x, y = box.centre
    left = min(max(x - w / 2, 0.0), width - 1 - w)
    top = min(max(y - h / 2, 0.0), height - 1 - h)
    return int(left), int(top), int(left + w), int(top + h)


class MeanPad:
    """The port PresentationAttackDetector: the mean of the bona fide probability over the networks."""

    def __init__(self, networks: list[tuple[Network, PadEntry]], threshold: float) -> None:
        """`networks` must not be empty."""
        if not networks:
            raise ValueError("PAD needs a network")
        self._networks = networks
        self.threshold = threshold

    def score(self, image: Image, face: Face) -> float:
        """0 (attack) .. 1 (bona fide). Raises ValueError when a network's output is not finite."""
        scores = [self._one(network, entry, image, face) for network, entry in self._networks]
        return float(np.mean(scores))

    @staticmethod
    def _one(network: Network, entry: PadEntry, image: Image, face: Face) -> float:
        height, width = image.shape[:2]
        left, top, right, bottom = surroundings(face.box, entry.context, width, height)
        size = entry.input.size or (80, 80)
        crop = picture(cv2.resize(image[top : bottom + 1, left : right + 1], size[::-1]))
        logits = network.run(crop)[0].astype(np.float64)
        if not np.isfinite(logits).all():
            raise ValueError("the PAD network's output is not finite")
        exp = np.exp(logits - logits.max())
        return float(exp[entry.bona_fide_class] / exp.sum())
