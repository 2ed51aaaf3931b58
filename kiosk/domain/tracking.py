"""Follows the face in front of the kiosk from frame to frame, so that an attempt rests on one person."""

from __future__ import annotations

from enum import Enum

from kiosk.domain.face import Box, Face

MIN_OVERLAP = 0.3
"""Smallest intersection over union of a face's boxes in two frames. With less the face has jumped and gets another
track."""
LOST_AFTER = 0.5
"""A track ends after this many seconds without the face."""


class Seen(Enum):
    """Whether a picture, or the face in it, was seen before."""

    NEW = "new"
    AGAIN = "again"
    """The same as the picture directly before it. A driver or a recording sometimes gives a picture twice."""
    FROZEN = "frozen"
    """The same as an earlier picture."""


class Tracker:
    """Tracks one face, the largest. Each track has another number."""

    def __init__(self) -> None:
        self.track: int | None = None
        self._last = 0
        self.frames = 0
        """Number of new frames of the track since its last repeated frame."""
        self.since = 0.0
        """When the first of these frames was taken."""
        self.box = Box(0, 0, 0, 0)
        """The last position of the face."""
        self._seen_at = 0.0

    def follow(self, face: Face, at: float, seen: Seen = Seen.NEW) -> int:
        """The track of this face. It has a new number if the face is not where it was. `seen`: whether the frame is
        new."""
        if self.track is None or face.box.iou(self.box) < MIN_OVERLAP or at - self._seen_at > LOST_AFTER:
            self._last += 1
            self.track = self._last
            self.frames = 0
        if self.frames == 0 or seen is Seen.FROZEN:
            self.frames, self.since = 0, at
        self.frames += seen is Seen.NEW
        self.box, self._seen_at = face.box, at
        return self.track

    def lost(self, at: float) -> bool:
        """Takes a frame without a face. True once the track has ended."""
        if self.track is not None and at - self._seen_at > LOST_AFTER:
            self.track = None
        return self.track is None

    def drop(self) -> None:
        """Ends the track now."""
        self.track = None
