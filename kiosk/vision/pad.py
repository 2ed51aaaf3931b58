"""Presentation attack detection: a cue that can only deny."""

from __future__ import annotations

from collections.abc import Sequence

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

    A cue is one network or the mean of several that look at the same thing (`PadEntry.cue`). The score is the least of
    the cues' scores, each stretched so that its own threshold comes to lie at the common one.
    """

    def __init__(self, networks: Sequence[tuple[Network, PadEntry]], threshold: float | None = None) -> None:
        """`networks` must not be empty; the threshold is the first cue's own where none is given."""
        if not networks:
            raise ValueError("PAD needs a network")
        self._cues: dict[str, list[tuple[Network, PadEntry]]] = {}
        for network, entry in networks:
            self._cues.setdefault(entry.cue, []).append((network, entry))
        self._own = {cue: max(e.threshold for _, e in members) for cue, members in self._cues.items()}
        self._common = next(iter(self._own.values()))
        self.measured = self._common
        """The threshold that the manifest states."""
        self.threshold = self._common if threshold is None else threshold

    def score(self, image: Image, face: Face) -> float:
        """0 (attack) .. 1 (bona fide). Raises ValueError when a network's output is not finite."""
        return min(self.cues(image, face).values())

    def cues(self, image: Image, face: Face) -> dict[str, float]:
        """Each cue's score, by its name, stretched to the common threshold. Raises ValueError."""
        found = {}
        for cue, members in self._cues.items():
            mean = float(np.mean([_bona_fide(network, entry, image, face) for network, entry in members]))
            found[cue] = stretched(mean, self._own[cue], self._common)
        return found


def stretched(score: float, own: float, common: float) -> float:
    """The line through 0, the threshold and 1 that takes the cue's own threshold to the common one."""
    if own == common:
        return score
    return score / own * common if score < own else common + (score - own) / (1 - own) * (1 - common)


def _bona_fide(network: Network, entry: PadEntry, image: Image, face: Face) -> float:
    size = entry.input.size or (80, 80)
    if entry.beyond_edge == "mirror":
        crop = mirrored_square(image, face.box, entry.context, size[0])
    else:
        height, width = image.shape[:2]
        left, top, right, bottom = surroundings(face.box, entry.context, width, height)
        crop = picture(cv2.resize(image[top : bottom + 1, left : right + 1], size[::-1]))
    logits = network.run(crop)[0].astype(np.float64)
    if not np.isfinite(logits).all():
        raise ValueError("the PAD network's output is not finite")
    exp = np.exp(logits - logits.max())
    return float(exp[entry.bona_fide_class] / exp.sum())
