"""Positions of all parts on the screen, for any screen size: rectangles in pixels. Does not use Qt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in whole pixels; the origin is the top left."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column to the right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below it."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Layout:
    """The rectangles of one screen. `unit` is 1.0 at 800x480. A headline of 53 units has capitals 7.5 mm high on a 7
    inch screen; that is 1/200 of the reading distance of 1.5 m. `preview` has no size if no picture is shown."""

    unit: float
    banner: Rect
    preview: Rect
    clock: Rect
    message: Rect
    privacy: Rect
    centred: bool
    """Whether the message is centred; otherwise it starts at the left."""


def arrange(width: int, height: int, banner: bool, preview: bool) -> Layout:
    """Lays out a screen. `width` and `height` in pixels, each at least 240."""
    width, height = max(width, 240), max(height, 240)
    portrait = height > width
    unit = min(width / 480, height / 800) if portrait else min(width / 800, height / 480)

    def px(units: float) -> int:
        return max(1, round(units * unit))

    margin, line = px(20), px(30)
    strip = px(34) if banner else 0
    top, bottom = strip + margin, height - margin
    banner_at = Rect(0, 0, width, strip)
    if portrait:
        clock = Rect(margin, top - px(4), width - 2 * margin, line)
        privacy = Rect(margin, bottom - line, width - 2 * margin, line)
        start = clock.bottom + px(10)
        picture = Rect(margin, start, width - 2 * margin, round((privacy.y - start) * 0.5) if preview else 0)
        below = picture.bottom + (px(16) if preview else 0)
        message = Rect(margin, below, width - 2 * margin, privacy.y - px(8) - below)
        return Layout(unit, banner_at, picture, clock, message, privacy, centred=True)
    picture = Rect(margin, top, round(width * 0.48) if preview else 0, bottom - top)
    left = picture.right + (px(26) if preview else 0)
    column = width - margin - left
    clock = Rect(left, top, column, line)
    privacy = Rect(left, bottom - line, column, line)
    message = Rect(left, clock.bottom + px(4), column, privacy.y - clock.bottom - px(8))
    return Layout(unit, banner_at, picture, clock, message, privacy, centred=not preview)
