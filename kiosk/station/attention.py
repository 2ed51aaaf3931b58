"""How often the camera is read, its picture shown, and a face searched: each at a rate of its own, and all of them less
in an empty room. While a person is present, every frame is searched that the pipeline has time for.

The camera's thread asks `shown` and `rest`, the pipeline's the others.
"""

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
EMPTY_REST = 0.1
"""For so long a camera is not read after a frame of an empty room that is searched. Of a USB camera at 30 frames a
second two JPEGs of three are not decoded then: 0.9 ms of a busy AMD core for each search, which takes 1.4 ms."""
PREVIEW_GAP = 0.045
"""Shortest time between two pictures that are shown: of 15 and 20 a second each one, of 30 every second one."""
EMPTY_PREVIEW_GAP = 0.18
"""The same in an empty room: five a second."""


class Attention:
    """Is asked before each frame, and told its result. Times are those of the frames."""

    def __init__(self) -> None:
        self._searched_at = -math.inf
        self._somebody_at = math.inf
        self._shown_at = -math.inf
        self._rested_at = -math.inf

    def due(self, frame: Frame) -> bool:
        """Whether to search this frame."""
        return not (self._empty(frame) and _soon(frame, self._searched_at, EMPTY_GAP))

    def shown(self, frame: Frame) -> bool:
        """Whether to show this frame."""
        if _soon(frame, self._shown_at, EMPTY_PREVIEW_GAP if self._empty(frame) else PREVIEW_GAP):
            return False
        self._shown_at = frame.captured_at
        return True

    def rest(self, frame: Frame) -> float:
        """Seconds for which the camera need not be read after this frame. None after one that waited in a queue since
        the last rest: it comes too soon to be searched, and the next one is wanted."""
        if not self._empty(frame) or _soon(frame, self._rested_at, EMPTY_GAP):
            return 0.0
        self._rested_at = frame.captured_at
        return EMPTY_REST

    def used(self, frame: Frame) -> None:
        """Takes note that the frame is somebody else's: of staff, who use the camera."""
        self._somebody_at = frame.captured_at

    def somebody(self, frame: Frame) -> bool:
        """Whether a person was there in this frame, or shortly before."""
        return 0 <= frame.captured_at - self._somebody_at < NOBODY_SECONDS

    def found(self, frame: Frame, findings: Sequence[Finding]) -> None:
        """Takes the pipeline's findings for a frame. Any finding other than Waiting means that a person is present."""
        self._searched_at = frame.captured_at
        if self._somebody_at > frame.captured_at or not all(isinstance(finding, Waiting) for finding in findings):
            self._somebody_at = frame.captured_at

    def _empty(self, frame: Frame) -> bool:
        return frame.captured_at - self._somebody_at >= NOBODY_SECONDS


def _soon(frame: Frame, last: float, gap: float) -> bool:
    """Whether the frame was taken less than `gap` seconds after the last one. A time that went back is of another
    camera, and not soon."""
    return 0 <= frame.captured_at - last < gap
