"""Counts how many people were refused within an hour, and what follows from that. Pure: times come with the calls, in
seconds of a clock that nobody can set."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from kiosk.domain.decision import Reason

HOUR = 3600.0
UNUSUAL = 60
"""Number of refused people within an hour that is reported as unusual."""
ABOUT_PEOPLE = frozenset(
    {
        Reason.NOT_ENROLLED,
        Reason.AMBIGUOUS,
        Reason.PRESENTATION_ATTACK,
        Reason.INCOMPLETE,
        Reason.SEVERAL_FACES,
        Reason.TOO_MANY_ATTEMPTS,
        Reason.NOT_VERIFIED,
        Reason.WRONG_PIN,
        Reason.PIN_WAITS,
        Reason.VISITOR_REFUSED,
    }
)
"""Refusals that are about the person, and not about the kiosk or the light."""
UNCLEAR = frozenset({Reason.POOR_QUALITY, Reason.CAMERA_UNAVAILABLE, Reason.CAMERA_TAKEN})
"""Refusals because no frame was good enough, or staff took the camera, which the person before it can bring about."""


def counts(reason: Reason, compared: bool) -> bool:
    """Whether a refusal counts as one of a person. `compared`: whether the attempt compared something. If it did,
    blurring or hiding the face afterwards must not make its comparisons free."""
    return reason in ABOUT_PEOPLE or (compared and reason in UNCLEAR)


class Unusual:
    """Notices an unusual number of refusals."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=UNUSUAL)
        self._told_at = -math.inf

    def refused(self, reason: Reason, at: float, compared: bool = False) -> bool:
        """Takes a refusal. True if the number is now unusual and this was not reported within the last hour."""
        if not counts(reason, compared):
            return False
        self._times.append(at)
        many = len(self._times) == UNUSUAL and at - self._times[0] < HOUR
        if not many or at - self._told_at < HOUR:
            return False
        self._told_at = at
        return True


class FaceLimit(Protocol):
    """Tells whether a face alone may open the door now. For one thread."""

    def refused(self, reason: Reason, at: float, compared: bool = False) -> None:
        """Takes a refusal. `compared`: see `counts`."""

    def off(self, at: float) -> bool:
        """Whether no face is compared, and none is let in."""


class FaceAlone:
    """Turns face alone off for an hour after the `limit`-th refusal of people within an hour. None: there is no limit.

    Only the last `limit` refusals are kept. That is enough, because nobody is refused while face alone is off, and when
    it is on again all of them are at least an hour old.
    """

    def __init__(self, limit: int | None, times: Iterable[float] = ()) -> None:
        """`times` of earlier refusals, in ascending order."""
        self._limit = limit
        self._times: deque[float] = deque(times, maxlen=limit or 0)

    def refused(self, reason: Reason, at: float, compared: bool = False) -> None:
        """Takes a refusal, if it counts as one of a person."""
        if counts(reason, compared):
            self._times.append(at)

    def off(self, at: float) -> bool:
        """Whether no face is compared, and none is let in."""
        return self.seconds_off(at) > 0

    def seconds_off(self, at: float) -> float:
        """Seconds for which face alone stays off; 0 while it is on."""
        if self._limit is None or len(self._times) < self._limit or self._times[-1] - self._times[0] >= HOUR:
            return 0.0
        return max(0.0, self._times[-1] + HOUR - at)

    def count(self, at: float) -> int:
        """Number of refusals within the last hour, at most `limit`."""
        return sum(at - time < HOUR for time in self._times)

    def reset(self) -> None:
        """Forgets all refusals so far."""
        self._times.clear()
