"""What the camera's frames are used for while a member of staff uses the kiosk: to sign in, to enrol somebody, to show
why somebody is refused.

As long as it holds the camera, no frame reaches the door's pipeline, so no face opens the door. Whoever holds it must
renew that: after some seconds without a renewal, and after any fault, the frames go to the door again. Nothing is
written here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from threading import Lock

import structlog

from kiosk.domain.face import Frame, Vector
from kiosk.domain.looks import Look, Pose
from kiosk.domain.staff_views import Failure
from kiosk.station.booth_tasks import Compare, Held, Poses, Recognise, State, Task, Use, Why
from kiosk.station.looking import Eyes, Looker

log = structlog.get_logger("kiosk")

HELD_SECONDS = 5.0
"""The camera goes back to the door so long after the last renewal."""


class Booth:
    """Takes frames in the pipeline's thread (`take`, `lost`), and tasks from the thread of staff mode (all else).
    `tell` is called after each change, in either thread, and must return at once."""

    def __init__(
        self,
        eyes: Eyes,
        search: Compare,
        same: Callable[[Vector, Vector], bool],
        clock: Callable[[], float],
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        """`search`: compares as the door does; for the pipeline's thread. `same`: whether two vectors are of one
        person. `clock`: CLOCK_BOOTTIME, as the frames'."""
        self._eyes = eyes
        self._search = search
        self._same = same
        self._clock = clock
        self.tell = tell
        self._lock = Lock()
        self._looker = Looker(eyes)
        self._use: Use | None = None
        self._until = -math.inf
        self._state = State()
        self._taken: Mapping[Pose, Look] = {}

    @property
    def state(self) -> State:
        """What it is doing now."""
        with self._lock:
            return self._state

    @property
    def busy(self) -> bool:
        """Whether frames are kept from the door now."""
        with self._lock:
            return self._use is not None and self._clock() < self._until

    @property
    def taken(self) -> Mapping[Pose, Look]:
        """The poses of the task POSES that was done last; empty after any other end."""
        with self._lock:
            return self._taken

    def renew(self) -> None:
        """Holds the camera for some seconds more, if it is held."""
        with self._lock:
            if self._use is not None:
                self._until = self._clock() + HELD_SECONDS

    def hold(self) -> None:
        """Keeps the frames from the door, for nothing."""
        self._begin(Held())

    def sign_in(self, compare: Compare) -> None:
        """Looks for one person, with whose references `compare` compares."""
        self._begin(Recognise(Task.SIGN_IN, compare, self._clock()))

    def poses(self) -> None:
        """Takes the poses of an enrolment, from the beginning."""
        self._taken = {}
        self._begin(Poses(self._same, self._clock()))

    def skip(self) -> None:
        """Leaves out the pose that is asked for."""
        with self._lock:
            if isinstance(self._use, Poses):
                self._use.coach.skip()

    def back(self, compare: Compare) -> None:
        """Lets the person step away, and looks whether they are recognised when they come back."""
        self._begin(Recognise(Task.BACK, compare, self._clock()))

    def why(self) -> None:
        """Shows what would decide about the face at the door."""
        self._begin(Why(self._search, self._eyes.pad.threshold))

    def release(self) -> None:
        """Gives the frames to the door, and forgets everything."""
        with self._lock:
            self._use, self._state, self._taken = None, State(), {}
        self.tell()

    def take(self, frame: Frame) -> bool:
        """Whether this frame was kept from the door. Never raises: a fault ends the task, and the door goes on."""
        with self._lock:
            use = self._use
            if use is None:
                return False
            if frame.captured_at >= self._until:
                self._end(State())
            else:
                self._look(use, frame)
        self.tell()
        return True

    def lost(self, message: str) -> None:
        """Takes note that the camera has failed. The task ends; what it had taken is forgotten."""
        with self._lock:
            if self._use is None:
                return
            if isinstance(self._use, Held):
                return
            log.warning("staff_mode_interrupted", because="camera", message=message)
            self._fail(Failure.CAMERA)
        self.tell()

    def _look(self, use: Use, frame: Frame) -> None:
        if isinstance(use, Held):
            return
        try:
            use.take(self._looker.look(frame))
            state = use.state()
        except Exception as error:  # noqa: BLE001 - nobody is enrolled or signed in then, and the door goes on
            log.error("staff_mode_fault", error=f"{type(error).__name__}: {error}")
            self._end(State(self._state.task, failure=Failure.FAULT))
            return
        if state.done and isinstance(use, Poses):
            self._taken = use.coach.taken
        if state.done or state.failure:
            self._use = Held(state)
        self._state = state

    def _begin(self, use: Use) -> None:
        with self._lock:
            if not isinstance(use, Held):
                self._looker = Looker(self._eyes)
            self._use, self._state = use, use.state()
            self._until = self._clock() + HELD_SECONDS
        self.tell()

    def _fail(self, why: Failure) -> None:
        """The task has failed; the camera stays held."""
        state = State(self._state.task, failure=why)
        self._use, self._state, self._taken = Held(state), state, {}

    def _end(self, state: State) -> None:
        """The frames are the door's again."""
        self._use, self._state, self._taken = None, state, {}
