"""What one frame shows of the person before the camera: the pose of the head, and what is wrong. Pure.

The pose of a head is told from the detector's five landmarks, along and across the line between the eyes:

    yaw   = (nose - middle of eyes and mouth) along that line / half the distance of the eyes
    pitch = (nose - eyes) across that line / (mouth - eyes) across that line

`yaw` is 0 for a face that looks straight ahead and positive for a head that turns to the person's own left; the gate
takes up to 0.5 (about 30 degrees). `pitch` is the share of the way from the eyes to the mouth at which the nose lies:
smaller for a raised chin. Measured on 1,500 pictures of LFW and of the detector's training set, most of which look
straight ahead: yaw -0.01 (median), pitch 0.569 (median; 98% within 0.510 to 0.615, all within what the gate takes). A
face that is held still varies by 0.004 (yaw) and 0.002 (pitch) from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.domain.face import Box, Face, Flaw, Hint, Vector


class Pose(StrEnum):
    """The poses, in the order in which they are asked for. Left and right are the person's own."""

    STRAIGHT = "straight"
    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"


class Trouble(StrEnum):
    """Why a frame is not taken, by the components of ISO/IEC 29794-5 where it names one (in brackets)."""

    NOBODY = "nobody"
    SEVERAL = "several"
    """(Single face present.)"""
    TOO_SMALL = "too_small"
    """(Inter-eye distance, head size.)"""
    TOO_NEAR = "too_near"
    """(Head size; crop of the face.)"""
    OFF_CENTRE = "off_centre"
    """(Crop of the face.)"""
    TILTED = "tilted"
    """(Pose: roll.)"""
    TURNED_TOO_FAR = "turned_too_far"
    """(Pose: yaw.)"""
    OTHER_POSE = "other_pose"
    """(Pose.) The face is good, and does not look where it was asked to."""
    EYES_HIDDEN = "eyes_hidden"
    """(Eyes visible.)"""
    MOUTH_COVERED = "mouth_covered"
    """(Mouth occlusion.)"""
    UNEVEN_LIGHT = "uneven_light"
    """(Illumination uniformity.)"""
    TOO_DARK = "too_dark"
    """(Under-exposure.)"""
    TOO_BRIGHT = "too_bright"
    """(Over-exposure.)"""
    BLURRED = "blurred"
    """(Sharpness.)"""
    UNNATURAL = "unnatural"
    """(Natural colour, face occlusion.)"""
    MOVING = "moving"
    SOMEBODY_ELSE = "somebody_else"
    NOT_LIVE = "not_live"
    """PAD denies this frame. Said to staff, not to the person."""


OF_FLAW: dict[Flaw, Trouble] = {
    Flaw.TOO_SMALL: Trouble.TOO_SMALL,
    Flaw.OUTSIDE_GUIDE: Trouble.OFF_CENTRE,
    Flaw.TOO_NEAR: Trouble.TOO_NEAR,
    Flaw.CLIPPED: Trouble.OFF_CENTRE,
    Flaw.TURNED_OVER: Trouble.TILTED,
    Flaw.TURNED: Trouble.TURNED_TOO_FAR,
    Flaw.BLURRED: Trouble.BLURRED,
    Flaw.TOO_DARK: Trouble.TOO_DARK,
    Flaw.TOO_BRIGHT: Trouble.TOO_BRIGHT,
    Flaw.UNNATURAL: Trouble.UNNATURAL,
}
OF_HINT: dict[Hint, Trouble] = {
    Hint.MOUTH_COVERED: Trouble.MOUTH_COVERED,
    Hint.EYES_HIDDEN: Trouble.EYES_HIDDEN,
    Hint.UNEVEN_LIGHT: Trouble.UNEVEN_LIGHT,
}


@dataclass(frozen=True, slots=True)
class HeadPose:
    """See the module. Without unit."""

    yaw: float
    pitch: float


def head_pose(face: Face) -> HeadPose | None:
    """The pose of a face; None if its landmarks lie so that it has none."""
    (ax, ay), (bx, by), (nx, ny), (lx, ly), (rx, ry) = face.landmarks
    length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
    if length < 1:
        return None
    ux, uy = (bx - ax) / length, (by - ay) / length
    across = _across(ux, uy, (lx + rx - ax - bx) / 2, (ly + ry - ay - by) / 2)
    if across < 1:
        return None
    along = ux * (nx - (ax + bx + lx + rx) / 4) + uy * (ny - (ay + by + ly + ry) / 4)
    return HeadPose(along / (length / 2), _across(ux, uy, nx - (ax + bx) / 2, ny - (ay + by) / 2) / across)


def _across(ux: float, uy: float, x: float, y: float) -> float:
    return ux * y - uy * x


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one frame shows. `vector`: of a face that passed the gate and shows nothing that hides it; None otherwise,
    and then `trouble` says why. `live`: what PAD says; None if it was not asked. `light`: mean luminance of the face,
    0..255."""

    at: float
    trouble: Trouble | None = None
    box: Box | None = None
    pose: HeadPose | None = None
    quality: float = 0.0
    live: bool | None = None
    light: float = 0.0
    vector: Vector | None = field(default=None, repr=False)
    earlier: Callable[[], Vector | None] | None = field(default=None, repr=False)
    """See domain.people.Embedding."""
