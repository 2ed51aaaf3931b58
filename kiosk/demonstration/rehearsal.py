"""Staff's part of the demonstration where nobody is at the window: it signs in, enrols the newcomer, signs out.

It asks for what a person would touch, one page after the other, and only when the page is there.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.demonstration.story import NEWCOMER, STAFF_NUMBER, STAFF_PIN
from kiosk.domain.looks import Pose
from kiosk.domain.staff_views import (
    Closed,
    ConsentText,
    Declined,
    Done,
    Home,
    NotEnrolled,
    Posing,
    StaffView,
    WaysIn,
    WhoIsIt,
)
from kiosk.domain.staffing import (
    About,
    Answered,
    Finish,
    Open,
    Place,
    SignIn,
    SignOut,
    SkipPose,
    StaffRequest,
)

NODS = frozenset({Pose.UP, Pose.DOWN})
"""The newcomer does not nod (demonstration.direction)."""


class Rehearsal:
    """`ask` takes what staff touch, `say` one line for each step; `over` is called at the end. `take` may be called in
    any thread, one call at a time."""

    def __init__(
        self, ask: Callable[[StaffRequest], None], say: Callable[[str], None], over: Callable[[], None]
    ) -> None:
        self._ask, self._say, self._over = ask, say, over
        self._skipped: set[Pose] = set()
        self._began = False
        self.good = False
        """Whether the newcomer was enrolled."""

    def begin(self) -> None:
        """Staff sign in."""
        self._began = True
        self._say("staff: number, PIN and face")
        self._ask(SignIn(STAFF_NUMBER, STAFF_PIN))

    def take(self, view: StaffView) -> None:
        """Takes each page that is shown."""
        if not self._began:
            return
        match view:
            case Home():
                self._say(f"staff: {view.name} is signed in, and enrols somebody")
                self._ask(Open(Place.ENROL))
            case ConsentText():
                self._say(f"staff: the person agrees to the text {view.version} ({view.language})")
                self._ask(Answered(agreed=True))
            case WhoIsIt(problem=None):
                self._ask(About(NEWCOMER.name))
            case Posing(progress, None):
                asked = progress.asked
                if asked in NODS and asked not in self._skipped:
                    self._skipped.add(asked)
                    self._ask(SkipPose())
            case WaysIn():
                self._say(f"staff: recognised again; the number is {view.number}")
                self._ask(Finish())
            case Done():
                self.good = True
                self._say(f"staff: {view.name} can enter from now on")
                self._ask(SignOut())
            case NotEnrolled() | Declined() | Posing():
                self._say("staff: nobody was enrolled")
                self._ask(SignOut())
            case Closed():
                self._began = False
                self._over()
