"""Debounces inputs, and detects inputs that change too often. Has no clock: `now` (s) is passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

CHATTER_CHANGES = 20
CHATTER_SECONDS = 10.0
"""An input with more than CHATTER_CHANGES changes in CHATTER_SECONDS is faulty. The fault ends after CHATTER_SECONDS
without a change."""


@dataclass(slots=True)
class Debounced:
    """An input whose level is accepted once it has been the same for `seconds`. The first reading is accepted at
    once."""

    seconds: float
    level: bool | None = None
    due: float | None = None
    """When the pending level will be accepted, if it is still the same."""
    since: float = 0.0
    """When the accepted level was first read."""
    _raw: bool | None = None
    _seen: float = 0.0

    def read(self, level: bool, now: float) -> bool:
        """Takes a reading. True if the accepted level has changed."""
        if level != self._raw:
            self._raw, self._seen = level, now
            self.due = None if level == self.level else now + self.seconds
        first = self.level is None
        if level == self.level or not (first or (self.due is not None and now >= self.due)):
            return False
        self.level, self.since, self.due = level, self._seen, None
        return True


@dataclass(slots=True)
class Flips:
    """Detects an input that changes too often (chatters)."""

    _raw: bool | None = None
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=CHATTER_CHANGES + 1))

    def read(self, level: bool, now: float) -> bool | None:
        """Takes a reading. True: the input chatters. False: it is quiet. None: the last result still holds."""
        if self._raw is not None and level != self._raw:
            self._times.append(now)
        self._raw = level
        if len(self._times) > CHATTER_CHANGES and now - self._times[0] <= CHATTER_SECONDS:
            return True
        quiet = not self._times or now - self._times[-1] >= CHATTER_SECONDS
        return False if quiet else None
