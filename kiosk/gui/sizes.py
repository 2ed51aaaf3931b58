"""How large letters and keys are on a screen: from millimetres and reading distance, never from pixels. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

TOUCH_MM = 9.0
"""The least width and height of what is touched (ISO 9241-411 measured fingers; 9 mm is what guidelines ask for)."""
CAP = 1490 / 2048
"""Height of a capital letter of the shipped font, as a share of its size."""
NEAR_MM = 3.0
"""Height of capitals of what is read by whoever touches the screen."""
LARGER = 1.25
"""How much larger everything is with large type."""


class Letters(StrEnum):
    """What a text is for. It says from where it is read."""

    INSTRUCTION = "instruction"
    SECOND = "second"
    NEAR = "near"
    TITLE = "title"
    """The title of a page, read by whoever touches the screen."""


_MINUTES = {Letters.INSTRUCTION: 20.0, Letters.SECOND: 14.0}
"""Minutes of arc of the capitals, seen from the reading distance. 20 is what ISO 9241-303 recommends; 16 is its least
for what must be read, and 14 is enough for a line that only adds to the first."""
_MILLIMETRES = {Letters.NEAR: NEAR_MM, Letters.TITLE: 4.0}


@dataclass(frozen=True, slots=True)
class Measures:
    """A screen of `width` x `height` pixels and `diagonal_mm`, read from `distance_mm`."""

    width: int
    height: int
    diagonal_mm: float = 178.0
    distance_mm: float = 1500.0
    large: bool = False

    @property
    def per_mm(self) -> float:
        """Pixels a millimetre."""
        return math.hypot(self.width, self.height) / self.diagonal_mm

    @property
    def portrait(self) -> bool:
        """Whether the screen is higher than wide."""
        return self.height > self.width

    @property
    def plain(self) -> Measures:
        """The same screen without large type: what must be kept in any case."""
        return replace(self, large=False)

    def px(self, millimetres: float) -> int:
        """Whole pixels, at least one."""
        return max(1, round(millimetres * self.per_mm))

    @property
    def touch(self) -> int:
        """Width and height in pixels that whatever is touched has at least."""
        return math.ceil(max(TOUCH_MM, self.diagonal_mm / 32) * self.per_mm)

    @property
    def gap(self) -> int:
        """Pixels between two things that are touched."""
        return self.px(0.4 if self.short else 1.0)

    @property
    def short(self) -> bool:
        """Whether there is hardly room for five rows of keys."""
        return self.height < 6 * TOUCH_MM * self.per_mm

    def cap_mm(self, letters: Letters) -> float:
        """Height of a capital letter in millimetres."""
        minutes = _MINUTES.get(letters)
        # A larger screen is used from further away.
        near = _MILLIMETRES.get(letters, NEAR_MM) * max(1.0, self.diagonal_mm / 300)
        # Whoever is nearer than 1 m still reads the instruction from no nearer than what is touched.
        size = near if minutes is None else max(near, arc_mm(minutes, self.distance_mm))
        return size * LARGER if self.large else size

    def font_px(self, letters: Letters) -> float:
        """Size of the shipped font in pixels."""
        return self.cap_mm(letters) * self.per_mm / CAP


def arc_mm(minutes: float, distance_mm: float) -> float:
    """What is seen under so many minutes of arc from this distance, in millimetres: 8.7 mm for 20 from 1.5 m."""
    return 2 * distance_mm * math.tan(math.radians(minutes / 60) / 2)


def minutes_of_arc(millimetres: float, distance_mm: float) -> float:
    """The inverse of arc_mm."""
    return math.degrees(2 * math.atan(millimetres / (2 * distance_mm))) * 60
