"""Reads QR codes that are held before the camera, when nobody is in the middle of anything.

It costs nothing in an empty room: the pipeline's thread offers frames only while somebody is there.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from kiosk.domain.entry import Claim, Claimed, EntryRequest, Means
from kiosk.domain.face import Frame, Image
from kiosk.domain.passes import is_pass
from kiosk.station.admission import Moment
from kiosk.storage.claims import is_code

GAP = 0.33
"""Shortest time in seconds between two frames that are read."""
GONE_SECONDS = 3.0
"""A code is a new claim only after it was out of sight for so long: a telephone is held up for longer than a claim."""


class Scanner:
    """`offer` is for the pipeline's thread, `turn` for the reception's."""

    def __init__(
        self,
        read: Callable[[Image], list[str]],
        ask: Callable[[EntryRequest, Moment], None],
        busy: Callable[[], bool],
        nudge: Callable[[], None],
    ) -> None:
        """`read`: vision.codes.read. `busy`: whether somebody has claimed already. `nudge`: has `turn` called soon."""
        self._read = read
        self._ask = ask
        self._busy = busy
        self._nudge = nudge
        self._lock = Lock()
        self._frame: Frame | None = None
        self._offered_at = float("-inf")
        self._seen: dict[str, float] = {}
        """When each code in view was seen last; bounded by what vision.codes.read gives of a frame."""

    def offer(self, frame: Frame) -> None:
        """Takes a frame if it is time for one. Its pixels must not change afterwards."""
        if 0 <= frame.captured_at - self._offered_at < GAP:
            return
        self._offered_at = frame.captured_at
        with self._lock:
            self._frame = frame
        self._nudge()

    def turn(self) -> None:
        """Reads the frame that was offered, if there is one. A code of ours becomes a claim."""
        with self._lock:
            frame, self._frame = self._frame, None
        if frame is None:
            return
        at = frame.captured_at
        if self._busy():
            # A code that hangs there while somebody is served has not gone: it must not claim again at once.
            self._seen = {text: max(seen, at) for text, seen in self._seen.items()}
            return
        ours = [text for text in self._read(frame.image) if is_ours(text)]
        self._seen = {text: seen for text, seen in self._seen.items() if at - seen < GONE_SECONDS}
        new = next((text for text in ours if text not in self._seen), None)  # one that hangs there hides no other
        self._seen.update(dict.fromkeys(ours, at))
        if new is not None:
            self._ask(Claimed(Claim(Means.QR, new)), Moment(at, frame.wall_at))


def is_ours(text: str) -> bool:
    """Whether it has the whole form of a person's code or of a visitor pass, so that no poster makes claims. Whether it
    is somebody's, or was signed here, is looked at later."""
    return is_code(text) or is_pass(text)
