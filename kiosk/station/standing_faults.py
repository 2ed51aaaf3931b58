"""Tracks which faults are present. Reports a fault when it comes, and its end only after it has been gone for a while.

Otherwise a camera that drops one frame in ten, or a network that fails on every second picture, would cause two events,
two records and a flicker of the window for each bad frame.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kiosk.domain.decision import Reason

OVER_SECONDS = 3.0
"""A fault is over when the failed part has worked since, and has not failed for this time."""
LONGEST_SECONDS = 60.0
"""The time doubles up to this, each time that the fault soon comes back. So there are at most about 1,400 reports a
day."""
SOON = 10
"""A fault comes back "soon" if it does so within this many times the wait."""

WHOLE_FRAME = frozenset({Reason.CAMERA_UNAVAILABLE, Reason.STALE_FRAME, Reason.INTERNAL_FAULT})
"""Faults that end when a fresh frame is processed without a fault."""


@dataclass(slots=True)
class _Fault:
    """A fault. `seen_at`: when it was last seen. `over_at`: when its end was last reported (seconds of the frames'
    clock). `works`: whether the part has worked since. `wait`: how long it must not be seen before it counts as
    over."""

    seen_at: float
    standing: bool = True
    works: bool = False
    over_at: float = 0.0
    wait: float = OVER_SECONDS


class StandingFaults:
    """Faults by their reason. Times are those of the frames, in seconds, and never decrease."""

    def __init__(self) -> None:
        self._faults: dict[Reason, _Fault] = {}

    def __contains__(self, reason: Reason) -> bool:
        """Whether the fault is present: it was reported, and its end was not."""
        fault = self._faults.get(reason)
        return fault is not None and fault.standing

    def see(self, reason: Reason, at: float) -> bool:
        """Takes a failure at the time `at`. True if it must be reported, because the fault was not present."""
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
        """Notes that the parts of `reasons` worked at the time `at`. Returns the faults, sorted, whose end must be
        reported now."""
        for reason in reasons:
            if reason in self:
                self._faults[reason].works = True
        over = [r for r, f in self._faults.items() if f.standing and f.works and at - f.seen_at >= f.wait]
        for reason in over:
            self._faults[reason].standing, self._faults[reason].over_at = False, at
        return sorted(over)
