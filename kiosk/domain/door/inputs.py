"""When the level of an input is believed, and when it changes too often to be one. No clock: `now` (s) is passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

CHATTER_CHANGES = 20
CHATTER_SECONDS = 10.0
"""A contact or a button that changes more often than that in so long is not one. The fault ends after as long a
quiet."""


@dataclass(slots=True)
class Debounced:
    """An input that is believed once it has been the same for `seconds`; its first reading at once."""

    seconds: float
    level: bool | None = None
    due: float | None = None
    """When another reading of the same level will be believed."""
    since: float = 0.0
    """When the level that is believed was first seen."""
    _raw: bool | None = None
    _seen: float = 0.0

    def read(self, level: bool, now: float) -> bool:
        """Takes a reading; whether what is believed has changed with it."""
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
    """How often an input changes."""

    _raw: bool | None = None
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=CHATTER_CHANGES + 1))

    def read(self, level: bool, now: float) -> bool | None:
        """Takes a reading. True: it chatters. False: it is quiet. None: neither, so what was said last holds."""
        if self._raw is not None and level != self._raw:
            self._times.append(now)
        self._raw = level
        if len(self._times) > CHATTER_CHANGES and now - self._times[0] <= CHATTER_SECONDS:
            return True
        quiet = not self._times or now - self._times[-1] >= CHATTER_SECONDS
        return False if quiet else None
