"""A refused person must wait; nobody else must. Pure: times come with the calls, in seconds of the frames' clock.

A refusal that counts against no face (a poor picture, a second face, a recognised person) belongs to its track and its
place. A face that was compared and not recognised is remembered by its feature vector. So the next person need not wait
for it, and it cannot get new attempts by stepping aside or letting another person step in. Feature vectors are kept
only in memory, and for at most an hour.

A face that is let in has its refusals forgotten, except those with a claim: whoever is let in by the own number could
otherwise try everybody else's in between.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kiosk.domain.attempt import Rules
from kiosk.domain.face import Box, Vector
from kiosk.domain.refusals import HOUR

ATTEMPTS_AN_HOUR = 10
"""Most refused attempts of one face within an hour. After these it is not compared."""
QUIET_SECONDS = 60.0
"""Refusals no longer count as "in a row" after this time without one, so that old refusals do not lengthen a pause."""
MOST_FACES = 64
"""Most faces remembered. The face whose last refusal is oldest is forgotten first."""
UNTOLD = 1.0
"""A wait of so many seconds is said without a number: it is over at once, or nobody is told how many tries are left."""
LOOK_AGAIN = 1.0
"""Shortest time in seconds before a track whose face must wait is looked at again."""
TOLD_AGAIN = 60.0
"""Shortest time in seconds between two reports that a face has used up its attempts."""
SAME_PLACE = 0.3
"""Smallest overlap (IoU) of two faces' boxes that counts as the same place."""


@dataclass(slots=True)
class _Row:
    """Refusals in a row, and the end of the pause after the last."""

    count: int = 0
    until: float = 0.0

    def refused(self, rules: Rules, at: float) -> float:
        """Counts one more refusal, and returns the end of its pause."""
        self.count = 1 if at - self.until > QUIET_SECONDS else self.count + 1
        self.until = at + rules.pause_after(self.count)
        return self.until


@dataclass(slots=True)
class _Refused:
    """A refused face: its last vector, the times of its refusals within the last hour, those of them that had a claim,
    and its refusals in a row."""

    vector: Vector
    times: deque[float] = field(default_factory=deque)
    claimed: deque[float] = field(default_factory=deque)
    row: _Row = field(default_factory=_Row)
    told_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class _Pause:
    """A pause of a track, and for some time also of its place."""

    track: int
    place: Box | None
    until: float
    ends: float | None
    """When the wait is over for the person. The track may be looked at before, because another person may have come.
    None if nobody is told."""


class Patience:
    """Remembers refusals. For one thread. `alike` says whether two feature vectors are of one face."""

    def __init__(self, rules: Rules, alike: Callable[[Vector, Vector], bool]) -> None:
        self._rules = rules
        self._alike = alike
        self._faces: list[_Refused] = []
        self._pauses: list[_Pause] = []
        self._tracks: dict[int, _Row] = {}
        self._faults = _Row()

    def waits(self, track: int, box: Box, at: float) -> float:
        """Seconds for which no attempt may open for the face of this track, or for any face in this place; 0 if one
        may. UNTOLD if it is not said for how long."""
        self._pauses = [p for p in self._pauses if at < p.until]
        here = [p for p in self._pauses if p.track == track or (p.place and box.iou(p.place) >= SAME_PLACE)]
        return max((UNTOLD if p.ends is None else max(p.ends - at, UNTOLD / 2) for p in here), default=0.0)

    def had_enough(self, vector: Vector, track: int, at: float) -> bool:
        """Whether this face must not be compared, because it was refused and must wait, or has used up its attempts.
        Its track then waits and is looked at again, because another person may have taken its place."""
        face = self._known(vector, at)
        if face is None:
            return False
        spent = len(face.times) >= ATTEMPTS_AN_HOUR
        if at >= face.row.until and not spent:
            return False
        self._pause(track, None, at + max(self._rules.pause, LOOK_AGAIN), None if spent else face.row.until)
        return True

    def to_tell(self, vector: Vector, at: float) -> bool:
        """Whether to report that this face has used up its attempts and is here again. True at most once in
        TOLD_AGAIN."""
        face = self._known(vector, at)
        if face is None or len(face.times) < ATTEMPTS_AN_HOUR or at - face.told_at < TOLD_AGAIN:
            return False
        face.told_at = at
        return True

    def refused(self, vectors: Sequence[Vector], track: int, box: Box, at: float, *, claimed: bool = False) -> None:
        """Takes a refused attempt. `vectors`: those that it counts against. Without any, its track waits
        longer each time. `claimed`: whether it was compared with a claimed person."""
        self._pause(track, box, at + self._rules.pause, at + self._rules.pause)
        if vectors:
            self.charge(vectors, at, claimed=claimed)
            return
        self._tracks = {t: row for t, row in self._tracks.items() if at - row.until <= QUIET_SECONDS}
        until = self._tracks.setdefault(track, _Row()).refused(self._rules, at)
        self._pause(track, None, until, until)

    def charge(self, vectors: Sequence[Vector], at: float, *, claimed: bool = False) -> None:
        """Counts one attempt against each face that these vectors show."""
        charged: list[_Refused] = []
        for vector in vectors:
            face = self._known(vector, at)
            if face is None:
                face = _Refused(vector)
                self._faces = [*self._faces, face][-MOST_FACES:]
            face.vector = vector
            if not any(face is other for other in charged):
                charged.append(face)
                face.times.append(at)
                if claimed:
                    face.claimed.append(at)
                face.row.refused(self._rules, at)

    def after_fault(self, at: float) -> float:
        """The time when people may try again after a fault of the kiosk."""
        return self._faults.refused(self._rules, at)

    def granted(self, vector: Vector, at: float) -> None:
        """Notes that the face of this vector was let in. Its earlier refusals are forgotten, but for those with a
        claim."""
        known = self._known(vector, at)
        if known is not None:
            known.times, known.row = known.claimed.copy(), _Row()
            self._faces = [f for f in self._faces if f.times]
        self._faults = _Row()

    def _pause(self, track: int, place: Box | None, until: float, ends: float | None) -> None:
        self._pauses = [*self._pauses, _Pause(track, place, until, ends)][-MOST_FACES:]

    def _known(self, vector: Vector, at: float) -> _Refused | None:
        """What is remembered of this face. Forgets refusals that are older than an hour."""
        for face in self._faces:
            for times in (face.times, face.claimed):
                while times and at - times[0] >= HOUR:
                    times.popleft()
        self._faces = [f for f in self._faces if f.times]
        return next((f for f in self._faces if self._alike(f.vector, vector)), None)
