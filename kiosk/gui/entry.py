"""The other way in that somebody has begun: which page it is at, and what is asked of the station's reception. Pure: no
Qt, no clock. Numbers and PINs pass through and are not kept."""

from __future__ import annotations

import math
from enum import StrEnum

from kiosk.domain.entry import Claim, Claimed, EntryRequest, GaveUp, Means, PinTyped, Step
from kiosk.domain.updates import EntryChanged

LEFT_SECONDS = 20.0
"""Without a touch for so long, whoever began has left."""
WAIT_SECONDS = 5.0
"""How long it is said that somebody has to wait: then the screen is the next person's. The pause goes on."""
ANSWER_SECONDS = 10.0
"""The reception answers sooner, or has not got the request."""


class Place(StrEnum):
    """How far it is."""

    NONE = "none"
    NUMBER = "number"
    SCAN = "scan"
    FACE = "face"
    PIN = "pin"
    CHECKING = "checking"


class Entry:
    """One way in at a time. Times are seconds of one clock."""

    def __init__(self) -> None:
        self.place = Place.NONE
        self._claimed = False
        self._moved_at = -math.inf
        self._wait_until = -math.inf
        self._told_until = math.inf

    def wait(self, now: float) -> int:
        """Seconds until a PIN of this person is taken again, rounded up."""
        return math.ceil(max(0.0, self._wait_until - now))

    def choose(self, means: Means, at: float) -> None:
        """Somebody has touched a way in."""
        self._go(Place.NUMBER if means is Means.NUMBER else Place.SCAN, at)

    def typed(self, text: str, at: float) -> EntryRequest | None:
        """What the keypad gave, as a request. None where nothing is asked for now: a PIN after one that was not looked
        at. The claim is over then, and the number is typed again."""
        if self.place is Place.NUMBER:
            self._go(Place.CHECKING, at)
            self._claimed = True
            return Claimed(Claim(Means.NUMBER, text))
        if self.place is Place.PIN and self._claimed:
            self._go(Place.CHECKING, at)
            return PinTyped(text)
        return None

    def touched(self, at: float) -> None:
        """Somebody is still there."""
        self._moved_at = max(self._moved_at, at)

    def changed(self, event: EntryChanged, at: float) -> None:
        """What the reception says. A badge or code begins with it: nobody has touched anything."""
        match event.step:
            case Step.OVER:
                self.end()
                return
            case Step.FACE:
                place = Place.FACE
            case Step.CHECKING:
                place = Place.CHECKING
            case Step.PIN | Step.WAIT:
                place = Place.PIN
        waits = event.step is Step.WAIT
        self._wait_until = at + event.seconds if waits else -math.inf
        self._told_until = at + min(event.seconds, WAIT_SECONDS) if waits else math.inf
        self._claimed = not waits  # the reception has ended the claim
        self._go(place, at)

    def end(self) -> GaveUp | None:
        """Back to the ordinary screen; what to tell the reception, if it knows of a claim."""
        told = GaveUp() if self._claimed else None
        self.place, self._claimed, self._wait_until, self._told_until = Place.NONE, False, -math.inf, math.inf
        return told

    def late(self, now: float) -> GaveUp | None:
        """Ends what nobody goes on with. Call it often."""
        if self.place is Place.NONE:
            return None
        patience = ANSWER_SECONDS if self.place is Place.CHECKING else LEFT_SECONDS
        return self.end() if now >= min(self._told_until, self._moved_at + patience) else None

    def _go(self, place: Place, at: float) -> None:
        self.place = place
        self.touched(at)
