"""Chooses the frames that are searched for a face: every frame while a person is present, fewer in an empty room."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kiosk.domain.face import Frame
from kiosk.domain.updates import Finding, Waiting

NOBODY_SECONDS = 5.0
"""After this time without a face the room counts as empty. It is longer than an attempt and longer than a short look to
the side."""
EMPTY_GAP = 0.09
"""Shortest time between two searches of an empty room. At 15 frames a second every second frame is searched, at 30
every third. A face is found at most 0.13 s later."""


class Attention:
    """Is asked before each frame, and told its result. Times are those of the frames."""

    def __init__(self) -> None:
        self._searched_at = -math.inf
        self._somebody_at = math.inf

    def due(self, frame: Frame) -> bool:
        """Whether to search this frame."""
        since = frame.captured_at - self._searched_at
        empty = frame.captured_at - self._somebody_at >= NOBODY_SECONDS
        # A time that went back is of another camera: search the frame.
        return not (empty and 0 <= since < EMPTY_GAP)

    def somebody(self, frame: Frame) -> bool:
        """Whether a person was there in this frame, or shortly before."""
        return 0 <= frame.captured_at - self._somebody_at < NOBODY_SECONDS

    def found(self, frame: Frame, findings: Sequence[Finding]) -> None:
        """Takes the pipeline's findings for a frame. Any finding other than Waiting means that a person is present."""
        self._searched_at = frame.captured_at
        if self._somebody_at > frame.captured_at or not all(isinstance(finding, Waiting) for finding in findings):
            self._somebody_at = frame.captured_at
