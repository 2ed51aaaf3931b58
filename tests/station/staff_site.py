"""A kiosk for staff mode, without threads: a real gallery in a folder, the booth before scripted faces, the desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from kiosk.config import Config
from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Reason
from kiosk.domain.looks import Pose
from kiosk.domain.matching import Cohort
from kiosk.domain.people import NewReference, Subject
from kiosk.domain.renewal import Measure
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import StaffView
from kiosk.domain.staffing import About, Answered, Finish, Open, Place, SignIn, StaffRequest
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.domain.updates import StaffChanged
from kiosk.keeping import ConsentConfig
from kiosk.station import levels
from kiosk.station.light_watch import LightWatch
from kiosk.station.register import GalleryRegister
from kiosk.station.staff import StaffDesk
from kiosk.station.staff_session import Office
from kiosk.storage.audit import Audit
from kiosk.storage.claims import set_number
from kiosk.storage.erasure import Keeping, erase
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.pins import Pins, set_pin, set_role
from kiosk.ways import EntryConfig
from tests.station.booths import Camera, vector

T = TypeVar("T", bound=StaffView)
POINTS = [OperatingPoint(1e-4, 0.5), OperatingPoint(1e-5, 0.6)]
MEASURE = Measure("m", 128, Thresholds(POINTS, 1e-3), Cohort())
STAFF, NUMBER, PIN = 9, "1234", "482915"
"""Which face the member of staff has, and how they sign in."""


class Site:
    """Ask, show faces, look at what is shown."""

    def __init__(self, gallery: Gallery, folder: Path) -> None:
        self.gallery = gallery
        self.camera = Camera()
        self.shown: list[StaffView] = []
        self.forced: list[str] = []
        erasure = partial(erase, Home(folder), keeping=Keeping())
        register = GalleryRegister(gallery, "m", erasure=erasure)
        self.clock_trouble: Reason | None = None
        config = Config(entry=EntryConfig(number=True))
        settings = lambda: levels.settings(config, POINTS, gallery.sizes("m"))  # noqa: E731
        trouble = lambda _: self.clock_trouble  # noqa: E731
        self.office = Office(gallery, register, self.camera.booth, MEASURE, ConsentConfig(), settings, trouble)
        clock = lambda: self.camera.at  # noqa: E731
        self._parts = (self.office, self._take, clock, Pins(gallery, clock), self.forced.append)
        self.desk = StaffDesk(*self._parts)

    def watch(self, light: LightWatch) -> None:
        """Begins anew with somebody who watches the light."""
        self.desk = StaffDesk(*self._parts, light)

    def _take(self, update: StaffChanged) -> None:
        self.shown.append(update.view)

    def person(self, name: str, who: int, role: Role | None = None, number: str = NUMBER, pin: str = PIN) -> Subject:
        """Enrols somebody beforehand, as the admin's command does."""
        subject = self.gallery.add_subject(name, [NewReference(vector(who), "m", 0.9)])
        set_number(self.gallery, subject.id, number)
        set_pin(self.gallery, subject.id, pin)
        if role is not None:
            set_role(self.gallery, subject.id, role)
        return self.gallery.find(subject.id)

    def ask(self, request: StaffRequest) -> StaffView:
        """Asks, and gives what is shown then."""
        self.desk.ask(request)
        self.desk.turn()
        while self.desk.busy:
            self.desk.turn()
        return self.shown[-1]

    def faces(self, frames: int, who: int | None = None, pose: Pose = Pose.STRAIGHT) -> StaffView:
        """So many frames of somebody, each looked at."""
        if who is not None:
            self.camera.stages.who = who
        for _ in range(frames):
            self.camera.shows(1, pose, renew=False)
            self.desk.turn()
        return self.shown[-1]

    def nobody(self, frames: int) -> StaffView:
        """So many frames without anybody."""
        for _ in range(frames):
            self.camera.empty(1)
            self.desk.turn()
        return self.shown[-1]

    def signed_in(self, who: int = STAFF, number: str = NUMBER, pin: str = PIN) -> StaffView:
        """Somebody signs in with number, PIN and face."""
        self.ask(SignIn(number, pin))
        return self.faces(12, who)

    def posed(self, who: int) -> StaffView:
        """Somebody does the five poses."""
        self.faces(8, who)
        for pose in Pose:
            self.faces(7, pose=pose)
        return self.shown[-1]

    def came_back(self, who: int | None = None) -> StaffView:
        """Somebody steps away and comes back."""
        self.nobody(20)
        return self.faces(12, who)

    def enrolled(self, name: str, who: int, finish: Finish | None = None, number: str | None = None) -> StaffView:
        """A whole enrolment of somebody new by whoever is signed in."""
        self.ask(Open(Place.ENROL))
        self.ask(Answered(True))
        self.ask(About(name, number))
        self.posed(who)
        self.came_back()
        return self.ask(finish or Finish())

    def records(self) -> list[AuditRecord]:
        """The log, oldest first."""
        return Audit(self.gallery.store).records()

    def last(self, kind: type[T]) -> T:
        """What is shown, which is of this kind."""
        assert isinstance(self.shown[-1], kind), self.shown[-1]
        return self.shown[-1]


@contextmanager
def site(folder: Path, role: Role | None = Role.STAFF) -> Iterator[Site]:
    """A site in a folder, at which Grace has this role."""
    with closing(open_gallery(Home(folder))) as gallery:
        made = Site(gallery, folder)
        made.person("Grace Hopper", STAFF, role)
        yield made


def now() -> datetime:
    """The time, for validities."""
    return datetime.now(UTC)
