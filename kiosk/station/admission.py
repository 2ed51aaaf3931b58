"""Decides without the camera: after a right PIN, a code that is enough alone, or a visitor pass.

The policy and the order are those of a face: may the person pass now, does the door answer; recorded, then released.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from kiosk.domain.decision import Decision, Evidence, Outcome, Proof, Reason
from kiosk.domain.entry import Claim
from kiosk.domain.people import Subject
from kiosk.domain.policy import passable
from kiosk.domain.updates import Decided, Update
from kiosk.station.access import Access
from kiosk.station.deciding import LONGEST_DETAIL
from kiosk.station.loop import acted, is_over
from kiosk.storage.passes import PassVerdict
from kiosk.storage.pins import Checked

NO_FRAME = -1
"""The number of the frame behind a decision without the camera."""


class People(Protocol):
    """The gallery from the reception's side. Methods raise GalleryError."""

    def find(self, claim: Claim) -> str | None:
        """The subject's id; None if the claim is nobody's, which takes as long."""

    def check(self, claim: str, subject_id: str | None, pin: str) -> Checked:
        """Looks at a PIN (storage.pins.Pins)."""

    def subject(self, subject_id: str) -> Subject | None:
        """The subject as enrolled now."""

    def use(self, text: str, now: datetime | None) -> PassVerdict:
        """Looks at a visitor pass, and counts its use if it is good. `now`: None where the clock is not trusted."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When the last digit was typed, or the code was read: by CLOCK_BOOTTIME, and by the wall."""

    at: float
    wall_at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who has said who they are. `subject_id`: None if that is nobody."""

    id: str
    claim: Claim
    subject_id: str | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A decision as it was recorded, and whether the door or the panel acted on it."""

    decision: Decision
    opened: bool = False


class Admission:
    """Makes decisions and settles them. For one thread; nothing here raises but GalleryError and what is unforeseen."""

    def __init__(
        self,
        people: People,
        access: Access,
        door_ready: Callable[[], bool],
        publish: Callable[[Update], None],
        clock: Callable[[Evidence], Reason | None],
        new_id: Callable[[], str],
        largest_badge: int | None = None,
    ) -> None:
        """`clock`, `new_id`, `largest_badge`: see station.pipeline.Pipeline."""
        self._people = people
        self._access = access
        self._door_ready = door_ready
        self._publish = publish
        self._clock = clock
        self._new_id = new_id
        self._largest_badge = largest_badge

    def person(self, visit: Visit, proof: Proof, moment: Moment) -> Settled:
        """Lets the claimed person in if they may pass now."""
        subject = None if visit.subject_id is None else self._people.subject(visit.subject_id)
        if subject is None or subject.id != visit.subject_id:
            return self.refuse(visit, proof, Reason.NOT_ENROLLED, moment)
        evidence = Evidence(NO_FRAME, moment.at, moment.wall_at)
        reason = passable(subject, moment.wall_at, self._door_ready(), self._largest_badge, self._clock(evidence))
        if reason is not Reason.MATCHED:
            return self.refuse(visit, proof, reason, moment)
        granted = replace(
            self._decision(visit, proof, Reason.MATCHED, moment),
            outcome=Outcome.GRANTED,
            badge=subject.badge if self._largest_badge is not None else None,
            extended=subject.extended,
        )
        return self._settle(granted)

    def visitor(self, visit: Visit, moment: Moment, *, allowed: bool) -> Settled:
        """Lets a visitor in on a pass, if passes open here. A use counts once it is asked for, so nothing is asked
        while the door could not be released."""
        if not allowed:
            return self.refuse(visit, Proof.VISITOR, Reason.VISITOR_REFUSED, moment, "passes do not open here")
        if self._largest_badge is not None:
            return self.refuse(visit, Proof.VISITOR, Reason.NO_BADGE, moment)
        if not self._door_ready():
            return self.refuse(visit, Proof.VISITOR, Reason.DOOR_UNAVAILABLE, moment)
        trouble = self._clock(Evidence(NO_FRAME, moment.at, moment.wall_at))
        verdict = self._people.use(visit.claim.text, None if trouble is not None else moment.wall_at)
        said = f"{verdict.word.value} pass {verdict.pass_id or ''}".rstrip()
        if not verdict.good:
            return self.refuse(visit, Proof.VISITOR, Reason.VISITOR_REFUSED, moment, said)
        decision = self._decision(visit, Proof.VISITOR, Reason.MATCHED, moment, said)
        return self._settle(replace(decision, outcome=Outcome.GRANTED))

    def refuse(self, visit: Visit, proof: Proof, reason: Reason, moment: Moment, detail: str = "") -> Settled:
        """Records and tells a refusal."""
        return self._settle(self._decision(visit, proof, reason, moment, detail))

    def _decision(self, visit: Visit, proof: Proof, reason: Reason, moment: Moment, detail: str = "") -> Decision:
        return Decision(
            id=self._new_id(),
            outcome=Outcome.REFUSED,
            reason=reason,
            subject_id=visit.subject_id,
            evidence=Evidence(NO_FRAME, moment.at, moment.wall_at),
            detail=detail[:LONGEST_DETAIL],
            proof=proof,
            means=visit.claim.means,
            claim_id=visit.id,
        )

    def _settle(self, proposed: Decision) -> Settled:
        """Records it, releases, and tells it, except for who was let in by the face at the same moment."""
        updates = self._access.settle(proposed)
        (decision,) = [update.decision for update in updates if isinstance(update, Decided)]
        for update in updates:
            if not is_over(update):
                self._publish(update)
        return Settled(decision, any(map(acted, updates)))
