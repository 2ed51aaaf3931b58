"""Guides a person through the five poses of an enrolment at the kiosk's own camera. Pure: times come with the frames.

Faces differ by more than a nod makes (domain.looks), so up and down are told from the person's own straight look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.face import Vector
from kiosk.domain.looks import HeadPose, Look, Pose, Trouble

STRAIGHT_YAW = 0.15
"""A straight look turns at most so far."""
SIDE_YAW = 0.18
"""A look to the side turns so much further than the straight one: about 12 degrees. In clips of people who turn their
heads, 3 of 9 do it to a side."""
NOD = 0.025
"""Up and down differ by so much from the straight look's pitch: about 8 degrees, five times what a still face varies.
In the clips the largest are 0.04 up and 0.03 down."""
HOLD_SECONDS, HOLD_FRAMES = 0.25, 3
"""A pose counts once it was held for so long and in so many frames; the best of them is kept."""
STILL = 1.0
"""A face that moves faster does not hold still: widths of its box in a second."""
SKIP_SECONDS = 8.0
"""A pose that somebody does not reach is left out after so long of trying. Not everybody can nod."""
LIMIT_SECONDS = 60.0
"""An enrolment that is not over by then ends, with the poses that there are if the straight one is among them."""
DENIED, JUDGED = 3, 5
"""PAD ends it when it denies so many of so many frames in a row."""
STRANGE_FRAMES = 5
"""So many frames in a row that do not match the first pose are of another person, and it begins again."""
RESTARTS = 2
"""After so many new beginnings another change of person ends it."""
TRYING = frozenset({None, Trouble.OTHER_POSE, Trouble.MOVING, Trouble.TURNED_TOO_FAR})
"""With these somebody is there and does what they can; whoever is away or in the dark leaves no pose out by that."""
GAP_SECONDS = 0.5
"""A pose that is not seen for so long is no longer held."""


class End(StrEnum):
    """How the poses ended."""

    DONE = "done"
    ATTACK = "attack"
    TOO_LONG = "too_long"
    SOMEBODY_ELSE = "somebody_else"


@dataclass(frozen=True, slots=True)
class Progress:
    """What is shown of it. `asked`: the pose that is asked for; None at the end. `held`: the share of the time for
    which the pose must be held, 0..1."""

    asked: Pose | None
    taken: frozenset[Pose] = frozenset()
    skipped: frozenset[Pose] = frozenset()
    trouble: Trouble | None = None
    held: float = 0.0
    seconds_left: float = LIMIT_SECONDS
    restarts: int = 0
    end: End | None = None


class Coach:
    """The poses of one person. A pose that is shown before it is asked for is taken too: people mistake left and
    right in a mirror."""

    def __init__(self, began_at: float, same: Callable[[Vector, Vector], bool]) -> None:
        """`same`: whether two vectors are of one person."""
        self._same = same
        self._began_at = began_at
        self._at = began_at
        self._tried = 0.0
        """Seconds for which a good face was before the camera since the last pose."""
        self._taken: dict[Pose, Look] = {}
        self._skipped: set[Pose] = set()
        self._held: list[Look] = []
        self._holding: Pose | None = None
        self._last: Look | None = None
        self._denials: deque[bool] = deque(maxlen=JUDGED)
        self._strange = 0
        self._restarts = 0
        self._trouble: Trouble | None = Trouble.NOBODY
        self._end: End | None = None

    @property
    def taken(self) -> dict[Pose, Look]:
        """The best frame of each pose, at most one each. All match the straight one."""
        return dict(self._taken)

    @property
    def progress(self) -> Progress:
        """What is shown."""
        held = 0.0
        if self._held:
            seconds = (self._held[-1].at - self._held[0].at) / HOLD_SECONDS
            held = min(1.0, seconds, len(self._held) / HOLD_FRAMES)
        return Progress(
            None if self._end else self._asked(),
            frozenset(self._taken),
            frozenset(self._skipped),
            None if self._end else self._trouble,
            held,
            max(0.0, self._began_at + LIMIT_SECONDS - self._at),
            self._restarts,
            self._end,
        )

    def skip(self) -> None:
        """Leaves out the pose that is asked for, if the straight one is there."""
        asked = self._asked()
        if self._end is None and asked is not None and Pose.STRAIGHT in self._taken:
            self._skipped.add(asked)
            self._tried = 0.0
            self._finish()

    def add(self, look: Look) -> None:
        """Takes the next frame."""
        if self._end is not None:
            return
        since, self._at = look.at - self._at, look.at
        self._trouble = self._judge(look)
        if self._trouble in TRYING:
            self._tried += min(since, GAP_SECONDS)
        self._last = look
        if self._trouble is not None and self._trouble is not Trouble.OTHER_POSE:
            self._let_go()
        if self._end is None:
            self._late()

    def _judge(self, look: Look) -> Trouble | None:
        """Why the frame is not taken; None if it is held or taken."""
        if look.live is not None:
            self._denials.append(not look.live)
            if sum(self._denials) >= DENIED:
                self._end = End.ATTACK
                self._taken.clear()
            if not look.live:
                return Trouble.NOT_LIVE
        if look.trouble is not None:
            return look.trouble
        if look.vector is None or look.pose is None or look.box is None or not look.live:
            return Trouble.UNNATURAL
        if not self._is_same(look.vector):
            return Trouble.SOMEBODY_ELSE
        if self._moves(look):
            return Trouble.MOVING
        return self._hold(look, look.pose)

    def _is_same(self, vector: Vector) -> bool:
        first = self._taken.get(Pose.STRAIGHT) or (self._held[0] if self._held else None)
        if first is None or first.vector is None or self._same(first.vector, vector):
            self._strange = 0
            return True
        self._strange += 1
        if self._strange >= STRANGE_FRAMES and self._taken:
            self._again()
        return False

    def _again(self) -> None:
        """Another person stands there: nothing of the first one is kept."""
        self._taken.clear()
        self._skipped.clear()
        self._strange = 0
        self._restarts += 1
        self._tried = 0.0
        if self._restarts > RESTARTS:
            self._end = End.SOMEBODY_ELSE

    def _moves(self, look: Look) -> bool:
        last = self._last
        if last is None or last.box is None or look.box is None:
            return False
        (ax, ay), (bx, by) = last.box.centre, look.box.centre
        seconds = max(look.at - last.at, 1e-3)
        moved: float = ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5
        return moved > STILL * seconds * look.box.width

    def _hold(self, look: Look, pose: HeadPose) -> Trouble | None:
        shown = self._shows(pose)
        if shown is None or shown in self._taken or shown in self._skipped:
            self._let_go()
            return Trouble.OTHER_POSE
        if shown is not self._holding or (self._held and look.at - self._held[-1].at > GAP_SECONDS):
            self._let_go()
            self._holding = shown
        self._held.append(look)
        if len(self._held) >= HOLD_FRAMES and look.at - self._held[0].at >= HOLD_SECONDS:
            self._taken[shown] = max(self._held, key=lambda held: held.quality)
            self._tried = 0.0
            self._let_go()
            self._finish()
        return None

    def _shows(self, pose: HeadPose) -> Pose | None:
        """Which pose it is. Only a straight look is one before there is one."""
        straight = self._taken.get(Pose.STRAIGHT)
        if straight is None or straight.pose is None:
            return Pose.STRAIGHT if abs(pose.yaw) <= STRAIGHT_YAW else None
        aside, nod = pose.yaw - straight.pose.yaw, pose.pitch - straight.pose.pitch
        if abs(aside) >= SIDE_YAW:
            return Pose.LEFT if aside > 0 else Pose.RIGHT
        if abs(aside) <= STRAIGHT_YAW and abs(nod) >= NOD:
            return Pose.DOWN if nod > 0 else Pose.UP
        return None

    def _asked(self) -> Pose | None:
        return next((p for p in Pose if p not in self._taken and p not in self._skipped), None)

    def _late(self) -> None:
        """Leaves out a pose that takes too long, and ends it all at its limit."""
        if self._at - self._began_at >= LIMIT_SECONDS:
            self._end = End.DONE if Pose.STRAIGHT in self._taken else End.TOO_LONG
        elif self._tried >= SKIP_SECONDS:
            self.skip()

    def _finish(self) -> None:
        if self._asked() is None:
            self._end = End.DONE

    def _let_go(self) -> None:
        self._held.clear()
        self._holding = None
