"""Tells a person at a keyboard from a scanner that types. Pure: no Qt, no clock.

A reader that pretends to be a keyboard sends its text in one burst, with Enter at the end. A person's fingers are much
slower: 80 ms between two keys is a fast typist.
"""

from __future__ import annotations

import math

BURST_SECONDS = 0.05
"""Two keys that are nearer to each other than this were not typed by a person."""
QUIET_SECONDS = 0.5
"""After a burst nothing is taken until so long nothing came."""


class Pace:
    """Give it the time of each key. For one field."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._burst = False

    def key(self, at: float) -> bool:
        """Whether a key at `at` (seconds) counts. When it returns False, all that was typed so far must be dropped: it
        came from the same burst."""
        since, self._last = at - self._last, at
        if self._burst and since < QUIET_SECONDS:
            return False
        self._burst = since < BURST_SECONDS
        return not self._burst
