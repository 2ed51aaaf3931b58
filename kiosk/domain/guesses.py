"""How fast all people together may guess: with other people's numbers and a PIN, or with other people's numbers and a
face.

After CROWD wrong ones within an hour the next one is looked at EACH seconds after the last one. So nobody waits longer
than that, whatever somebody did before, and whoever stays at the keypad has at most CROWD + 60 an hour, over all
numbers. Numbers that nobody has count like others: a wait that comes later would tell which numbers there are. What was
right takes nothing. Pure: times come with the calls, in seconds of a clock that nobody can set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

CROWD = 20
"""As many as a child types in some minutes, or twenty people who all mistype once within an hour."""
EACH, HOUR = 60.0, 3600.0
SOON = 3
"""Wrong ones after a start before the next one waits: what was before it is not known."""


def crowd_wait(times: Sequence[float], now: float) -> float:
    """Seconds until another try is looked at, whoever it is of. `times`: of the latest CROWD wrong ones of all people,
    oldest first."""
    if len(times) < CROWD:
        return 0.0
    return max(0.0, min(times[-1] + EACH, times[-CROWD] + HOUR) - now)


class Guesses:
    """Wrong ones since the start, in memory. For one thread."""

    def __init__(self, now: float) -> None:
        self._times = deque([now] * (CROWD - SOON), maxlen=CROWD)

    def wrong(self, at: float) -> None:
        """Takes one."""
        self._times.append(at)

    def wait(self, now: float) -> float:
        """Seconds until the next one is looked at."""
        return crowd_wait(self._times, now)
