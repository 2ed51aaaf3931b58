"""What the booth (station.booth) may use frames for. For the pipeline's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from kiosk.domain.coaching import Coach, End, Progress
from kiosk.domain.decision import Comparison
from kiosk.domain.face import Vector
from kiosk.domain.looks import Trouble
from kiosk.domain.recognising import Recognition, Result
from kiosk.domain.staff_views import Bars, Failure
from kiosk.station.looking import Looked

SIGN_IN_SECONDS, BACK_SECONDS = 15.0, 40.0
"""How long somebody may take to be recognised at sign-in, and after an enrolment, for which they step away first."""

_OF_RESULT = {Result.ATTACK: Failure.ATTACK, Result.NOT_RECOGNISED: Failure.NOT_RECOGNISED}
_OF_END = {
    End.ATTACK: Failure.ATTACK,
    End.TOO_LONG: Failure.TOO_LONG,
    End.SOMEBODY_ELSE: Failure.SOMEBODY_ELSE,
}
Compare = Callable[[Vector], Comparison]
"""Compares a vector with references; may be slow, and may raise."""


class Task(StrEnum):
    """What the frames are used for."""

    NOTHING = "nothing"
    """They are the door's."""
    HELD = "held"
    """For nothing: a member of staff uses the kiosk."""
    SIGN_IN = "sign_in"
    POSES = "poses"
    BACK = "back"
    """Somebody who was enrolled steps away, comes back and must be recognised."""
    WHY = "why"


@dataclass(frozen=True, slots=True)
class State:
    """What the booth is doing. `done`: the task has ended well. `progress` is of POSES, `share` (0..1) and `away` of
    somebody who is to be recognised, `bars` of WHY."""

    task: Task = Task.NOTHING
    done: bool = False
    failure: Failure | None = None
    progress: Progress | None = None
    share: float = 0.0
    away: bool = True
    trouble: Trouble | None = None
    bars: Bars | None = None


class Use(Protocol):
    """One use of the frames. Methods may raise anything: then it has ended."""

    def take(self, looked: Looked) -> None:
        """Takes what a frame shows."""

    def state(self) -> State:
        """What has become of it so far."""


class Recognise:
    """SIGN_IN and BACK."""

    def __init__(self, task: Task, compare: Compare, at: float) -> None:
        back = task is Task.BACK
        self._task = task
        self._compare = compare
        self._recognition = Recognition(at, BACK_SECONDS if back else SIGN_IN_SECONDS, after_leaving=back)
        self._trouble: Trouble | None = None

    def take(self, looked: Looked) -> None:
        """See Use."""
        look = looked.look
        self._trouble = look.trouble
        if look.trouble is Trouble.NOBODY:
            self._recognition.nobody(look.at)
        elif look.live is None:
            self._recognition.useless(look.at)
        else:
            mated = look.vector is not None and self._compare(look.vector).mated
            self._recognition.judged(look.at, look.live, mated)

    def state(self) -> State:
        """See Use."""
        r = self._recognition
        failure = None if r.result is None else _OF_RESULT.get(r.result)
        return State(
            self._task,
            done=r.result is Result.RECOGNISED,
            failure=failure,
            share=r.progress,
            away=r.away,
            trouble=self._trouble,
        )


class Poses:
    """POSES."""

    def __init__(self, same: Callable[[Vector, Vector], bool], at: float) -> None:
        self.coach = Coach(at, same)

    def take(self, looked: Looked) -> None:
        """See Use."""
        self.coach.add(looked.look)

    def state(self) -> State:
        """See Use."""
        progress = self.coach.progress
        failure = None if progress.end is None else _OF_END.get(progress.end)
        done = progress.end is End.DONE
        return State(Task.POSES, done, failure, progress, trouble=progress.trouble)


class Why:
    """WHY."""

    def __init__(self, search: Compare, pad_limit: float) -> None:
        self._search = search
        self._bars = Bars(pad_limit=pad_limit)

    def take(self, looked: Looked) -> None:
        """See Use."""
        look, quality = looked.look, looked.quality
        made = Bars(
            None if quality is None else quality.score,
            looked.pad,
            self._bars.pad_limit,
            score_limit=self._bars.score_limit,
            trouble=look.trouble if look.live is not False else Trouble.NOT_LIVE,
        )
        if look.vector is not None:
            found = self._search(look.vector)
            whom = found.subject_id if found.mated else None
            made = replace(made, score=found.score, score_limit=found.threshold, subject_id=whom)
        self._bars = made

    def state(self) -> State:
        """See Use."""
        return State(Task.WHY, bars=self._bars, trouble=self._bars.trouble)


@dataclass(slots=True)
class Held:
    """Holds the camera for nothing, or after a task has ended."""

    last: State = field(default_factory=lambda: State(Task.HELD))

    def take(self, looked: Looked) -> None:
        """Nothing is looked for."""

    def state(self) -> State:
        """See Use."""
        return self.last
