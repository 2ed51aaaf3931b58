"""Who was let in and has not gone: nobody is let in again by staying. Pure: times come with the frames."""

from __future__ import annotations

import math

GONE_SECONDS = 2.0
"""So long somebody must not have been there to count as gone. A hand before the face, or a detector that misses it for
some frames, is shorter; whoever walks away and comes back is longer away."""
LONGEST_STEP = 0.5
"""Seconds that one frame can tell of at most: while no frames come, nobody is known to have gone."""


class Presence:
    """Subjects by the seconds that they have been away. One face is followed at a time, and until it is known to be
    somebody else's it may be that of whoever was let in last."""

    def __init__(self) -> None:
        self._away: dict[str, float] = {}
        self._here: set[str] = set()
        self._at = -math.inf

    def __contains__(self, subject_id: str) -> bool:
        """Whether this subject was let in and has not gone since."""
        return subject_id in self._away

    @property
    def here(self) -> bool:
        """Whether the face that is there may be of somebody who was let in."""
        return bool(self._here)

    def look(self, at: float, somebody: bool) -> None:
        """Told of every frame: whether there is a face that may be presenting itself."""
        step = min(max(at - self._at, 0.0), LONGEST_STEP)
        self._at = at
        for subject_id in list(self._away):
            here = somebody and subject_id in self._here
            self._away[subject_id] = 0.0 if here else self._away[subject_id] + step
            if self._away[subject_id] >= GONE_SECONDS:
                self.forget(subject_id)

    def let_in(self, subject_id: str) -> None:
        """The face that is there now was let in."""
        self._away[subject_id] = 0.0
        self._here = {subject_id}

    def recognised(self, subject_id: str) -> None:
        """The face that is there now is this subject's: it has not gone, and everybody else is away."""
        if subject_id in self._away:
            self.let_in(subject_id)
        else:
            self.somebody_else()

    def somebody_else(self) -> None:
        """The face that is there now is of none of them: from now on their time away counts."""
        self._here = set()

    def forget(self, subject_id: str) -> None:
        """This subject has gone, or the door did not open."""
        self._away.pop(subject_id, None)
        self._here.discard(subject_id)
