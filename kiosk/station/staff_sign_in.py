"""Checks number and PIN of whoever wants to use the kiosk as staff. The face is looked for afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason
from kiosk.domain.decision import Evidence, Reason
from kiosk.domain.entry import Claim, Means
from kiosk.domain.people import Subject
from kiosk.domain.pin import wait_after
from kiosk.domain.policy import entitlement
from kiosk.domain.staff_views import Closed, Problem
from kiosk.station.admission import NO_FRAME
from kiosk.station.booth_tasks import Compare
from kiosk.station.staff_session import Office, Person
from kiosk.storage.claims import Claims
from kiosk.storage.pins import Checked, Pins, Verdict

CLOCK = frozenset({Reason.CLOCK_BEHIND, Reason.CLOCK_UNSYNCHRONISED})
log = structlog.get_logger("kiosk")


@dataclass(frozen=True, slots=True, eq=False)
class Applicant:
    """Somebody whose number and PIN are right. `compare`: with this person's references."""

    person: Person
    compare: Compare


class SignIns:
    """For one thread. Methods raise GalleryError, but for `tell_of_force`."""

    def __init__(self, office: Office, pins: Pins, forced: Callable[[str], None]) -> None:
        """`forced`: is told, silently, of whom somebody made sign in."""
        self._office = office
        self._pins = pins
        self._forced = forced
        self._claims = Claims(office.gallery)
        self._alarm: str | None = None
        """Who has typed a duress PIN, until that is told."""
        self._failed: dict[str, tuple[int, float]] = {}
        """How often in a row, and when last, a face was not found after the right PIN, by subject."""

    def check(self, number: str, pin: str, now: float) -> Applicant | Closed:
        """Looks at number and PIN. What was wrong is recorded, and not said: a number that is nobody's, a wrong PIN and
        somebody who is not of the staff are answered alike."""
        try:
            subject_id = self._claims.find(Claim(Means.NUMBER, number))
        except ValueError:
            subject_id = None
        checked = self._pins.check(number, subject_id, pin)
        if checked.duress:
            self._alarm = subject_id
        if checked.fault is not None:
            raise checked.fault
        found = self._judge(subject_id, checked, now)
        if isinstance(found, Applicant):
            return found
        reason, answer = found
        self._office.note(AuditKind.STAFF, AuditOutcome.SIGN_IN_FAILED, reason, subject_id)
        return answer

    def tell_of_force(self) -> None:
        """Tells in silence of a duress PIN that was typed since the last call, whatever became of the sign-in. Call it
        last. Never raises."""
        subject_id, self._alarm = self._alarm, None
        if subject_id is None:
            return
        try:
            self._forced(subject_id)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing that can be seen may depend on it
            log.error("staff_mode_fault", error=type(error).__name__)

    def worked(self, who: Person) -> None:
        """The face was found."""
        self._failed.pop(who.subject_id, None)

    def failed(self, who: Person, now: float) -> None:
        """The face was not found: after some times in a row this person waits, as after wrong PINs."""
        self._failed[who.subject_id] = (self._failed.get(who.subject_id, (0, 0.0))[0] + 1, now)

    def may(self, who: Person, now: float) -> bool:
        """Whether this person still has the role and may pass: an admin's change counts at once."""
        subject = self._office.gallery.subject(who.subject_id)
        return subject is not None and subject.role is who.role and self._passes(subject, now) is Reason.MATCHED

    def _judge(
        self, subject_id: str | None, checked: Checked, now: float
    ) -> Applicant | tuple[Reason | AuditReason, Closed]:
        """Who it is, or why nobody is signed in, for the record, and what is shown."""
        if checked.verdict is Verdict.WAIT:
            return Reason.PIN_WAITS, Closed(Problem.WAIT, wait=checked.wait)
        if checked.verdict is not Verdict.RIGHT or subject_id is None:
            return Reason.WRONG_PIN, Closed(Problem.NOT_KNOWN, wait=checked.wait)
        subject = self._office.gallery.subject(subject_id)
        if subject is None or subject.role is None:
            return AuditReason.NO_ROLE, Closed(Problem.NOT_KNOWN)
        reason = self._passes(subject, now)
        if reason is not Reason.MATCHED:
            return reason, Closed(Problem.CLOCK if reason in CLOCK else Problem.NOT_KNOWN)
        times, last = self._failed.get(subject.id, (0, 0.0))
        if (left := last + wait_after(times) - now) > 0:
            return Reason.TOO_MANY_ATTEMPTS, Closed(Problem.WAIT, wait=left)
        compare = self._office.candidates.with_subject(subject.id)
        if compare is None:
            return AuditReason.TEMPLATES, Closed(Problem.NOT_KNOWN)
        return Applicant(Person(subject.id, subject.name, subject.role), compare)

    def _passes(self, subject: Subject, now: float) -> Reason:
        """MATCHED if this person may pass now, by the clock that the door trusts."""
        wall = self._office.now()
        return entitlement(subject, wall, self._office.clock(Evidence(NO_FRAME, now, wall)))
