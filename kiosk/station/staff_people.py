"""Staff mode's pages about people: who is enrolled, and what is done for one of them."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.domain.audit import AuditReason
from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Subject
from kiosk.domain.rights import MAY, Right
from kiosk.domain.second_light import of_one_light
from kiosk.domain.staff_views import MOST_SHOWN, Erased, People, PersonRow, Problem, StaffView
from kiosk.domain.staff_views import Person as PersonView
from kiosk.domain.staffing import Choose, Remove, Search, SetDisabled, SetUntil, SetVerify, StaffRequest
from kiosk.station.staff_session import Office, Person
from kiosk.storage.claims import set_verify


class PeoplePages:
    """For whoever is signed in."""

    def __init__(self, office: Office, who: Person) -> None:
        self._office = office
        self._who = who

    def ask(self, request: StaffRequest) -> StaffView:
        """Takes a request of these pages. Raises GalleryError."""
        match request:
            case Search(text):
                return self.found(text)
            case Choose(subject_id):
                return self.one(subject_id)
            case SetDisabled(subject_id) | SetUntil(subject_id) | SetVerify(subject_id) | Remove(subject_id):
                return self._change(subject_id, request)
            case _:
                return self.found("")

    def found(self, text: str) -> People:
        """Those whose name, number or id holds the text, by name."""
        wanted = text.strip().casefold()
        everybody = sorted(self._office.gallery.subjects(), key=lambda s: s.name.casefold())
        found = [s for s in everybody if _fits(s, wanted)]
        return People(text, self._rows(found[:MOST_SHOWN]), len(found))

    def one(self, subject_id: str, problem: Problem | None = None) -> PersonView:
        """One person. Raises GalleryError for somebody who is not enrolled."""
        subject = self._office.gallery.find(subject_id)
        rights = MAY[self._who.role] if self._who.may_change(subject) else frozenset()
        return PersonView(
            self._rows([subject])[0],
            subject.verify,
            subject.created_at,
            may_switch=Right.SWITCH in rights,
            may_renew=Right.RENEW in rights,
            may_erase=Right.ERASE in rights,
            problem=problem,
        )

    def _rows(self, found: Sequence[Subject]) -> tuple[PersonRow, ...]:
        lights = self._office.lights(s.id for s in found)
        return tuple(
            PersonRow(s.id, s.name, s.number, s.disabled, s.valid_until, of_one_light(lights.get(s.id, ())))
            for s in found
        )

    def _change(self, subject_id: str, request: StaffRequest) -> StaffView:
        subject = self._office.gallery.find(subject_id)
        if not self._who.may_change(subject):
            return self.one(subject_id, Problem.NOT_ALLOWED)
        match request:
            case Remove(_, withdrawn):
                return self._erase(subject_id, AuditReason.WITHDRAWN if withdrawn else AuditReason.ASKED)
            case SetDisabled(_, disabled):
                self._office.gallery.set_disabled(subject_id, disabled)
            case SetVerify(_, verify):
                set_verify(self._office.gallery, subject_id, verify)
            case SetUntil(_, until):
                try:
                    self._office.gallery.set_validity(subject_id, subject.valid_from, until)
                except GalleryError:
                    return self.one(subject_id, Problem.VALIDITY)
            case _:
                pass
        return self.one(subject_id)

    def _erase(self, subject_id: str, reason: AuditReason) -> Erased:
        done = self._office.register.erase(subject_id, reason)
        return Erased(done.subject, done.at, done.references, done.backups, done.remains)


def _fits(s: Subject, wanted: str) -> bool:
    return wanted in s.name.casefold() or s.id.startswith(wanted) or (s.number or "").startswith(wanted)
