"""Which faults stand: told when they come, and as over only once they have been over for a while.

A camera that drops one frame in ten, or a network that fails on every second picture, would else be two events, two
records and a flicker of the window for each bad frame.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kiosk.domain.decision import Reason

OVER_SECONDS = 3.0
"""A fault is over when what failed has worked since, and has not failed for so long..."""
LONGEST_SECONDS = 60.0
"""...twice as long each time that it comes back soon after, up to this: at most about 1,400 tellings a day."""
SOON = 10
"""So many times the wait is "soon"."""


@dataclass(slots=True)
class _Fault:
    """`seen_at` is when it was last seen, `over_at` when it was last told as over (seconds of the frames' clock);
    `works` whether it has worked since it was seen; `wait` how long it must not have been seen."""

    seen_at: float
    standing: bool = True
    works: bool = False
    over_at: float = 0.0
    wait: float = OVER_SECONDS


class StandingFaults:
    """Faults by their reason. Times are of the frames, in seconds, and do not fall."""

    def __init__(self) -> None:
        self._faults: dict[Reason, _Fault] = {}

    def __contains__(self, reason: Reason) -> bool:
        """Whether the fault stands: it was told, and its end was not."""
        fault = self._faults.get(reason)
        return fault is not None and fault.standing

    def see(self, reason: Reason, at: float) -> bool:
        """Something failed at `at`. Whether that is to be told: it did not stand."""
        fault = self._faults.get(reason)
        if fault is None:
            self._faults[reason] = _Fault(at)
            return True
        fault.seen_at, fault.works = at, False
        if fault.standing:
            return False
        soon = at - fault.over_at < SOON * fault.wait
        fault.wait = min(2 * fault.wait, LONGEST_SECONDS) if soon else OVER_SECONDS
        fault.standing = True
        return True

    def passed(self, reasons: Collection[Reason], at: float) -> list[Reason]:
        """What of `reasons` worked at `at`. Those faults, sorted, whose end is to be told now."""
        for reason in reasons:
            if reason in self:
                self._faults[reason].works = True
        over = [r for r, f in self._faults.items() if f.standing and f.works and at - f.seen_at >= f.wait]
        for reason in over:
            self._faults[reason].standing, self._faults[reason].over_at = False, at
        return sorted(over)
