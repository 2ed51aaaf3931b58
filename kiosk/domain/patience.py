"""Whoever was refused waits; nobody else does. Pure: times come with the calls, seconds of the frames' clock.

A refusal that counts against no face (a poor picture, a second face, somebody recognised) belongs to its track and its
place. A face that was compared and not recognised is known by its template, so that who comes next need not wait for
it, and it cannot begin anew by stepping aside or by letting somebody else step in.
Templates are in memory only, and for an hour at most.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kiosk.domain.attempt import Rules
from kiosk.domain.face import Box
from kiosk.domain.people import Template
from kiosk.domain.refusals import HOUR

ATTEMPTS_AN_HOUR = 10
"""Refused attempts of one face within an hour; after these it is not compared."""
QUIET_SECONDS = 60.0
"""So long after a pause, refusals no longer count as in a row: the morning does not pay for the night."""
MOST_FACES = 64
"""Faces remembered at most; the one refused longest ago is forgotten first."""
LOOK_AGAIN = 1.0
"""Seconds at least until a track whose face had enough is looked at again."""
TOLD_AGAIN = 60.0
"""Seconds at least until it is told again that a face had its attempts."""
SAME_PLACE = 0.3
"""Overlap (IoU) of two faces' boxes from which on they are in one place."""


@dataclass(slots=True)
class _Row:
    """Refusals in a row, and the end of the pause after the last."""

    count: int = 0
    until: float = 0.0

    def refused(self, rules: Rules, at: float) -> float:
        """One more: the end of its pause."""
        self.count = 1 if at - self.until > QUIET_SECONDS else self.count + 1
        self.until = at + rules.pause_after(self.count)
        return self.until


@dataclass(slots=True)
class _Refused:
    """A face: its last template, when it was refused within the last hour, its row."""

    template: Template
    times: deque[float] = field(default_factory=deque)
    row: _Row = field(default_factory=_Row)
    told_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class _Pause:
    """Of a track, and for some time of its place."""

    track: int
    place: Box | None
    until: float


class Patience:
    """Used by one thread. `alike` says whether two templates are of one face."""

    def __init__(self, rules: Rules, alike: Callable[[Template, Template], bool]) -> None:
        self._rules = rules
        self._alike = alike
        self._faces: list[_Refused] = []
        self._pauses: list[_Pause] = []
        self._tracks: dict[int, _Row] = {}
        self._faults = _Row()

    def waits(self, track: int, box: Box, at: float) -> bool:
        """Whether no attempt may open yet: for the face of this track, or for any face in this place."""
        self._pauses = [p for p in self._pauses if at < p.until]
        return any(p.track == track or (p.place is not None and box.iou(p.place) >= SAME_PLACE) for p in self._pauses)

    def had_enough(self, template: Template, track: int, at: float) -> bool:
        """Whether this face was refused before and must wait, or has had its attempts: it is not to be compared. Its
        track waits, and is then looked at again: somebody else may have taken its place."""
        face = self._known(template, at)
        if face is None:
            return False
        spent = len(face.times) >= ATTEMPTS_AN_HOUR
        if at >= face.row.until and not spent:
            return False
        self._pause(track, None, at + max(self._rules.pause, LOOK_AGAIN))
        return True

    def to_tell(self, template: Template, at: float) -> bool:
        """Whether this face has had its attempts, and is there again: told once in a while."""
        face = self._known(template, at)
        if face is None or len(face.times) < ATTEMPTS_AN_HOUR or at - face.told_at < TOLD_AGAIN:
            return False
        face.told_at = at
        return True

    def refused(self, templates: Sequence[Template], track: int, box: Box, at: float) -> None:
        """An attempt was refused. `templates`: those it counts against; where there are none, its track waits for
        longer each time."""
        self._pause(track, box, at + self._rules.pause)
        if templates:
            self.charge(templates, at)
            return
        self._tracks = {t: row for t, row in self._tracks.items() if at - row.until <= QUIET_SECONDS}
        self._pause(track, None, self._tracks.setdefault(track, _Row()).refused(self._rules, at))

    def charge(self, templates: Sequence[Template], at: float) -> None:
        """Counts one attempt against each face that these templates show."""
        charged: list[_Refused] = []
        for template in templates:
            face = self._known(template, at)
            if face is None:
                face = _Refused(template)
                self._faces = [*self._faces, face][-MOST_FACES:]
            face.template = template
            if not any(face is other for other in charged):
                charged.append(face)
                face.times.append(at)
                face.row.refused(self._rules, at)

    def after_fault(self, at: float) -> float:
        """When anybody may try again after a fault of the kiosk."""
        return self._faults.refused(self._rules, at)

    def granted(self, template: Template, at: float) -> None:
        """The face of this template was let in: what it was refused before is forgotten."""
        known = self._known(template, at)
        self._faces = [f for f in self._faces if f is not known]
        self._faults = _Row()

    def _pause(self, track: int, place: Box | None, until: float) -> None:
        self._pauses = [*self._pauses, _Pause(track, place, until)][-MOST_FACES:]

    def _known(self, template: Template, at: float) -> _Refused | None:
        """What is known of this face; what is older than an hour is forgotten."""
        for face in self._faces:
            while face.times and at - face.times[0] >= HOUR:
                face.times.popleft()
        self._faces = [f for f in self._faces if f.times]
        return next((f for f in self._faces if self._alike(f.template, template)), None)
