"""Where things lie on the screen, for any size. No Qt: rectangles in pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rect:
    """Whole pixels, from the top left."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column past it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row past it."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Layout:
    """`unit` is 1.0 on 800x480: at 53 units a headline's capitals are 7.5 mm high on a 7 inch screen, a 200th of the
    1.5 m from which they are read. `preview` has no size where no picture is shown."""

    unit: float
    banner: Rect
    preview: Rect
    clock: Rect
    message: Rect
    privacy: Rect
    centred: bool
    """Whether the message is centred rather than set from the left."""


def arrange(width: int, height: int, banner: bool, preview: bool) -> Layout:
    """Lays out a screen of that size in pixels, at least 240 each way."""
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
