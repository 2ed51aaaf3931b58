"""Turns an attempt's verdict into a decision. It asks gallery, door, clock and policy once, at the end of the
attempt."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.domain.attempt import Attempt, Verdict
from kiosk.domain.decision import Decision, Evidence, Outcome, Proof, Reason
from kiosk.domain.policy import decide
from kiosk.domain.refusals import FaceLimit
from kiosk.domain.verification import Expected
from kiosk.station.stages import Stages, Stopwatch

LONGEST_DETAIL = 200
"""Most characters of a fault's message that are recorded."""


class Decider:
    """Makes decisions. station.pipeline.Pipeline describes its arguments."""

    def __init__(
        self,
        stages: Stages,
        door_ready: Callable[[], bool],
        largest_badge: int | None,
        new_id: Callable[[], str],
        clock: Callable[[Evidence], Reason | None],
        limit: FaceLimit,
        face_alone: Callable[[], bool],
    ) -> None:
        self._matcher, self._seen = stages.matcher, stages.seen
        self._door_ready = door_ready
        self._largest_badge = largest_badge
        self._new_id = new_id
        self._clock = clock
        self._limit = limit
        self._face_alone = face_alone

    def decide(
        self, verdict: Verdict, attempt: Attempt | None, at: float, watch: Stopwatch, expected: Expected | None
    ) -> Decision:
        """The policy's decision on a verdict. `at`: when its last frame was taken. `expected`: the claim that the
        attempt was compared with. Raises StageError when the gallery or the door fails."""
        matched = verdict.reason is Reason.MATCHED and verdict.subject_id is not None
        with watch.stage("policy", Reason.GALLERY_FAULT):
            subject = self._matcher.subject(verdict.subject_id) if matched and verdict.subject_id else None
            alone = expected is not None or (self._face_alone() and not (subject is not None and subject.verify))
        with watch.stage("door", Reason.DOOR_UNAVAILABLE):
            ready = matched and self._door_ready()
        clock, off = self._clock(verdict.evidence), self._limit.off(at)
        outcome, reason = decide(verdict, subject, ready, self._largest_badge, clock, off, alone)
        subject_id = verdict.subject_id
        if expected is not None:
            if matched and subject_id != expected.subject_id:  # compared with one person, and another one found
                outcome, reason = Outcome.REFUSED, Reason.INTERNAL_FAULT
            reason = Reason.NOT_VERIFIED if reason is Reason.NOT_ENROLLED and not matched else reason
            subject_id = expected.subject_id
        decision = Decision(
            id=self._new_id(),
            outcome=outcome,
            reason=reason,
            subject_id=subject_id,
            evidence=verdict.evidence,
            track=attempt.track if attempt else None,
            started_at=attempt.started_at if attempt else None,
            badge=subject.badge if subject is not None and self._largest_badge is not None else None,
            extended=subject is not None and subject.extended,
            proof=_proof(expected),
            means=expected.means if expected else None,
            claim_id=expected.claim_id if expected else None,
        )
        self._seen(decision, attempt)
        return decision

    def fault(
        self, reason: Reason, message: str, evidence: Evidence, attempt: Attempt | None, expected: Expected | None
    ) -> Decision:
        """The refusal because of a fault."""
        return Decision(
            id=self._new_id(),
            outcome=Outcome.REFUSED,
            reason=reason,
            subject_id=expected.subject_id if expected else None,
            evidence=evidence,
            track=attempt.track if attempt else None,
            started_at=attempt.started_at if attempt else None,
            detail=message[:LONGEST_DETAIL],
            proof=_proof(expected),
            means=expected.means if expected else None,
            claim_id=expected.claim_id if expected else None,
        )


def _proof(expected: Expected | None) -> Proof:
    return Proof.SEARCH if expected is None else Proof.VERIFICATION
