"""Positions of all parts on the screen, for any screen: rectangles in pixels. Does not use Qt."""

from __future__ import annotations

from dataclasses import dataclass, fields

from kiosk.domain.face import Box
from kiosk.gui.sizes import Letters, Measures

LINE, TALL_LINE = 1.4, 2.2
"""Height of a line of text, divided by the size of its letters; of Arabic text, which reaches further up and down."""


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
    """The rectangles of one screen. `unit` is 1.0 at 800x480, for what has no size in millimetres. `preview` has no
    size if no picture is shown. `corner` lies over the others: it is held to call staff."""

    unit: float
    banner: Rect
    preview: Rect
    clock: Rect
    corner: Rect
    message: Rect
    privacy: Rect
    buttons: Rect
    centred: bool
    """Whether the message is centred; otherwise it starts at the side where reading starts."""


def arrange(
    measures: Measures,
    *,
    banner: bool,
    preview: bool,
    buttons: bool,
    low: bool = False,
    right_to_left: bool = False,
) -> Layout:
    """Lays out a screen of at least 240 x 240 pixels. `buttons`: whether there may be some. `low`: picture and keys are
    at the bottom, for people who sit."""
    line = TALL_LINE if right_to_left else LINE
    found = (
        _portrait(measures, banner, preview, buttons, low, line)
        if measures.portrait
        else _landscape(measures, banner, preview, buttons, line)
    )
    return _mirrored(found, max(measures.width, 240)) if right_to_left else found


def _parts(measures: Measures, banner: bool, tall: float) -> tuple[int, int, float, int, int, int, int]:
    """Width, height, unit, margin, height of a line, of the strip and of a key."""
    width, height = max(measures.width, 240), max(measures.height, 240)
    unit = min(width / 480, height / 800) if measures.portrait else min(width / 800, height / 480)
    line = min(round(tall * measures.font_px(Letters.NEAR)), height // 8)
    margin = max(2, min(measures.px(1.0 if measures.short else 2.5), min(width, height) // 20))
    key = min(measures.touch, height // 4)
    return width, height, unit, margin, line, line if banner else 0, key


def _landscape(measures: Measures, banner: bool, preview: bool, buttons: bool, tall: float) -> Layout:
    width, height, unit, margin, line, strip, key = _parts(measures, banner, tall)
    # Where there are keys, two lines of the privacy notice stand beside them.
    top, bar = (
        strip + margin,
        min(max(key, round(2.5 * measures.font_px(Letters.NEAR))), height // 4) if buttons else line,
    )
    foot = height - margin - bar
    share = 0.36 if measures.large else 0.43
    picture = Rect(margin, top, round(width * share) if preview else 0, foot - margin - top)
    left = picture.right + (margin if preview else 0)
    column = width - margin - left
    corner = min(key, column)
    clock = Rect(left, top, column - corner, line)
    message = Rect(left, clock.bottom, column, foot - margin - clock.bottom)
    across = width - 2 * margin
    shared = round(across * (0.4 if measures.short else 0.42)) if buttons else across
    privacy = Rect(margin, foot, shared, bar)
    keys = Rect(privacy.right + margin, foot, across - shared - margin, bar) if buttons else Rect(0, foot, 0, 0)
    return Layout(
        unit,
        Rect(0, 0, width, strip),
        picture,
        clock,
        Rect(width - margin - corner, top, corner, corner),
        message,
        privacy,
        keys,
        centred=not preview,
    )


def _portrait(measures: Measures, banner: bool, preview: bool, buttons: bool, low: bool, tall: float) -> Layout:
    width, height, unit, margin, line, strip, key = _parts(measures, banner, tall)
    across, top = width - 2 * margin, strip + margin
    corner = min(key, across // 3)
    clock = Rect(margin, top, across - corner, line)
    bar = key if buttons else 0
    keys = Rect(margin, height - margin - bar, across, bar)
    privacy = Rect(margin, keys.y - (margin if buttons else 0) - 2 * line, across, 2 * line)
    start, end = clock.bottom + margin // 2, privacy.y - margin // 2
    high = min(round((end - start) * (0.34 if measures.large else 0.42)), round(across * 0.8)) if preview else 0
    gap = margin if preview else 0
    if low:
        picture = Rect(margin, end - high, across, high)
        message = Rect(margin, start, across, picture.y - gap - start)
    else:
        picture = Rect(margin, start, across, high)
        message = Rect(margin, picture.bottom + gap, across, end - picture.bottom - gap)
    return Layout(
        unit,
        Rect(0, 0, width, strip),
        picture,
        clock,
        Rect(width - margin - corner, top, corner, corner),
        message,
        privacy,
        keys,
        centred=True,
    )


def _mirrored(layout: Layout, width: int) -> Layout:
    """The same, seen in a mirror."""
    turned = {
        part.name: Rect(width - place.right, place.y, place.width, place.height)
        for part in fields(Layout)
        if isinstance(place := getattr(layout, part.name), Rect)
    }
    return Layout(unit=layout.unit, centred=layout.centred, **turned)


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where a frame of `width` x `height` pixels is seen on the screen: whole, as large as `area` allows, mirrored."""

    width: int
    height: int
    area: Rect
    low: bool = False
    """Whether the picture lies at the bottom of the area, not in the middle."""

    @property
    def scale(self) -> float:
        """Pixels of the screen for each pixel of the frame."""
        return min(self.area.width / self.width, self.area.height / self.height)

    @property
    def picture(self) -> Rect:
        """The picture on the screen."""
        wide, high = max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))
        y = self.area.height - high if self.low else (self.area.height - high) // 2
        return Rect(self.area.x + (self.area.width - wide) // 2, self.area.y + y, wide, high)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the frame on the screen."""
        picture = self.picture
        return picture.right - x / self.width * picture.width, picture.y + y / self.height * picture.height

    def box(self, box: Box) -> tuple[float, float, float, float]:
        """x, y, width and height on the screen of a box in the frame."""
        right, top = self.point(box.x, box.y)
        left, bottom = self.point(box.x + box.width, box.y + box.height)
        return left, top, right - left, bottom - top

    def guide(self, share: float) -> tuple[float, float, float, float]:
        """x, y, width and height on the screen of the place in which a face's centre counts ([quality] guide)."""
        wide, high = self.width * share, self.height * share
        return self.box(Box((self.width - wide) / 2, (self.height - high) / 2, wide, high))
