"""Remembers who was let in and has not left, so that nobody is let in again by staying. Pure: times come with the
frames."""

from __future__ import annotations

import math

GONE_SECONDS = 2.0
"""A person counts as gone after this time without being seen. It is longer than a hand before the face or some missed
frames of the detector, and shorter than walking away and coming back."""
LONGEST_STEP = 0.5
"""Most seconds of absence that one frame can add: without frames it is not known whether a person has left."""


class Presence:
    """The subjects who were let in, with the seconds that they have been away. One face is followed at a time. Until it
    is known to be another person's, it may be the face of the person who was let in last."""

    def __init__(self) -> None:
        self._away: dict[str, float] = {}
        self._here: set[str] = set()
        self._at = -math.inf

    def __contains__(self, subject_id: str) -> bool:
        """Whether this subject was let in and has not left since."""
        return subject_id in self._away

    @property
    def here(self) -> bool:
        """Whether the present face may be that of a person who was let in."""
        return bool(self._here)

    def look(self, at: float, somebody: bool) -> None:
        """Takes every frame's time, and whether it shows a face that may present itself."""
        step = min(max(at - self._at, 0.0), LONGEST_STEP)
        self._at = at
        for subject_id in list(self._away):
            here = somebody and subject_id in self._here
            self._away[subject_id] = 0.0 if here else self._away[subject_id] + step
            if self._away[subject_id] >= GONE_SECONDS:
                self.forget(subject_id)

    def let_in(self, subject_id: str) -> None:
        """Notes that the present face was let in as this subject."""
        self._away[subject_id] = 0.0
        self._here = {subject_id}

    def recognised(self, subject_id: str) -> None:
        """Notes that the present face is this subject's. So this subject has not left, and all others are away."""
        if subject_id in self._away:
            self.let_in(subject_id)
        else:
            self.somebody_else()

    def somebody_else(self) -> None:
        """Notes that the present face is of none of these subjects. From now on all of them count as away."""
        self._here = set()

    def forget(self, subject_id: str) -> None:
        """Removes a subject who has left, or for whom the door did not open."""
        self._away.pop(subject_id, None)
        self._here.discard(subject_id)
