"""Presentation attack detection. It can only deny."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Box, Face, Image
from kiosk.vision.manifest import CUT_OUT, TOGETHER, PadEntry
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture

SECOND_COUNTS = 0.5
"""Weight of the second answer's logit relative to the classes' log odds. A logistic regression over both, on the
training sources, gives 0.56, and 0.53 to 0.75 if one source is left out (models/README.md)."""


def surroundings(box: Box, context: float, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom), inclusive pixels: `context` times the box around its centre, shrunk if the picture is
    smaller, then moved inside the picture. This is the geometry of minivision's Silent-Face-Anti-Spoofing, with which
    the teachers of these networks were trained. Raises ValueError for a box without area.
    """
    if box.width < 1 or box.height < 1:
        raise ValueError("the face's box has no area")
    scale = min((height - 1) / box.height, (width - 1) / box.width, context)
    w, h = box.width * scale, box.height * scale
    x, y = box.centre
    left = min(max(x - w / 2, 0.0), width - 1 - w)
    top = min(max(y - h / 2, 0.0), height - 1 - h)
    return int(left), int(top), int(left + w), int(top + h)


def mirrored_square(image: Image, box: Box, context: float, side: int) -> Image:
    """side x side x 3: a square around the box's centre, `context` times the box's longer side. Beyond its edges the
    picture is mirrored. This is the geometry with which minifas_texture_128 was trained. Raises ValueError for a box
    without area or outside the picture.
    """
    if box.width < 1 or box.height < 1:
        raise ValueError("the face's box has no area")
    height, width = image.shape[:2]
    half = max(box.width, box.height) * context / 2
    x, y = box.centre
    left, top, right, bottom = round(x - half), round(y - half), round(x + half), round(y + half)
    part = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not part.size:
        raise ValueError("the face's box lies outside the picture")
    beyond = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    if any(beyond):
        part = picture(cv2.copyMakeBorder(part, *beyond, cv2.BORDER_REFLECT_101))
    how = cv2.INTER_AREA if len(part) > side else cv2.INTER_LINEAR
    return picture(cv2.resize(part, (side, side), interpolation=how))


class FusedPad:
    """Implements the port PresentationAttackDetector with several cues. Each cue can deny; none can outvote another.

    A cue is one network, or the mean of several that look for the same thing (`PadEntry.cue`). Networks may also answer
    whether the face is cut out; the mean of these logits is another cue. Both answers together may be a third cue: a
    presentation that only just passes each of them is not bona fide. The score is the smallest score of the cues, each
    stretched so that its own threshold lies at the common threshold.
    """

    def __init__(self, networks: Sequence[tuple[Network, PadEntry]], threshold: float | None = None) -> None:
        """`networks` must not be empty. The common threshold is that of the first cue. `threshold`, if given, is used
        for denying instead."""
        if not networks:
            raise ValueError("PAD needs a network")
        self._networks = tuple(networks)
        self._own: dict[str, float] = {}
        for _, entry in networks:
            self._own[entry.cue] = max(self._own.get(entry.cue, 0.0), entry.threshold)
        self._common = next(iter(self._own.values()))
        self.measured = self._common
        """The threshold in the manifest."""
        for _, entry in networks:
            for cue, own in ((CUT_OUT, entry.cut_out_threshold), (TOGETHER, entry.together_threshold)):
                if own is not None:
                    self._own[cue] = max(self._own.get(cue, 0.0), own)
        self.threshold = self._common if threshold is None else threshold

    def score(self, image: Image, face: Face) -> float:
        """0 (attack) .. 1 (bona fide). Raises ValueError when a network's output is not finite."""
        return min(self.cues(image, face).values())

    def cues(self, image: Image, face: Face) -> dict[str, float]:
        """The score of each cue by name, stretched to the common threshold. Raises ValueError."""
        own = self.answers(image, face)
        return {cue: stretched(score, self._own[cue], self._common) for cue, score in own.items()}

    def answers(self, image: Image, face: Face) -> dict[str, float]:
        """The score of each cue by name, 0 (attack) .. 1 (bona fide), for the cue's own threshold. Raises
        ValueError."""
        shares: dict[str, list[float]] = {}
        logits: dict[str, list[float]] = {}
        for network, entry in self._networks:
            numbers = _answers(network, entry, image, face)
            if entry.cut_out_threshold is not None:
                numbers, whole = numbers[:-1], float(numbers[-1])
                logits.setdefault(CUT_OUT, []).append(whole)
                if entry.together_threshold is not None:
                    both = _log_odds(numbers, entry.bona_fide_class) + SECOND_COUNTS * whole
                    logits.setdefault(TOGETHER, []).append(both)
            shares.setdefault(entry.cue, []).append(_probability(numbers, entry.bona_fide_class))
        means = {cue: float(np.mean(values)) for cue, values in shares.items()}
        return means | {cue: _sigmoid(float(np.mean(values))) for cue, values in logits.items()}


def stretched(score: float, own: float, common: float) -> float:
    """Maps a score piecewise linearly: 0 to 0, the cue's own threshold to the common one, 1 to 1."""
    if own == common:
        return score
    return score / own * common if score < own else common + (score - own) / (1 - own) * (1 - common)


def _answers(network: Network, entry: PadEntry, image: Image, face: Face) -> NDArray[np.float64]:
    """The network's output for the face. Raises ValueError when it is not finite."""
    size = entry.input.size or (80, 80)
    if entry.beyond_edge == "mirror":
        crop = mirrored_square(image, face.box, entry.context, size[0])
    else:
        height, width = image.shape[:2]
        left, top, right, bottom = surroundings(face.box, entry.context, width, height)
        crop = picture(cv2.resize(image[top : bottom + 1, left : right + 1], size[::-1]))
    numbers: NDArray[np.float64] = network.run(crop)[0].astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("the PAD network's output is not finite")
    return numbers


def _probability(logits: NDArray[np.float64], of: int) -> float:
    exp = np.exp(logits - logits.max())
    return float(exp[of] / exp.sum())


def _log_odds(logits: NDArray[np.float64], of: int) -> float:
    return float(logits[of] - np.logaddexp.reduce(np.delete(logits, of)))


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-min(max(logit, -50.0), 50.0)))
