"""Checks number and PIN of whoever wants to use the kiosk as staff. The face is looked for afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.domain.entry import Claim, Means
from kiosk.domain.people import Subject
from kiosk.domain.pin import wait_after
from kiosk.domain.staff_views import Closed, Problem
from kiosk.station.booth_tasks import Compare
from kiosk.station.staff_session import Office, Person
from kiosk.storage.claims import Claims
from kiosk.storage.pins import Pins, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Applicant:
    """Somebody whose number and PIN are right. `compare`: with this person's references. `duress`: it was the PIN
    that this person types when somebody makes them."""

    person: Person
    compare: Compare
    duress: bool


class SignIns:
    """For one thread. Methods raise GalleryError."""

    def __init__(self, office: Office, pins: Pins) -> None:
        self._office = office
        self._pins = pins
        self._claims = Claims(office.gallery)
        self._failed: dict[str, tuple[int, float]] = {}
        """How often in a row, and when last, a face was not found after the right PIN, by subject."""

    def check(self, number: str, pin: str, now: float) -> Applicant | Closed:
        """Looks at number and PIN. What was wrong is not said: a number that is nobody's, a wrong PIN and somebody who
        is not of the staff are answered alike."""
        try:
            subject_id = self._claims.find(Claim(Means.NUMBER, number))
        except ValueError:
            subject_id = None
        checked = self._pins.check(number, subject_id, pin)
        if checked.verdict is Verdict.WAIT:
            return Closed(Problem.WAIT, wait=checked.wait)
        subject = None if subject_id is None else self._office.gallery.subject(subject_id)
        if checked.verdict is not Verdict.RIGHT or subject is None or subject.role is None or not self._passes(subject):
            return Closed(Problem.NOT_KNOWN, wait=checked.wait)
        times, last = self._failed.get(subject.id, (0, 0.0))
        if (left := last + wait_after(times) - now) > 0:
            return Closed(Problem.WAIT, wait=left)
        compare = self._office.candidates.with_subject(subject.id)
        if compare is None:
            return Closed(Problem.NOT_KNOWN)
        return Applicant(Person(subject.id, subject.name, subject.role), compare, checked.duress)

    def worked(self, who: Person) -> None:
        """The face was found."""
        self._failed.pop(who.subject_id, None)

    def failed(self, who: Person, now: float) -> None:
        """The face was not found: after some times in a row this person waits, as after wrong PINs."""
        self._failed[who.subject_id] = (self._failed.get(who.subject_id, (0, 0.0))[0] + 1, now)

    def may(self, who: Person) -> bool:
        """Whether this person still has the role and may pass: an admin's change counts at once."""
        subject = self._office.gallery.subject(who.subject_id)
        return subject is not None and subject.role is who.role and self._passes(subject)

    def _passes(self, subject: Subject) -> bool:
        now = self._office.now()
        begun = subject.valid_from is None or subject.valid_from <= now
        return not subject.disabled and begun and (subject.valid_until is None or now < subject.valid_until)
