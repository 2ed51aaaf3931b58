"""A face that never leaves: a poster, a portrait on the wall, a screen in the camera's view. Pure.

With it in view there always were two faces at the door, so nobody was let in, and nobody knew why. A face whose box has
not moved for STAYS_SECONDS is left out: as long as it stays where it is, it is nobody's, neither the one person at the
door nor a second one. That can deny only: a left-out face is never compared. Staff are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kiosk.domain.face import Box, Face

STAYS_SECONDS = 180.0
"""Of nine clips of people who sit and talk, eight fall below SAME within 5 s, one never in its 8 s. So it must be long:
three minutes are longer than a visit at the door."""
SAME = 0.85
"""Least intersection over union with the first box. Of 40 pictures that were shown 25 times each with strong noise (5
levels) and changing light, the lowest was 0.854, the median 0.943."""
GAP_SECONDS = 2.0
"""A face that is hidden for longer, before it is left out, begins anew."""
FORGOTTEN_SECONDS = 600.0
"""A left-out face may be hidden for so long (somebody stands before it) and still is left out when it is seen again."""


@dataclass(slots=True)
class _Spot:
    """A place where a face is."""

    box: Box
    since: float
    seen_at: float
    left_out: bool = False


class Lingering:
    """Takes the faces of each frame, in order of time."""

    def __init__(self) -> None:
        self._spots: list[_Spot] = []
        self._told = False

    @property
    def there(self) -> bool:
        """Whether a face is left out, or was until shortly before."""
        return any(spot.left_out for spot in self._spots)

    def without(self, faces: Sequence[Face], at: float) -> tuple[Face, ...]:
        """The faces that count, in the same order."""
        self._spots = [s for s in self._spots if at - s.seen_at <= (FORGOTTEN_SECONDS if s.left_out else GAP_SECONDS)]
        return tuple(face for face in faces if not self._stays(face.box, at))

    def news(self) -> bool | None:
        """Whether a face is left out now, if that has changed since it was asked; None if it has not."""
        if self.there == self._told:
            return None
        self._told = self.there
        return self._told

    def _stays(self, box: Box, at: float) -> bool:
        spot = max(self._spots, key=lambda s: box.iou(s.box), default=None)
        if spot is None or box.iou(spot.box) < SAME:
            self._spots.append(_Spot(box, at, at))
            return False
        spot.seen_at = at
        spot.left_out = spot.left_out or at - spot.since >= STAYS_SECONDS
        return spot.left_out
