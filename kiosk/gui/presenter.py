"""Decides what the window shows: takes domain events and the time, gives an immutable Screen. No Qt, no clock, no I/O.

Two promises. "Welcome" and "the door is open" are shown only while the last message of the door says that it is
released, and never after the end of that release. Nothing stays on the screen longer than the event behind it is valid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from kiosk.domain.decision import Decision, Reason
from kiosk.domain.door.grants import DoorResult
from kiosk.domain.door.state import DoorState
from kiosk.domain.face import Box
from kiosk.domain.updates import Decided, DoorAnswered, DoorChanged, Faulted, Observed, Recovered, Update, Waiting
from kiosk.gui import words
from kiosk.gui.words import Icon, Words

FOR_STAFF = frozenset({Reason.CLOCK_BEHIND, Reason.CLOCK_UNSYNCHRONISED})
"""Faults that affect only some subjects. The kiosk works on for all others, and shows the fault's code for staff."""
REFUSED_SECONDS = 4.0
"""How long a refusal is shown."""
REFUSED_AT_LEAST = 2.5
"""How long a refusal is shown at least when the next attempt has begun."""
ANSWER_SECONDS = 2.0
"""Longest wait for the door's answer to a grant. The door answers within 1.5 s or never."""
RELEASE_SECONDS = 3.0
"""How long a release is shown if the door did not give its end."""
RELEASE_AT_MOST = 60.0
"""The longest release that the configuration allows."""
NEWS_SECONDS = 1.5
"""Greatest age at which guidance and preview are shown. After that the person may have gone."""
HINT_SECONDS = 0.5
"""How long a hint is shown at least, so that people can read it and it does not flicker."""


class Mode(StrEnum):
    """The kinds of screen."""

    STARTING = "starting"
    IDLE = "idle"
    GUIDING = "guiding"
    CHECKING = "checking"
    ASKING = "asking"
    GRANTED = "granted"
    REFUSED = "refused"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Countdown:
    """The rest of a release: `share` falls from 1 to 0; `seconds` is rounded up."""

    share: float
    seconds: int


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything that the window draws, except the picture, the clock and the banner."""

    mode: Mode
    icon: Icon
    headline: str
    detail: str = ""
    progress: float = 0.0
    """Progress of the attempt, 0..1, shown on the rim of the oval."""
    countdown: Countdown | None = None
    boxes: tuple[Box, ...] = ()
    """The faces, in pixels of the frame. Empty unless several faces prevent an attempt."""
    preview: bool = False
    """Whether the camera's picture is shown. It is shown only if it is fresh and the kiosk works."""
    code: str = ""
    """The reason of a fault, in small letters, for staff."""


@dataclass(frozen=True, slots=True)
class _Hint:
    """Guidance during an attempt, and when it was last given."""

    mode: Mode
    words: Words
    at: float


@dataclass(slots=True)
class _Result:
    """The last decision and its state: ASKING, then GRANTED or REFUSED, or CHECKING while a panel decides. Its screen
    is shown until `until`."""

    decision: Decision
    words: Words
    mode: Mode
    at: float
    until: float


class Presenter:
    """`name_of` gives the name of a subject, or None for an unknown id. It is called once for each released grant."""

    def __init__(self, name_of: Callable[[str], str | None]) -> None:
        self._name_of = name_of
        self._faults: dict[Reason, float] = {}
        self._door: DoorState | None = None
        self._result: _Result | None = None
        self._hint: _Hint | None = None
        self._observed: Observed | None = None
        self._observed_at = -math.inf
        self._frame_at = -math.inf
        self._started = False

    def frame_shown(self, at: float) -> None:
        """Takes note that the camera delivered a picture at the time `at`."""
        self._frame_at = max(self._frame_at, at)

    def handle(self, event: Update, at: float) -> None:
        """Takes an event that was published at `at` (seconds of CLOCK_BOOTTIME)."""
        match event:
            case Waiting():
                self._started = True
                self._observed = None
            case Observed():
                self._started = True
                self._observe(event, at)
            case Decided(decision):
                self._started = True
                self._decide(decision, at)
            case DoorAnswered():
                self._answer(event, at)
            case DoorChanged(state):
                self._change(state)
            case Faulted(reason):
                self._faults.setdefault(reason, at)
            case Recovered(reason):
                self._faults.pop(reason, None)

    def screen(self, now: float) -> Screen:
        """The screen for the time `now`."""
        shown = self._shown(now)
        noted = sorted(FOR_STAFF & self._faults.keys())
        return replace(shown, code=noted[0].value) if noted and shown.mode is Mode.IDLE else shown

    def _shown(self, now: float) -> Screen:
        preview = now - self._frame_at <= NEWS_SECONDS
        result = self._result
        if result is not None and result.mode is Mode.GRANTED and now < result.until:
            return Screen(
                Mode.GRANTED,
                result.words.icon,
                result.words.headline,
                result.words.detail,
                progress=1.0,
                countdown=_countdown(result, now),
                preview=preview,
            )
        fault = self._fault()
        if fault is not None:
            return _screen(Mode.FAULT, words.FAULTS.get(fault, words.OUT_OF_ORDER), code=fault.value)
        if result is not None and now < result.until:
            return _screen(result.mode, result.words, preview=preview)
        if result is not None and result.mode is Mode.ASKING and now < result.until + REFUSED_SECONDS:
            return _screen(Mode.REFUSED, words.OUT_OF_ORDER, preview=preview)
        if not self._started:
            return _screen(Mode.STARTING, words.STARTING, preview=preview)
        return self._guidance(now, preview)

    def _observe(self, event: Observed, at: float) -> None:
        self._observed, self._observed_at = event, at
        mode, said = _hint(event)
        held = self._hint
        fresh = held is not None and at - held.at < HINT_SECONDS and held.mode is not Mode.IDLE
        if held is None or not fresh or held.words == said:
            self._hint = _Hint(mode, said, at)
        if self._result is not None and self._result.mode is Mode.REFUSED and event.faces:
            self._result.until = min(self._result.until, max(self._result.at + REFUSED_AT_LEAST, at))

    def _decide(self, decision: Decision, at: float) -> None:
        self._observed = self._hint = None
        if decision.granted:
            said, mode, seconds = words.ASKING_THE_DOOR, Mode.ASKING, ANSWER_SECONDS
        else:
            said = words.refused(decision.reason, decision.evidence.hint)
            mode, seconds = Mode.REFUSED, REFUSED_SECONDS
        self._result = _Result(decision, said, mode, at, at + seconds)

    def _answer(self, event: DoorAnswered, at: float) -> None:
        reply = event.reply
        if reply.result is DoorResult.RELEASED:
            self._door = DoorState.RELEASED
        result = self._result
        if result is None or result.decision.id != event.decision_id or result.mode is not Mode.ASKING:
            return
        if reply.result is DoorResult.RELEASED:
            until = at + RELEASE_SECONDS if reply.released_until is None else reply.released_until
            subject_id = result.decision.subject_id
            name = self._name_of(subject_id) if subject_id is not None else None
            self._result = _Result(
                result.decision, words.welcome(name), Mode.GRANTED, at, min(until, at + RELEASE_AT_MOST)
            )
        elif reply.result is DoorResult.PRESENTED:
            self._result = _Result(result.decision, words.PRESENTED, Mode.CHECKING, at, at + RELEASE_SECONDS)
        else:
            refused = reply.result is DoorResult.REFUSED
            said = words.DOOR_STAYED_CLOSED if refused else words.OUT_OF_ORDER
            self._result = _Result(result.decision, said, Mode.REFUSED, at, at + REFUSED_SECONDS)

    def _change(self, state: DoorState) -> None:
        self._door = state
        if state is not DoorState.RELEASED and self._result is not None and self._result.mode is Mode.GRANTED:
            # This release is over, whatever comes next: a later release has its own grant.
            self._result = None

    def _fault(self) -> Reason | None:
        """The oldest fault. The camera's fault comes before all others, because the visitor can see it."""
        if Reason.CAMERA_UNAVAILABLE in self._faults:
            return Reason.CAMERA_UNAVAILABLE
        stopping = self._faults.keys() - FOR_STAFF
        if stopping:
            return min(stopping, key=lambda r: self._faults[r])
        if self._door in {DoorState.UNKNOWN, DoorState.FAULT}:
            return Reason.DOOR_UNAVAILABLE
        return None

    def _guidance(self, now: float, preview: bool) -> Screen:
        hint, observed = self._hint, self._observed
        current = observed is not None and now - self._observed_at <= NEWS_SECONDS
        if hint is None or not (current or now - hint.at < HINT_SECONDS):
            return _screen(Mode.IDLE, words.IDLE, preview=preview)
        if observed is None or not current:
            return _screen(hint.mode, hint.words, preview=preview)
        return Screen(
            hint.mode,
            hint.words.icon,
            hint.words.headline,
            hint.words.detail,
            progress=_share(observed.progress),
            boxes=tuple(f.box for f in observed.faces) if len(observed.faces) > 1 else (),
            preview=preview,
        )


def _hint(event: Observed) -> tuple[Mode, Words]:
    faces, quality = len(event.faces), event.quality
    if faces == 0:
        return Mode.IDLE, words.IDLE
    if faces > 1:
        return Mode.GUIDING, words.SEVERAL
    if event.let_in or event.waits:
        return Mode.GUIDING, words.LET_IN if event.let_in else words.WAIT
    if quality is not None and quality.flaw is not None:
        return Mode.GUIDING, words.FLAWS[quality.flaw]
    if event.hint is not None:
        return Mode.GUIDING, words.HINTS[event.hint]
    return Mode.CHECKING, words.CHECKING


def _screen(mode: Mode, said: Words, preview: bool = False, code: str = "") -> Screen:
    return Screen(mode, said.icon, said.headline, said.detail, preview=preview, code=code)


def _countdown(result: _Result, now: float) -> Countdown:
    left = result.until - now
    return Countdown(_share(left / max(result.until - result.at, 1e-9)), math.ceil(left))


def _share(value: float) -> float:
    return 0.0 if math.isnan(value) else min(1.0, max(0.0, value))
