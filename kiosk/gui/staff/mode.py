"""Staff mode in the window: shows the page of each view that the station tells, and asks the station for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from kiosk.domain.security_level import Settings
from kiosk.domain.staff_views import (
    Closed,
    ComeBack,
    ConsentText,
    Declined,
    Done,
    DoorIs,
    Erased,
    Events,
    Home,
    LookHere,
    NotEnrolled,
    People,
    Person,
    Posing,
    StaffView,
    WaysIn,
    WhoIsIt,
    WhyRefused,
)
from kiosk.domain.staffing import Open, Place, ReadIn, SignOut, Touched
from kiosk.domain.updates import FaceStays, StaffChanged
from kiosk.gui.bridge import Bridge
from kiosk.gui.look import Look
from kiosk.gui.staff.enrol_pages import ConsentPage, WaysPage, WhoPage, declined, done, not_enrolled
from kiosk.gui.staff.event_pages import DoorPage, EventsPage, WhyPage
from kiosk.gui.staff.live_pages import BackPage, LivePage, LookPage, PosesPage
from kiosk.gui.staff.parts import Ask
from kiosk.gui.staff.people_pages import ErasedPage, PeoplePage, PersonPage
from kiosk.gui.staff.settings_page import SettingsPage
from kiosk.gui.staff.sign_in import HomePage, SignInPage
from kiosk.gui.toolkit.page import Page
from kiosk.system.clock import boottime

if TYPE_CHECKING:
    from kiosk.domain.face import Frame

TOLD_SECONDS = 5.0
"""A touch is told to the station at most once in so long: it signs out after a minute."""
ALONE_SECONDS = 30.0
"""A sign-in page that nobody touches goes away after so long."""


class Host(Protocol):
    """The window: what it does for staff's pages."""

    touched_at: float
    """When somebody last touched the screen or a key."""

    def open_page(self, make: Callable[[Look], QWidget]) -> None:
        """Lays a page over the screen, made anew when language or size change."""

    def close_page(self) -> None:
        """Back to the visitor's screen."""


def attached(host: Host, bridge: Bridge, ask: Ask) -> StaffMode:
    """Staff mode of a window, which hears the bridge and looks once a second whether nobody is there any more."""
    mode = StaffMode(host, ask)
    bridge.event_arrived.connect(mode.take_event)
    bridge.frame_arrived.connect(mode.take_frame)
    mode.timer = QTimer(mode)
    mode.timer.timeout.connect(mode.tick)
    mode.timer.start(1000)
    return mode


class StaffMode(QObject):
    """One for a window. Connect the bridge's signals to `take_event` and `take_frame`, the held corner to `open`, and
    call `tick` now and then."""

    timer: QTimer

    def __init__(self, host: Host, ask: Ask, clock: Callable[[], float] = boottime) -> None:
        super().__init__()
        self._host, self._ask, self._clock = host, ask, clock
        self._view: StaffView = Closed()
        self._open = False
        self.page: Page | None = None
        """What is shown now."""
        self._told_at = self._touched_at = self._seen_at = -math.inf
        self._reading = False
        self._poster = False
        """Whether a face that never leaves is in the camera's view."""

    def open(self) -> None:
        """Somebody wants to sign in."""
        if not self._open:
            self._open, self._view = True, Closed()
            self._touched_at = self._clock()
            self._host.open_page(self._make)

    def take_event(self, event: object, _at: float) -> None:
        """Takes what the station publishes."""
        if isinstance(event, FaceStays):
            self._poster = event.there
            self._tell_of_poster()
        if not isinstance(event, StaffChanged) or not self._open:
            return
        view, before, self._view = event.view, self._view, event.view
        if isinstance(view, Closed) and view.problem is None and view.failure is None:
            self._close()
        elif not self._followed(view) and (view != before or isinstance(view, Closed)):
            self._touched_at = self._clock()
            self._host.open_page(self._make)

    def take_frame(self, frame: Frame, _at: float) -> None:
        """Takes a picture for the pages that show it."""
        mirror = getattr(self.page, "mirror", None)
        if mirror is not None and self._open:
            mirror.set_image(frame.image)

    def tick(self) -> None:
        """Tells the station that somebody touches the screen. Closes a sign-in page that nobody touches; whoever is
        signed in is signed out by the station."""
        if self._open and self._host.touched_at != self._seen_at:
            self._seen_at = self._host.touched_at
            self._touched()
        alone = self._clock() - self._touched_at > ALONE_SECONDS
        if self._open and isinstance(self._view, Closed) and alone:
            self._leave()

    def _touched(self) -> None:
        self._touched_at = self._clock()
        if self._touched_at - self._told_at >= TOLD_SECONDS and not isinstance(self._view, Closed):
            self._told_at = self._touched_at
            self._ask(Touched())

    def _followed(self, view: StaffView) -> bool:
        """Whether the page that is shown goes on with this view."""
        page = self.page
        match view, page:
            case (
                (LookHere(), LookPage())
                | (Posing(), PosesPage())
                | (ComeBack(), BackPage())
                | (WhyRefused(), WhyPage())
            ):
                page.show_view(view)  # type: ignore[union-attr]
                return True
            case _:
                return False

    def _make(self, look: Look) -> QWidget:
        self._read_in(look.texts.language)
        page = _page(look, self._view, self._ask)
        page.went_back.connect(self._back)
        page.finished.connect(self._back)
        self.page = page
        self._tell_of_poster()
        return page

    def _tell_of_poster(self) -> None:
        """Where the camera is used, staff read there that a face is left out."""
        if isinstance(self.page, LivePage):
            self.page.poster.setVisible(self._poster)

    def _read_in(self, language: str) -> None:
        """A consent text is first shown in the screen's language, if there is one."""
        view = self._view
        if isinstance(view, ConsentText) and not self._reading and language in view.languages:
            self._reading = True
            if language != view.language:
                self._ask(ReadIn(language))
        elif not isinstance(view, ConsentText):
            self._reading = False

    def _back(self) -> None:
        """Back: from the first page out, from everything else to the first page."""
        match self._view:
            case Closed():
                self._leave()
            case Home() | LookHere():
                self._ask(SignOut())
            case Person() | Erased():
                self._ask(Open(Place.PEOPLE))
            case _:
                self._ask(Open(Place.HOME))

    def _leave(self) -> None:
        """Away from the sign-in. The station may look for a face already: it must not sign in somebody who left."""
        self._ask(SignOut())
        self._close()

    def _close(self) -> None:
        self._open, self.page, self._view = False, None, Closed()
        self._host.close_page()


PAGES: dict[type, Callable[..., Page]] = {
    Closed: SignInPage,
    Home: HomePage,
    ConsentText: ConsentPage,
    WhoIsIt: WhoPage,
    Posing: PosesPage,
    ComeBack: BackPage,
    WaysIn: WaysPage,
    People: PeoplePage,
    Person: PersonPage,
    Events: EventsPage,
}
"""Of each view that asks for something: its page, made with look, view and whom to ask."""
SHOWN: dict[type, Callable[..., Page]] = {
    LookHere: LookPage,
    Declined: declined,
    Done: done,
    NotEnrolled: not_enrolled,
    Erased: ErasedPage,
    WhyRefused: WhyPage,
    DoorIs: DoorPage,
    Settings: SettingsPage,
}
"""Of each that only shows something: made with look and view."""


def _page(look: Look, view: StaffView, ask: Ask) -> Page:
    """The page of a view."""
    if type(view) in SHOWN:
        return SHOWN[type(view)](look, view)
    return PAGES[type(view)](look, view, ask)
