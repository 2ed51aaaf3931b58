"""Who may pass now: the last word before a grant."""

from __future__ import annotations

from datetime import datetime

from kiosk.domain.attempt import Verdict
from kiosk.domain.decision import Outcome, Reason
from kiosk.domain.people import Subject


def entitlement(subject: Subject | None, wall_at: datetime, clock: Reason | None = None) -> Reason:
    """MATCHED when the subject may pass at that time, else why not. A subject removed meanwhile is nobody.

    `clock` is why the time is not known, None where it is: it refuses whoever has a validity, and nobody else."""
    if subject is None:
        return Reason.NOT_ENROLLED
    if subject.disabled:
        return Reason.SUBJECT_DISABLED
    if clock is not None and (subject.valid_from is not None or subject.valid_until is not None):
        return clock
    if subject.valid_from is not None and wall_at < subject.valid_from:
        return Reason.VALIDITY_NOT_BEGUN
    if subject.valid_until is not None and wall_at >= subject.valid_until:
        return Reason.VALIDITY_ENDED
    return Reason.MATCHED


def decide(
    verdict: Verdict,
    subject: Subject | None,
    door_ready: bool,
    largest_badge: int | None = None,
    clock: Reason | None = None,
    face_off: bool = False,
) -> tuple[Outcome, Reason]:
    """The outcome of an attempt. Granted only for a matched, entitled subject before a door that answers. Where a panel
    owns the lock, `largest_badge` is the largest number that it can be told, and the subject needs one. `clock` as for
    `entitlement`; `face_off`: nobody is let in by their face now."""
    if verdict.reason is not Reason.MATCHED:
        return Outcome.REFUSED, verdict.reason
    if face_off:
        return Outcome.REFUSED, Reason.FACE_OFF
    if subject is not None and subject.id != verdict.subject_id:
        return Outcome.REFUSED, Reason.INTERNAL_FAULT
    reason = entitlement(subject, verdict.evidence.wall_at, clock)
    if reason is not Reason.MATCHED:
        return Outcome.REFUSED, reason
    badge = subject.badge if subject is not None else None
    if largest_badge is not None and (badge is None or badge > largest_badge):
        return Outcome.REFUSED, Reason.NO_BADGE
    if not door_ready:
        return Outcome.REFUSED, Reason.DOOR_UNAVAILABLE
    return Outcome.GRANTED, Reason.MATCHED
