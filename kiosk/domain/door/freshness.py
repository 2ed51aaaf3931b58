"""Checks whether a grant is fresh, single and bounded (rule 2 in ARCHITECTURE.md)."""

from __future__ import annotations

import math

from kiosk.domain.door.grants import Grant, Refusal, Span

MAX_GRANT_SECONDS = 1.5
"""Longest time from the capture of a frame to the deadline of the grant that rests on it."""
FUTURE_TOLERANCE = 0.05
"""A frame's time may lie this far in the future, because drivers round their time stamps."""
REMEMBERED_GRANTS = 1024
"""Number of ids kept for each user. An id is forgotten only when there are more and its deadline has passed."""

_ROUNDING = 1e-6


class Freshness:
    """Checks whether each grant is fresh, single and bounded (rule 2 in ARCHITECTURE.md). It does not depend on the
    door's state."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._seen: dict[int | None, dict[str, float]] = {}

    def refusal(self, grant: Grant, now: float, uid: int | None = None) -> Refusal | None:
        """What is wrong with a grant of the user `uid`; None if nothing is. Then its id is used up."""
        return self._unacceptable(grant, now) or self._used(grant, now, uid)

    def _unacceptable(self, grant: Grant, now: float) -> Refusal | None:
        """What is wrong with the grant itself. Checks for finite numbers first, because comparisons with NaN are
        false."""
        if not (grant.id and math.isfinite(grant.captured_at) and math.isfinite(grant.deadline)):
            return Refusal.INVALID
        if grant.deadline < grant.captured_at or (grant.renews is not None and grant.span is not Span.HOLD_OPEN):
            return Refusal.INVALID
        if grant.captured_at > now + FUTURE_TOLERANCE:
            return Refusal.FROM_FUTURE
        if grant.deadline - grant.captured_at > MAX_GRANT_SECONDS + _ROUNDING:
            return Refusal.DEADLINE_TOO_FAR
        if grant.captured_at < self._started_at:
            return Refusal.BEFORE_START
        if now > grant.deadline:
            return Refusal.LATE
        return None

    def _used(self, grant: Grant, now: float, uid: int | None) -> Refusal | None:
        """Whether the id was used before by any user; remembers it. An id is used up even if the door then fails. Each
        user has separate room, so that a user who sends too many grants keeps no other user out."""
        if any(grant.id in ids for ids in self._seen.values()):
            return Refusal.REPEATED
        ids = self._seen.setdefault(uid, {})
        if len(ids) >= REMEMBERED_GRANTS:
            oldest = next(iter(ids))
            if now <= ids[oldest]:
                return Refusal.TOO_MANY
            del ids[oldest]
        ids[grant.id] = grant.deadline
        return None
