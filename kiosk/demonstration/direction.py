"""Who stands before the camera while staff use the kiosk: the demonstration's people do what the pages ask of them.

They turn their heads, but do not nod: a picture that is warped shows no other side of a nose. So "up" and "down" are
left out, as with anybody who cannot nod.
"""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.demonstration.story import ADA, NEWCOMER, Visitor
from kiosk.domain.looks import Pose
from kiosk.domain.staff_views import Closed, ComeBack, LookHere, Posing, StaffView, WhyRefused

TURN_DEGREES = 22.0
"""So far the newcomer turns the head: enough for the poses to the sides, and within what the gate takes."""
DEGREES_A_SECOND = 60.0
"""So fast."""

YAW = {Pose.LEFT: TURN_DEGREES, Pose.RIGHT: -TURN_DEGREES}


@dataclass(frozen=True, slots=True)
class Stand:
    """Who stands there (None: nobody), and the yaw that they turn to, in degrees."""

    visitor: Visitor | None = None
    yaw: float = 0.0


def stand(view: StaffView) -> Stand | None:
    """Who stands there while a page is shown; None: the story goes on."""
    match view:
        case Closed():
            return None
        case LookHere():
            return Stand(ADA)
        case Posing(progress):
            return Stand(NEWCOMER, YAW.get(progress.asked, 0.0) if progress.asked else 0.0)
        case ComeBack(away=True) | WhyRefused():
            return Stand(NEWCOMER)
        case _:
            return Stand()


def nearer(yaw: float, wanted: float, seconds: float) -> float:
    """The yaw so many seconds later."""
    most = DEGREES_A_SECOND * seconds
    return yaw + min(most, max(-most, wanted - yaw))
