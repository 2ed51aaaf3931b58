"""Staff mode for whoever is signed in: what they ask for, and the page that answers."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.domain.door.state import DoorState
from kiosk.domain.rights import Right
from kiosk.domain.staff_views import Bars, DoorIs, Failure, Home, NotEnrolled, Problem, StaffView, WhyRefused
from kiosk.domain.staffing import NEEDED, AddPictures, NotMe, Open, Place, Renew, StaffRequest, pages
from kiosk.station.booth_tasks import State, Task
from kiosk.station.staff_enrolment import Enrolling
from kiosk.station.staff_events import EventPages
from kiosk.station.staff_people import PeoplePages
from kiosk.station.staff_session import Office, Person


@dataclass(slots=True)
class Around:
    """What the kiosk has published and staff's pages show. `lingering`: a face that never leaves is left out."""

    door: DoorState | None = None
    lingering: bool = False


class Pages:
    """For one session. Methods raise KioskError; then nothing was changed."""

    def __init__(self, office: Office, who: Person, around: Around) -> None:
        self._office = office
        self._who = who
        self._around = around
        self.enrolling: Enrolling | None = None
        """The enrolment that is going on."""

    def ask(self, request: StaffRequest, shown: StaffView) -> StaffView:
        """Takes a request that this person may make. `shown`: what is shown now."""
        match request:
            case Open(place):
                self.leave()
                return self._opened(place)
            case Renew(subject_id):
                return self._again(subject_id, add=False)
            case AddPictures(subject_id):
                return self._again(subject_id, add=True)
            case NotMe(event):
                return EventPages(self._office).not_me(event)
            case _ if NEEDED[type(request)] is Right.ENROL:
                return shown if self.enrolling is None else self.enrolling.ask(request)
            case _:
                return PeoplePages(self._office, self._who).ask(request)

    def home(self, problem: Problem | None = None) -> Home:
        """The first page."""
        who = self._who
        return Home(who.name, who.role, pages(who.role), self._around.lingering, problem)

    def saw(self, state: State, shown: StaffView) -> StaffView:
        """Takes what the booth has seen."""
        if state.task is Task.NOTHING:  # staff's thread was busy for so long that the camera went back to the door
            lost = self.enrolling is not None and not self.enrolling.over
            self.leave()
            return NotEnrolled(failure=Failure.FAULT) if lost else shown
        if state.bars is not None:
            named = None if state.bars.subject_id is None else self._office.gallery.subject(state.bars.subject_id)
            return WhyRefused(state.bars, named.name if named else None)
        return shown if self.enrolling is None else self.enrolling.seen(state)

    def leave(self) -> None:
        """Leaves the page that uses the camera; the camera stays with staff."""
        self.break_off()
        self._office.booth.hold()

    def break_off(self) -> None:
        """Ends an enrolment that is going on. Nothing of it was written."""
        if self.enrolling is not None:
            self.enrolling.leave()
            self.enrolling = None

    def _again(self, subject_id: str, *, add: bool) -> StaffView:
        self.leave()
        subject = self._office.gallery.find(subject_id)
        if not self._who.may_change(subject):
            return PeoplePages(self._office, self._who).one(subject_id, Problem.NOT_ALLOWED)
        self.enrolling = Enrolling(self._office, self._who, subject, add=add)
        return self.enrolling.view

    def _opened(self, place: Place) -> StaffView:
        match place:
            case Place.ENROL:
                self.enrolling = Enrolling(self._office, self._who)
                return self.enrolling.view
            case Place.PEOPLE:
                return PeoplePages(self._office, self._who).found("")
            case Place.EVENTS:
                return EventPages(self._office).newest()
            case Place.WHY:
                self._office.booth.why()
                return WhyRefused(Bars())
            case Place.DOOR:
                return DoorIs(self._around.door)
            case Place.SETTINGS:
                return self._office.settings()
            case _:
                return self.home()
