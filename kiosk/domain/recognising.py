"""Recognises one person who was named before: staff who sign in, somebody who was just enrolled and comes back. Pure.

Stricter than the door in one thing: nothing of it is begun anew for a face that was not recognised.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

NEEDED, WINDOW = 3, 5
"""So many of so many frames must match, as at the door."""
DENIED = 3
"""PAD ends it when it denies so many of WINDOW frames."""
BUDGET = 30
"""After so many frames of a face that does not match it is over: two seconds at 15 frames a second."""
AWAY_SECONDS = 1.0
"""Somebody who is to step away must not be seen for so long."""
LOST_SECONDS = 0.5
"""Frames that are further apart are not of one look."""


class Result(StrEnum):
    """How it ended."""

    RECOGNISED = "recognised"
    NOT_RECOGNISED = "not_recognised"
    ATTACK = "attack"


class Recognition:
    """One try, told frame by frame."""

    def __init__(self, began_at: float, seconds: float, after_leaving: bool = False) -> None:
        """`seconds`: how long it may take. `after_leaving`: nothing counts before nobody was there for a while."""
        self._until = began_at + seconds
        self._gone_since: float | None = None
        self.away = not after_leaving
        """Whether the person has stepped away, if that is asked."""
        self._votes: deque[bool] = deque(maxlen=WINDOW)
        self._denials: deque[bool] = deque(maxlen=WINDOW)
        self._wrong = 0
        self._last = began_at
        self.result: Result | None = None

    @property
    def progress(self) -> float:
        """The share (0..1) of the frames that are needed."""
        return min(1.0, sum(self._votes) / NEEDED)

    def nobody(self, at: float) -> None:
        """Takes a frame without any face."""
        if self._gone_since is None:
            self._gone_since = at
        self.away = self.away or at - self._gone_since >= AWAY_SECONDS
        self._forget_after(at, LOST_SECONDS)
        self._late(at)

    def useless(self, at: float) -> None:
        """Takes a frame of a face that is no evidence."""
        self._gone_since = None
        self._forget_after(at, LOST_SECONDS)
        self._late(at)

    def judged(self, at: float, live: bool, mated: bool) -> None:
        """Takes a frame that PAD has judged and that was compared."""
        if self.result is not None:
            return
        self._gone_since = None
        self._denials.append(not live)
        if sum(self._denials) >= DENIED:
            self.result = Result.ATTACK
            return
        if self.away:
            self._count(at, live, mated)
        self._late(at)

    def _count(self, at: float, live: bool, mated: bool) -> None:
        self._forget_after(at, LOST_SECONDS)
        self._last = at
        if not live:
            self._votes.clear()
            return
        self._votes.append(mated)
        self._wrong += not mated
        if sum(self._votes) >= NEEDED:
            self.result = Result.RECOGNISED
        elif self._wrong >= BUDGET:
            self.result = Result.NOT_RECOGNISED

    def _forget_after(self, at: float, seconds: float) -> None:
        if at - self._last > seconds:
            self._votes.clear()

    def _late(self, at: float) -> None:
        if self.result is None and at >= self._until:
            self.result = Result.NOT_RECOGNISED
