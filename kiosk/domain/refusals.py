"""How many people were refused within an hour, and what follows. Pure: times come with the calls, seconds of one clock
that nobody sets."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from kiosk.domain.decision import Reason

HOUR = 3600.0
UNUSUAL = 60
"""Refusals of people within an hour that others are told of."""
ABOUT_PEOPLE = frozenset(
    {
        Reason.NOT_ENROLLED,
        Reason.AMBIGUOUS,
        Reason.PRESENTATION_ATTACK,
        Reason.INCOMPLETE,
        Reason.SEVERAL_FACES,
        Reason.TOO_MANY_ATTEMPTS,
    }
)
"""Refusals that say something of who stands there, and nothing of the kiosk or the light."""


class Unusual:
    """Notices an unusual number of refusals."""

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


class FaceLimit(Protocol):
    """Whether a face alone may open the door now. For one thread."""

    def refused(self, reason: Reason, at: float) -> None:
        """Somebody was refused."""

    def off(self, at: float) -> bool:
        """Whether no face is compared, and none is let in."""


class FaceAlone:
    """Off for an hour after a refusal of people that is the `limit`-th within an hour. None: there is no limit.

    Only the last `limit` refusals are kept. They say it all: while it is off nobody is refused, and once it is on again
    each of them is an hour old.
    """

    def __init__(self, limit: int | None, times: Iterable[float] = ()) -> None:
        """`times` of the refusals before, which do not fall."""
        self._limit = limit
        self._times: deque[float] = deque(times, maxlen=limit or 0)

    def refused(self, reason: Reason, at: float) -> None:
        """Counts those of ABOUT_PEOPLE."""
        if reason in ABOUT_PEOPLE:
            self._times.append(at)

    def off(self, at: float) -> bool:
        """Whether no face is compared, and none is let in."""
        return self.seconds_off(at) > 0

    def seconds_off(self, at: float) -> float:
        """So long it stays off; 0 while it is on."""
        if self._limit is None or len(self._times) < self._limit or self._times[-1] - self._times[0] >= HOUR:
            return 0.0
        return max(0.0, self._times[-1] + HOUR - at)

    def count(self, at: float) -> int:
        """Refusals within the last hour, `limit` at most."""
        return sum(at - time < HOUR for time in self._times)

    def reset(self) -> None:
        """No refusal so far counts any more."""
        self._times.clear()
