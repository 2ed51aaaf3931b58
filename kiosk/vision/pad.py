"""Presentation attack detection: a cue that can only deny."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Box, Face, Image
from kiosk.vision.manifest import PadEntry
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture

CUT_OUT = "cut-out"
"""The cue that the networks' second answers make."""


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


def mirrored_square(image: Image, box: Box, context: float, side: int) -> Image:
    """side x side x 3: the square around the box's centre, `context` times its longer side; beyond the picture's edge
    the picture is mirrored. The geometry that minifas_texture_128 was trained with. Raises ValueError for a box without
    area or outside the picture.
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
    """The port PresentationAttackDetector over several cues: any of them can deny, none can outvote another.

    A cue is one network or the mean of several that look for the same thing (`PadEntry.cue`). Networks may answer a
    second question, whether the face is cut out: the mean of those logits is a cue, too. The score is the least of the
    cues' scores, each stretched so that its own threshold comes to lie at the common one.
    """

    def __init__(self, networks: Sequence[tuple[Network, PadEntry]], threshold: float | None = None) -> None:
        """`networks` must not be empty; the common threshold is the first cue's own, and the one that denies is
        `threshold` where it is given."""
        if not networks:
            raise ValueError("PAD needs a network")
        self._networks = tuple(networks)
        self._own: dict[str, float] = {}
        for _, entry in networks:
            self._own[entry.cue] = max(self._own.get(entry.cue, 0.0), entry.threshold)
        cut_out = [entry.cut_out_threshold for _, entry in networks if entry.cut_out_threshold is not None]
        self._common = next(iter(self._own.values()))
        self.measured = self._common
        """The threshold that the manifest states."""
        if cut_out:
            self._own[CUT_OUT] = max(cut_out)
        self.threshold = self._common if threshold is None else threshold

    def score(self, image: Image, face: Face) -> float:
        """0 (attack) .. 1 (bona fide). Raises ValueError when a network's output is not finite."""
        return min(self.cues(image, face).values())

    def cues(self, image: Image, face: Face) -> dict[str, float]:
        """Each cue's score by its name, stretched to the common threshold. Raises ValueError."""
        found: dict[str, list[float]] = {}
        for network, entry in self._networks:
            numbers = _answers(network, entry, image, face)
            if entry.cut_out_threshold is not None:
                found.setdefault(CUT_OUT, []).append(float(numbers[-1]))
                numbers = numbers[:-1]
            found.setdefault(entry.cue, []).append(_probability(numbers, entry.bona_fide_class))
        means = {cue: float(np.mean(scores)) for cue, scores in found.items()}
        if CUT_OUT in means:
            means[CUT_OUT] = 1 / (1 + math.exp(-min(max(means[CUT_OUT], -50.0), 50.0)))
        return {cue: stretched(mean, self._own[cue], self._common) for cue, mean in means.items()}


def stretched(score: float, own: float, common: float) -> float:
    """The line through 0, the threshold and 1 that takes the cue's own threshold to the common one."""
    if own == common:
        return score
    return score / own * common if score < own else common + (score - own) / (1 - own) * (1 - common)


def _answers(network: Network, entry: PadEntry, image: Image, face: Face) -> NDArray[np.float64]:
    """What the network says of the face. Raises ValueError where that is not finite."""
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
