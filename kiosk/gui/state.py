"""What the window shows at one moment: an immutable Screen. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.entry import Means
from kiosk.domain.face import Box
from kiosk.gui.words import Icon


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
    NUMBER = "number"
    """The page on which a personal number is typed."""
    PIN = "pin"
    """The page on which a PIN is typed."""


PAGES = frozenset({Mode.NUMBER, Mode.PIN})
"""Modes with a page of keys in place of picture and message."""


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
    """Progress of the attempt, 0..1, shown on the rim of the guide."""
    countdown: Countdown | None = None
    boxes: tuple[Box, ...] = ()
    """The faces, in pixels of the frame. Empty unless several faces prevent an attempt."""
    preview: bool = False
    """Whether the camera's picture is shown. It is shown only if it is fresh and the kiosk works."""
    code: str = ""
    """The reason of a fault, in small letters, for staff."""
    ways: tuple[Means, ...] = ()
    """The other ways in that have a button now."""
    cancel: bool = False
    """Whether there is a button that ends what was begun."""
    light: bool = False
    """Whether the whole screen is white, to light the face."""
    wait: int = 0
    """Seconds until the page takes a PIN again."""
