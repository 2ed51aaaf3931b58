"""What a person before the camera is told while an attempt is open, and when the screen lights their face. Pure: no Qt,
no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiosk.domain.face import Box, Flaw
from kiosk.domain.updates import Observed
from kiosk.gui import words
from kiosk.gui.state import Mode
from kiosk.gui.words import Words

NEWS_SECONDS = 1.5
"""Greatest age at which guidance is shown. After that the person may have gone."""
HINT_SECONDS = 0.5
"""How long a hint is shown at least, so that people can read it and it does not flicker."""
LONG_SECONDS = 3.0
"""After so long without evidence the other ways in are named."""
SHADE, SHINE = 40.0, 70.0
"""Mean brightness of a picture, 0..255: darker than SHADE is dark, until it is brighter than SHINE. A face in a picture
of 40 is at the gate's own limit of 35."""
LIT_SECONDS = 10.0
"""How long the screen lights at least, and after the last face or touch. So it never flashes."""


@dataclass(frozen=True, slots=True)
class Told:
    """The instruction of this moment. `long`: for so long that the other ways in belong below. `seconds`: how long to
    wait, if that is the instruction."""

    mode: Mode
    words: Words
    progress: float = 0.0
    boxes: tuple[Box, ...] = ()
    long: bool = False
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class _Hint:
    mode: Mode
    words: Words
    at: float


class Guidance:
    """One instruction at a time, each for long enough to be read."""

    def __init__(self) -> None:
        self._hint: _Hint | None = None
        self._observed: Observed | None = None
        self._observed_at = -math.inf
        self._since: float | None = None

    def observed(self, event: Observed, at: float) -> None:
        """Takes what was seen in a frame at the time `at`."""
        self._observed, self._observed_at = event, at
        if not event.faces or event.progress > 0 or event.let_in:
            self._since = None
        elif self._since is None:
            self._since = at
        mode, said = _instruction(event)
        held = self._hint
        fresh = held is not None and at - held.at < HINT_SECONDS and held.mode is not Mode.IDLE
        if held is None or not fresh or held.words == said:
            self._hint = _Hint(mode, said, at)

    def nobody(self) -> None:
        """No face is there."""
        self._observed = self._since = None

    def clear(self) -> None:
        """The attempt is over."""
        self._observed = self._since = self._hint = None

    def told(self, now: float, dark: bool) -> Told | None:
        """The instruction; None if there is nobody to be told anything. `dark`: it is dark."""
        hint, observed = self._hint, self._observed
        current = observed is not None and now - self._observed_at <= NEWS_SECONDS
        if hint is None or hint.mode is Mode.IDLE or not (current or now - hint.at < HINT_SECONDS):
            return None
        if observed is None or not current:
            return Told(hint.mode, hint.words)
        progress, mode, said = _share(observed.progress), hint.mode, hint.words
        long = self._since is not None and now - self._since >= LONG_SECONDS
        if dark and not progress and said in {words.FLAWS[Flaw.BLURRED], words.CHECKING}:
            mode, said = Mode.GUIDING, words.FLAWS[Flaw.TOO_DARK]
        elif long and said == words.CHECKING:
            mode, said = Mode.GUIDING, words.NO_EVIDENCE
        boxes = tuple(f.box for f in observed.faces) if len(observed.faces) > 1 else ()
        seconds = math.ceil(observed.waits) if said == words.WAIT and observed.waits > 1 else 0
        return Told(mode, said, progress, boxes, long, seconds)


class Lamp:
    """Whether the screen is white, so that it lights a face in the dark."""

    def __init__(self) -> None:
        self.dark = False
        """Whether the pictures are dark. While the lamp is on it is taken to stay so: the lamp makes them brighter."""
        self._until = -math.inf

    def frame(self, brightness: float | None, at: float) -> None:
        """Takes the mean brightness of a picture, 0..255; None if it is not known."""
        if brightness is not None and not self.on(at):
            self.dark = brightness < (SHINE if self.dark else SHADE)

    def seen(self, event: Observed, at: float) -> None:
        """Takes what was seen in a frame: a face in the dark is lit."""
        self.dark = self.dark or (event.quality is not None and event.quality.flaw is Flaw.TOO_DARK)
        if event.faces:
            self.touched(at)

    def touched(self, at: float) -> None:
        """Somebody is there whom the camera may not see."""
        if self.dark:
            self._until = max(self._until, at + LIT_SECONDS)

    def on(self, now: float) -> bool:
        """Whether the screen lights."""
        return now < self._until

    def waits(self, now: float) -> bool:
        """Whether it is dark and nobody has touched the screen."""
        return self.dark and not self.on(now)


def _instruction(event: Observed) -> tuple[Mode, Words]:
    faces, quality = len(event.faces), event.quality
    if faces == 0:
        return Mode.IDLE, words.IDLE
    if faces > 1:
        return Mode.GUIDING, words.SEVERAL
    if event.let_in or event.waits:
        return Mode.GUIDING, words.LET_IN if event.let_in else words.WAIT
    if event.claim_first:
        return Mode.GUIDING, words.CLAIM_FIRST
    if quality is not None and quality.flaw is not None:
        return Mode.GUIDING, words.FLAWS[quality.flaw]
    if event.hint is not None:
        return Mode.GUIDING, words.HINTS[event.hint]
    return Mode.CHECKING, words.CHECKING


def _share(value: float) -> float:
    return 0.0 if math.isnan(value) else min(1.0, max(0.0, value))
