"""Which frames are searched for a face: each while somebody is there, and fewer while nobody has been for a while."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kiosk.domain.face import Frame
from kiosk.domain.updates import Finding, Waiting

NOBODY_SECONDS = 5.0
"""Without a face for so long, the room counts as empty. Longer than an attempt, and than a glance aside."""
EMPTY_GAP = 0.09
"""Seconds between two searches of an empty room: of 15 frames a second each second is searched, of 30 each third. A
face is found 0.13 s later at most."""


class Attention:
    """Asked before each frame, and told what came of it. Times are those of the frames."""

    def __init__(self) -> None:
        self._searched_at = -math.inf
        self._somebody_at = math.inf

    def due(self, frame: Frame) -> bool:
        """Whether this frame is to be searched."""
        since = frame.captured_at - self._searched_at
        empty = frame.captured_at - self._somebody_at >= NOBODY_SECONDS
        # A time that went back is another camera's: nothing is known of it.
        return not (empty and 0 <= since < EMPTY_GAP)

    def found(self, frame: Frame, findings: Sequence[Finding]) -> None:
        """What the pipeline said of a frame. Anything but that it waits keeps every frame searched."""
        self._searched_at = frame.captured_at
        if self._somebody_at > frame.captured_at or not all(isinstance(finding, Waiting) for finding in findings):
            self._somebody_at = frame.captured_at
