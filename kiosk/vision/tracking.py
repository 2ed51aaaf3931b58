"""Follows the face in front of the kiosk from frame to frame, so that an attempt rests on one person."""

from __future__ import annotations

import numpy as np

from kiosk.domain.types import Box, Face, Frame, Image

MIN_OVERLAP = 0.3
"""Intersection over union of a face's boxes in two frames; less is a jump: another track."""
LOST_AFTER = 0.5
"""Seconds without the face until its track ends."""


class Tracker:
    """Tracks one face, the largest. A new number for each track."""

    def __init__(self) -> None:
        self.track: int | None = None
        self._last = 0
        self._box = Box(0, 0, 0, 0)
        self._seen_at = 0.0

    def follow(self, face: Face, at: float) -> int:
        """The track of this face; another number than before when it is not where it was."""
        if self.track is None or face.box.iou(self._box) < MIN_OVERLAP or at - self._seen_at > LOST_AFTER:
            self._last += 1
            self.track = self._last
        self._box, self._seen_at = face.box, at
        return self.track

    def lost(self, at: float) -> bool:
        """Told that a frame has no face: True once the track has ended."""
        if self.track is not None and at - self._seen_at > LOST_AFTER:
            self.track = None
        return self.track is None

    def drop(self) -> None:
        """Ends the track now."""
        self.track = None


class FrozenPicture:
    """Notices a camera that delivers the same picture again: sensor noise never repeats."""

    def __init__(self) -> None:
        self._before: Image | None = None

    def check(self, frame: Frame) -> bool:
        """True when the picture is byte for byte the one before."""
        same = self._before is not None and np.array_equal(frame.image, self._before)
        self._before = frame.image
        return same
