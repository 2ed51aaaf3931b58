"""Whoever was refused waits; nobody else does. Pure: times come with the calls, seconds of the frames' clock.

A refusal without a comparison (a poor picture, a second face) belongs to its track and place. A face that was compared
is recognised by its template, so that who comes next need not wait for it, and it cannot begin anew by stepping aside.
Templates are in memory only, and for an hour at most.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kiosk.domain.attempt import Rules
from kiosk.domain.types import Box, Reason, Template

HOUR = 3600.0
ATTEMPTS_AN_HOUR = 10
"""Refused attempts of one face within an hour; after these it is not compared."""
QUIET_SECONDS = 60.0
"""So long after a pause, refusals no longer count as in a row: the morning does not pay for the night."""
MOST_FACES = 64
"""Faces remembered at most; the one refused longest ago is forgotten first."""
LOOK_AGAIN = 1.0
"""Seconds at least until a track whose face had enough is looked at again."""
SAME_PLACE = 0.3
"""Overlap (IoU) of two faces' boxes from which on they are in one place."""

UNUSUAL = 60
"""Refusals of people within an hour that others are told of."""
ABOUT_PEOPLE = frozenset(
    {Reason.NOT_ENROLLED, Reason.AMBIGUOUS, Reason.PRESENTATION_ATTACK, Reason.INCOMPLETE, Reason.SEVERAL_FACES}
)
"""Refusals that say something of who stands there, and nothing of the kiosk or the light."""


class Unusual:
    """Notices an unusual number of refusals. Times in seconds of one clock."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=UNUSUAL)
        self._told_at = -math.inf

    def refused(self, reason: Reason, at: float) -> bool:
        """Whether this refusal makes them unusual: told once an hour at most."""
        if reason not in ABOUT_PEOPLE:
            return False
        self._times.append(at)
        many = len(self._times) == UNUSUAL and at - self._times[0] < HOUR
        if not many or at - self._told_at < HOUR:
            return False
        self._told_at = at
        return True


@dataclass(slots=True)
class _Refused:
    """A face: its last template, when it was refused within the last hour, refusals in a row, end of its pause."""

    template: Template
    times: deque[float] = field(default_factory=deque)
    row: int = 0
    until: float = 0.0


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
        self._row, self._until = 0, 0.0

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
        if at >= face.until and not spent:
            return False
        self._pause(track, None, at + max(self._rules.pause, LOOK_AGAIN))
        return True

    def refused(self, template: Template | None, track: int, box: Box, at: float) -> None:
        """An attempt was refused. `template`: of the face, where it was compared."""
        self._pause(track, box, at + self._rules.pause)
        if template is None:
            self._pause(track, None, self.after_fault(at))
            return
        face = self._known(template, at)
        if face is None:
            face = _Refused(template)
            self._faces = [*self._faces, face][-MOST_FACES:]
        face.template = template
        face.row = 1 if at - face.until > QUIET_SECONDS else face.row + 1
        face.times.append(at)
        face.until = at + self._rules.pause_after(face.row)

    def after_fault(self, at: float) -> float:
        """When whoever was refused without a comparison may try again: a fault of the kiosk, or a poor picture."""
        self._row = 1 if at - self._until > QUIET_SECONDS else self._row + 1
        self._until = at + self._rules.pause_after(self._row)
        return self._until

    def granted(self, template: Template, at: float) -> None:
        """The face of this template was let in: what it was refused before is forgotten."""
        known = self._known(template, at)
        self._faces = [f for f in self._faces if f is not known]
        self._row = 0

    def _pause(self, track: int, place: Box | None, until: float) -> None:
        self._pauses = [*self._pauses, _Pause(track, place, until)][-MOST_FACES:]

    def _known(self, template: Template, at: float) -> _Refused | None:
        """What is known of this face; what is older than an hour is forgotten."""
        for face in self._faces:
            while face.times and at - face.times[0] >= HOUR:
                face.times.popleft()
        self._faces = [f for f in self._faces if f.times]
        return next((f for f in self._faces if self._alike(f.template, template)), None)
