"""Answers what staff mode's pages ask for, in a thread of its own, with its own connection to the gallery.

Whoever signs in has a number, a PIN and a face: the PIN is checked by storage.pins, the face by the booth against that
person's references alone. Without a camera nobody signs in here; commands remain.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable

import structlog

from kiosk.domain.audit import AuditKind, AuditOutcome
from kiosk.domain.errors import GalleryError, KioskError
from kiosk.domain.staff_views import Closed, Failure, Home, LookHere, Problem, StaffView
from kiosk.domain.staffing import IDLE_SECONDS, SignIn, SignOut, StaffRequest, Touched, may
from kiosk.domain.updates import Decided, DoorChanged, FaceStays, StaffChanged, Update
from kiosk.station.booth_tasks import State, Task
from kiosk.station.light_watch import LightWatch
from kiosk.station.staff_enrolment import further
from kiosk.station.staff_pages import Around, Pages
from kiosk.station.staff_session import REASONS, Office, Person
from kiosk.station.staff_sign_in import SignIns
from kiosk.storage.pins import Pins

WAITING = 32
"""Most requests that wait. More are dropped: nobody touches a screen so fast."""
TURN_SECONDS = 0.25
log = structlog.get_logger("kiosk")


class StaffDesk:
    """One session at a time. `ask` and `heard` may be called in any thread, `turn` in one."""

    def __init__(
        self,
        office: Office,
        publish: Callable[[StaffChanged], None],
        clock: Callable[[], float],
        pins: Pins | None = None,
        duress: Callable[[str], None] = lambda _: None,
        light: LightWatch | None = None,
    ) -> None:
        """`clock`: seconds of CLOCK_BOOTTIME. `duress`: is told, silently, of whom somebody made sign in. `light`: is
        told who is let in."""
        self._office, self._publish, self._clock = office, publish, clock
        self._sign_ins = SignIns(office, pins or Pins(office.gallery, clock), duress)
        self._light = light
        self._requests: queue.Queue[StaffRequest | None] = queue.Queue(WAITING)
        self._applicant: Person | None = None
        self._who: Person | None = None
        self._pages: Pages | None = None
        self._touched_at = 0.0
        self._seen = State()
        self._view: StaffView = Closed()
        self._around = Around()
        office.booth.tell = self._wake

    @property
    def busy(self) -> bool:
        """Whether something waits for a turn."""
        return not self._requests.empty()

    def ask(self, request: StaffRequest) -> None:
        """Takes a request; returns at once. Drops it when too many wait."""
        try:
            self._requests.put_nowait(request)
        except queue.Full:
            log.warning("staff_request_dropped", request=type(request).__name__)

    def heard(self, update: Update) -> None:
        """Takes what the kiosk publishes."""
        match update:
            case DoorChanged(state):
                self._around.door = state
            case FaceStays(there):
                self._around.lingering = there
            case Decided(decision) if self._light is not None:
                self._light.let_in(decision)
                self._wake()

    def _wake(self) -> None:
        """The booth has seen something: `turn` looks at it at once."""
        if self._requests.empty():
            with contextlib.suppress(queue.Full):
                self._requests.put_nowait(None)

    def turn(self) -> None:
        """Does what was asked, or waits a moment for it. Never raises."""
        try:
            request = self._requests.get(timeout=TURN_SECONDS)
        except queue.Empty:
            request = None
        try:
            self._turn(request)
        except Exception as error:  # noqa: BLE001 - it ends the session; nothing half-done is written
            log.error("staff_mode_fault", error=type(error).__name__)
            self._close(Closed(failure=Failure.FAULT))
        try:
            if self._light is not None and self._who is None:  # later: its record is of nobody who is signed in
                self._light.turn()
        finally:
            self._sign_ins.tell_of_force()  # last, so that nothing comes later than after the other PIN

    def close(self) -> None:
        """Ends staff mode, when the kiosk stops."""
        self._office.booth.release()

    def _turn(self, request: StaffRequest | None) -> None:
        now = self._clock()
        if request is not None:
            self._take(request, now)
        self._look(now)
        if self._pages is not None and isinstance(self._view, Home):  # it says what is around
            self._show(self._pages.home(self._view.problem))
        if self._who is not None and now - self._touched_at >= IDLE_SECONDS:
            self._close(Closed())
        if self._who is not None or self._applicant is not None:
            self._office.booth.renew()

    def _take(self, request: StaffRequest, now: float) -> None:
        if not may(None if self._who is None else self._who.role, request):
            log.warning("staff_request_refused", request=type(request).__name__)
            return
        self._touched_at = now
        match request:
            case Touched():
                pass
            case SignIn(number, pin):
                if self._who is None and self._applicant is None:
                    self._sign_in(number, pin, now)
            case SignOut():
                if self._applicant is not None:  # otherwise faces could be tried without end, each before it counts
                    self._missed(self._applicant, Failure.NOT_RECOGNISED, now)
                self._close(Closed())
            case _ if self._who is not None and self._sign_ins.may(self._who, now):
                self._try(request)
            case _:
                self._close(Closed())

    def _sign_in(self, number: str, pin: str, now: float) -> None:
        """Number and PIN; then the camera looks for the face."""
        found = self._sign_ins.check(number, pin, now)
        if isinstance(found, Closed):
            self._show(found)
            return
        self._applicant = found.person
        self._office.booth.sign_in(found.compare)
        self._show(LookHere())

    def _signed_in(self, who: Person, now: float) -> None:
        if not self._sign_ins.may(who, now):
            self._missed(who, Failure.NOT_RECOGNISED, now)
            self._close(Closed(failure=Failure.NOT_RECOGNISED))
            return
        self._who, self._applicant, self._touched_at = who, None, now
        self._sign_ins.worked(who)
        self._office.gallery.by = f"subject {who.subject_id}"
        self._office.note(AuditKind.STAFF, AuditOutcome.SIGNED_IN, None, who.subject_id)
        self._office.booth.hold()
        self._pages = Pages(self._office, who, self._around)
        self._show(self._pages.home())

    def _missed(self, who: Person, failure: Failure, now: float) -> None:
        if failure in {Failure.NOT_RECOGNISED, Failure.ATTACK}:
            self._sign_ins.failed(who, now)
        self._applicant = None
        self._office.note(AuditKind.STAFF, AuditOutcome.SIGN_IN_FAILED, REASONS[failure], who.subject_id)

    def _try(self, request: StaffRequest) -> None:
        """Does what somebody who is signed in asks for. What cannot be written is told, and nothing was changed."""
        assert self._pages is not None
        try:
            self._show(self._pages.ask(request, self._view))
        except KioskError as error:
            log.error("staff_request_failed", request=type(request).__name__, error=type(error).__name__)
            self._pages.leave()
            self._show(self._pages.home(Problem.GALLERY))

    def _look(self, now: float) -> None:
        """Takes what the booth has seen since the last turn."""
        state = self._office.booth.state
        if state == self._seen:
            return
        self._seen = state
        if self._applicant is not None:
            self._look_for(self._applicant, state, now)
        elif self._who is not None and state.failure is Failure.FAULT:
            self._close(Closed(failure=Failure.FAULT))
        elif self._pages is not None:
            self._follow(self._pages, state, now)

    def _look_for(self, who: Person, state: State, now: float) -> None:
        if state.done and state.task is Task.SIGN_IN:
            self._signed_in(who, now)
        elif state.failure is not None or state.task is not Task.SIGN_IN:
            failure = state.failure or Failure.FAULT
            self._missed(who, failure, now)
            self._close(Closed(failure=failure))
        else:
            self._show(LookHere(state.share, state.trouble))

    def _follow(self, pages: Pages, state: State, now: float) -> None:
        before = self._view
        self._show(pages.saw(state, before))
        if pages.enrolling is not None and further(before, self._view):
            self._touched_at = now

    def _close(self, why: Closed) -> None:
        """Signs out; the frames are the door's again."""
        if self._pages is not None:
            with contextlib.suppress(GalleryError):
                self._pages.break_off()
        who, self._who, self._applicant, self._pages = self._who, None, None, None
        self._office.booth.release()
        self._seen = self._office.booth.state
        if who is not None:
            with contextlib.suppress(GalleryError):
                self._office.note(AuditKind.STAFF, AuditOutcome.SIGNED_OUT, None, who.subject_id)
        self._office.gallery.by = None
        self._show(why)

    def _show(self, view: StaffView) -> None:
        if view != self._view or isinstance(view, Closed):
            self._view = view
            self._publish(StaffChanged(view))
