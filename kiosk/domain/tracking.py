"""Follows the face in front of the kiosk from frame to frame, so that an attempt rests on one person."""

from __future__ import annotations

from enum import Enum

from kiosk.domain.face import Box, Face

MIN_OVERLAP = 0.3
"""Intersection over union of a face's boxes in two frames; less is a jump: another track."""
LOST_AFTER = 0.5
"""Seconds without the face until its track ends."""


class Seen(Enum):
    """What is known of a picture, or of the face in it."""

    NEW = "new"
    AGAIN = "again"
    """The very picture before it: a driver gives one twice at times, and so does a recording."""
    FROZEN = "frozen"
    """It was there earlier."""


class Tracker:
    """Tracks one face, the largest. A new number for each track."""

    def __init__(self) -> None:
        self.track: int | None = None
        self._last = 0
        self.frames = 0
        """Frames of the track that showed something new, since one last showed what was there before."""
        self.since = 0.0
        """When the first of them was taken."""
        self.box = Box(0, 0, 0, 0)
        """Where the face was last."""
        self._seen_at = 0.0

    def follow(self, face: Face, at: float, seen: Seen = Seen.NEW) -> int:
        """The track of this face; another number than before when it is not where it was. `seen`: what is known of the
        frame."""
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
        """Told that a frame has no face: True once the track has ended."""
        if self.track is not None and at - self._seen_at > LOST_AFTER:
            self.track = None
        return self.track is None

    def drop(self) -> None:
        """Ends the track now."""
        self.track = None
