"""Decides who may pass now. It is the last check before a grant."""

from __future__ import annotations

from datetime import datetime

from kiosk.domain.attempt import Verdict
from kiosk.domain.decision import Outcome, Reason
from kiosk.domain.people import Subject


def entitlement(subject: Subject | None, wall_at: datetime, clock: Reason | None = None) -> Reason:
    """MATCHED if the subject may pass at that time, otherwise the reason why not. A subject that was removed meanwhile
    may not pass.

    `clock`: the reason why the time is not known; None if it is known. It refuses only subjects with a validity."""
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


def passable(
    subject: Subject | None, wall_at: datetime, door_ready: bool, largest_badge: int | None, clock: Reason | None
) -> Reason:
    """MATCHED if the door may be released for this subject at that time, whatever has shown who it is; otherwise the
    reason why not. If a panel owns the lock, the subject needs a badge number of at most `largest_badge`. `clock`: see
    `entitlement`."""
    reason = entitlement(subject, wall_at, clock)
    if reason is not Reason.MATCHED:
        return reason
    badge = subject.badge if subject is not None else None
    if largest_badge is not None and (badge is None or badge > largest_badge):
        return Reason.NO_BADGE
    return Reason.MATCHED if door_ready else Reason.DOOR_UNAVAILABLE


def decide(
    verdict: Verdict,
    subject: Subject | None,
    door_ready: bool,
    largest_badge: int | None = None,
    clock: Reason | None = None,
    face_off: bool = False,
    face_alone: bool = True,
) -> tuple[Outcome, Reason]:
    """The outcome of an attempt. It is granted only for a matched subject who may pass now, and if the door answers.
    `largest_badge`, `clock`: see `passable`. `face_off`: no face lets anybody in now. `face_alone`: whether a face
    alone is enough; False with the subject that a search has found, where it must also be claimed."""
    if verdict.reason is not Reason.MATCHED:
        return Outcome.REFUSED, verdict.reason
    if face_off:
        return Outcome.REFUSED, Reason.FACE_OFF
    if subject is not None and subject.id != verdict.subject_id:
        return Outcome.REFUSED, Reason.INTERNAL_FAULT
    reason = passable(subject, verdict.evidence.wall_at, door_ready, largest_badge, clock)
    if reason in {Reason.MATCHED, Reason.NO_BADGE, Reason.DOOR_UNAVAILABLE} and not face_alone:
        return Outcome.REFUSED, Reason.VERIFICATION_REQUIRED
    return (Outcome.GRANTED if reason is Reason.MATCHED else Outcome.REFUSED), reason
