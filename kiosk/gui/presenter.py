"""Decides what the window shows: takes events, touches and the time, gives an immutable Screen. No Qt, clock or I/O.

Two promises. "Welcome" and "the door is open" are shown only while the last message of the door says that it is
released, and never after the end of that release. Nothing stays on the screen longer than the event behind it is valid,
and nothing of a person longer than FORGET_SECONDS after they have left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from kiosk.domain.decision import Decision, Reason
from kiosk.domain.door.grants import DoorResult
from kiosk.domain.door.state import DoorState
from kiosk.domain.entry import EntryRequest, Means, Ways
from kiosk.domain.updates import (
    Decided,
    DoorAnswered,
    DoorChanged,
    DoorLeftOpen,
    EntryChanged,
    Faulted,
    Observed,
    OtherLight,
    Recovered,
    Update,
    Waiting,
)
from kiosk.gui import words
from kiosk.gui.catalogue import Texts
from kiosk.gui.entry import Entry, Place
from kiosk.gui.guidance import Guidance, Lamp
from kiosk.gui.state import Countdown, Mode, Screen
from kiosk.gui.words import Words

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
FORGET_SECONDS = 5.0
"""How long name and result are shown at most after the person has left."""
NEWS_SECONDS = 1.5
"""Greatest age at which the preview is shown. After that the person may have gone."""


@dataclass(slots=True)
class _Result:
    """The last decision and its state: ASKING, then GRANTED or REFUSED, or CHECKING while a panel decides. Its screen
    is shown until `until`. `name` is known of a released grant only."""

    decision: Decision
    words: Words
    mode: Mode
    at: float
    until: float
    name: str | None = None


class Presenter:
    """`name_of` gives the name of a subject, or None for an unknown id; it is called once for each released grant.
    `ways`: what this door offers beside a face alone. `second_light`: whether somebody is asked to have pictures taken
    in this light. `texts` may be replaced at any time."""

    def __init__(
        self,
        name_of: Callable[[str], str | None],
        texts: Texts,
        ways: Ways | None = None,
        second_light: bool = False,
    ) -> None:
        self.texts = texts
        self._name_of = name_of
        self._ways = ways if ways is not None else Ways()
        self._faults: dict[Reason, float] = {}
        self._door: DoorState | None = None
        self._left_open = False
        self._second_light = second_light
        self._other_light = ""  # the decision that let somebody in whose pictures are of other light
        self._result: _Result | None = None
        self._guidance = Guidance()
        self._lamp = Lamp()
        self._entry = Entry()
        self._left_at: float | None = None
        self._frame_at = -math.inf
        self._started = False

    def frame_shown(self, at: float, brightness: float | None = None) -> None:
        """Takes note that the camera delivered a picture at the time `at`, and its mean brightness (0..255)."""
        self._frame_at = max(self._frame_at, at)
        self._lamp.frame(brightness, at)

    def choose(self, means: Means, at: float) -> None:
        """A way in was touched."""
        if means in self._offered():
            self._entry.choose(means, at)

    def typed(self, text: str, at: float) -> EntryRequest | None:
        """A whole number or PIN was typed: what to ask the reception."""
        return self._entry.typed(text, at)

    def cancel(self) -> EntryRequest | None:
        """Back to the ordinary screen."""
        return self._entry.end()

    def touched(self, at: float) -> None:
        """Somebody touches the screen."""
        self._entry.touched(at)
        self._lamp.touched(at)

    def due(self, now: float) -> EntryRequest | None:
        """What to ask the reception because time has passed. Call it often."""
        return self._entry.late(now)

    def handle(self, event: Update, at: float) -> None:
        """Takes an event that was published at `at` (seconds of CLOCK_BOOTTIME)."""
        match event:
            case Waiting():
                self._started = True
                self._guidance.nobody()
                self._left_at = at if self._left_at is None else self._left_at
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
            case DoorLeftOpen(lasts):
                self._left_open = lasts
            case OtherLight(decision_id) if self._second_light:
                self._other_light = decision_id
            case EntryChanged():
                self._entry.changed(event, at)
            case Faulted(reason):
                self._faults.setdefault(reason, at)
                if reason not in FOR_STAFF | words.WITHOUT_A_FACE:
                    self._entry.end()
            case Recovered(reason):
                self._faults.pop(reason, None)

    def screen(self, now: float) -> Screen:
        """The screen for the time `now`."""
        shown = self._shown(now)
        noted = sorted(FOR_STAFF & self._faults.keys())
        if noted and shown.mode is Mode.IDLE:
            shown = replace(shown, code=noted[0].value)
        return replace(shown, light=shown.preview and self._lamp.on(now))

    def _shown(self, now: float) -> Screen:
        preview = now - self._frame_at <= NEWS_SECONDS
        result = self._result
        if result is not None and self._left_at is not None and now - self._left_at >= FORGET_SECONDS:
            result = None
        if result is not None and result.mode is Mode.GRANTED and now < result.until:
            shown = self._screen(Mode.GRANTED, result.words, preview=preview)
            other = result.decision.id == self._other_light
            detail = self.texts("welcome.second_light") if other else shown.detail
            welcome = words.welcome(self.texts, result.name)
            return replace(shown, headline=welcome, detail=detail, progress=1.0, countdown=_countdown(result, now))
        fault = self._fault()
        if self._entry.place is not Place.NONE and (fault is None or fault in words.WITHOUT_A_FACE):
            return self._entering(now, preview and fault is None)
        if fault is not None:
            return self._screen(Mode.FAULT, words.BROKEN.get(fault, words.OUT_OF_ORDER), code=fault.value)
        if result is not None and now < result.until:
            return self._screen(result.mode, result.words, preview=preview)
        if result is not None and result.mode is Mode.ASKING and now < result.until + REFUSED_SECONDS:
            return self._screen(Mode.REFUSED, words.OUT_OF_ORDER, preview=preview)
        if not self._started:
            return self._screen(Mode.STARTING, words.STARTING, preview=preview)
        return self._guiding(now, preview)

    def _entering(self, now: float, preview: bool) -> Screen:
        """The screen of another way in."""
        match self._entry.place:
            case Place.NUMBER:
                shown = Screen(Mode.NUMBER, words.Icon.NUMBER, self.texts("number.title"))
            case Place.PIN:
                wait = self._entry.wait(now)
                title = self.texts("pin_wait.title", seconds=wait) if wait else self.texts("pin.title")
                shown = Screen(Mode.PIN, words.Icon.NUMBER, title, wait=wait)
            case Place.SCAN:
                shown = self._screen(Mode.GUIDING, words.SCAN, preview=preview)
            case Place.FACE:
                shown = self._facing(now, preview)
            case _:
                return self._screen(Mode.ASKING, words.ASKING_THE_DOOR)
        return replace(shown, ways=(), cancel=True)

    def _facing(self, now: float, preview: bool) -> Screen:
        """1:1: the same guidance as for everybody, and "look here" where that has nothing to say."""
        shown = self._guiding(now, preview)
        idle = shown.mode is Mode.IDLE
        return self._screen(Mode.GUIDING, words.LOOK_HERE, preview=preview) if idle else shown

    def _guiding(self, now: float, preview: bool) -> Screen:
        told = self._guidance.told(now, self._lamp.dark)
        if told is None:
            idle = words.HELD_OPEN if self._left_open else words.DARK if self._lamp.waits(now) else words.IDLE
            return self._screen(Mode.IDLE, idle, preview=preview)
        shown = self._screen(told.mode, told.words, preview=preview, more_ways=told.long)
        detail = f"{self.texts('way.wait', seconds=told.seconds)}\n{shown.detail}" if told.seconds else shown.detail
        return replace(shown, detail=detail, progress=told.progress, boxes=told.boxes)

    def _observe(self, event: Observed, at: float) -> None:
        self._left_at = None if event.faces else self._left_at
        self._guidance.observed(event, at)
        self._lamp.seen(event, at)
        if self._result is not None and self._result.mode is Mode.REFUSED and event.faces:
            self._result.until = min(self._result.until, max(self._result.at + REFUSED_AT_LEAST, at))

    def _decide(self, decision: Decision, at: float) -> None:
        self._guidance.clear()
        self._left_at = None
        if decision.granted:
            # Whatever was being typed: the person is in.
            self._entry.end()
            said, mode, seconds = words.ASKING_THE_DOOR, Mode.ASKING, ANSWER_SECONDS
        else:
            hint = decision.evidence.hint
            said, mode, seconds = words.refused(decision.reason), Mode.REFUSED, REFUSED_SECONDS
            if hint is not None and said is words.NOT_RECOGNISED:
                said = replace(words.HINTS[hint], ways=True)
        self._result = _Result(decision, said, mode, at, at + seconds)

    def _answer(self, event: DoorAnswered, at: float) -> None:
        reply = event.reply
        if reply.result is DoorResult.RELEASED:
            self._door = DoorState.RELEASED
        result = self._result
        if result is None or result.decision.id != event.decision_id or result.mode is not Mode.ASKING:
            return
        decision = result.decision
        if reply.result is DoorResult.RELEASED:
            until = at + RELEASE_SECONDS if reply.released_until is None else reply.released_until
            name = self._name_of(decision.subject_id) if decision.subject_id is not None else None
            self._result = _Result(decision, words.WELCOME, Mode.GRANTED, at, min(until, at + RELEASE_AT_MOST), name)
        elif reply.result is DoorResult.PRESENTED:
            self._result = _Result(decision, words.PRESENTED, Mode.CHECKING, at, at + RELEASE_SECONDS)
        else:
            refused = reply.result is DoorResult.REFUSED
            said = words.DOOR_STAYED_CLOSED if refused else words.OUT_OF_ORDER
            self._result = _Result(decision, said, Mode.REFUSED, at, at + REFUSED_SECONDS)

    def _change(self, state: DoorState) -> None:
        self._door = state
        if state is not DoorState.RELEASED and self._result is not None and self._result.mode is Mode.GRANTED:
            # This release is over, whatever comes next: a later release has its own grant.
            self._result = None

    def _fault(self) -> Reason | None:
        """The oldest fault. The camera's fault comes before all others, because the visitor can see it."""
        if Reason.CAMERA_UNAVAILABLE in self._faults:
            return Reason.CAMERA_UNAVAILABLE
        return min(self._stopping(), key=lambda r: self._faults.get(r, math.inf), default=None)

    def _stopping(self) -> set[Reason]:
        """All faults with which no face opens the door."""
        broken = self._door in {DoorState.UNKNOWN, DoorState.FAULT}
        return (self._faults.keys() - FOR_STAFF) | ({Reason.DOOR_UNAVAILABLE} if broken else set())

    def _offered(self) -> frozenset[Means]:
        """The other ways in that lead somewhere now."""
        stopping = self._stopping()
        if not stopping:
            return self._ways.means
        if not self._ways.pin or stopping - words.WITHOUT_A_FACE:
            return frozenset()
        return self._ways.means - ({Means.QR} if Reason.CAMERA_UNAVAILABLE in stopping else set())

    def _screen(
        self, mode: Mode, said: Words, *, preview: bool = False, code: str = "", more_ways: bool = False
    ) -> Screen:
        """A screen with the words of a state. `more_ways`: the other ways in stand below, whatever the words say."""
        offered = self._offered()
        detail = said.detail(self.texts)
        if said.ways or (more_ways and offered):
            other = words.other_ways(self.texts, offered)
            detail = other if more_ways or not detail else f"{detail}\n{other}"
        ways = tuple(means for means in Means if means in offered and means in words.BUTTONS)
        shown = () if mode in {Mode.STARTING, Mode.ASKING, Mode.GRANTED} else ways
        return Screen(mode, said.icon, said.headline(self.texts), detail, preview=preview, code=code, ways=shown)


def _countdown(result: _Result, now: float) -> Countdown:
    left = result.until - now
    return Countdown(min(1.0, max(0.0, left / max(result.until - result.at, 1e-9))), math.ceil(left))
