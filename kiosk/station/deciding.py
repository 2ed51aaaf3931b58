"""Turns an attempt's verdict into a decision. It asks gallery, door, clock and policy once, at the end of the
attempt."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.domain.attempt import Attempt, Verdict
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.policy import decide
from kiosk.domain.ports.gallery import Matcher
from kiosk.domain.refusals import FaceLimit
from kiosk.station.stages import Stopwatch

LONGEST_DETAIL = 200
"""Most characters of a fault's message that are recorded."""


class Decider:
    """Makes decisions. station.pipeline.Pipeline describes its arguments."""

    def __init__(
        self,
        matcher: Matcher,
        door_ready: Callable[[], bool],
        largest_badge: int | None,
        new_id: Callable[[], str],
        clock: Callable[[Evidence], Reason | None],
        limit: FaceLimit,
    ) -> None:
        self._matcher = matcher
        self._door_ready = door_ready
        self._largest_badge = largest_badge
        self._new_id = new_id
        self._clock = clock
        self._limit = limit

    def decide(self, verdict: Verdict, attempt: Attempt | None, at: float, watch: Stopwatch) -> Decision:
        """The policy's decision on a verdict. `at`: when its last frame was taken. Raises StageError when the gallery
        or the door fails."""
        matched = verdict.reason is Reason.MATCHED and verdict.subject_id is not None
        with watch.stage("policy", Reason.GALLERY_FAULT):
            subject = self._matcher.subject(verdict.subject_id) if matched and verdict.subject_id else None
        with watch.stage("door", Reason.DOOR_UNAVAILABLE):
            ready = matched and self._door_ready()
        clock, off = self._clock(verdict.evidence), self._limit.off(at)
        outcome, reason = decide(verdict, subject, ready, self._largest_badge, clock, off)
        return Decision(
            id=self._new_id(),
            outcome=outcome,
            reason=reason,
            subject_id=verdict.subject_id,
            evidence=verdict.evidence,
            track=attempt.track if attempt else None,
            started_at=attempt.started_at if attempt else None,
            badge=subject.badge if subject is not None and self._largest_badge is not None else None,
        )

    def fault(self, reason: Reason, message: str, evidence: Evidence, attempt: Attempt | None) -> Decision:
        """The refusal because of a fault."""
        return Decision(
            id=self._new_id(),
            outcome=Outcome.REFUSED,
            reason=reason,
            subject_id=None,
            evidence=evidence,
            track=attempt.track if attempt else None,
            started_at=attempt.started_at if attempt else None,
            detail=message[:LONGEST_DETAIL],
        )
