"""Other ways in: what a person types, shows or holds up to say who they are, and what the window is told about it.

The window sends requests and gets no answer to any of them: what it must know comes as an update
(domain.updates.EntryChanged), and a decision like every other one. Texts are hostile input: bounded here, never logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.domain.pin import LONGEST as LONGEST_PIN

LONGEST_CLAIM = 200
"""Most characters of a claim. A visitor pass is the longest one."""


class Means(StrEnum):
    """What says who somebody is."""

    NUMBER = "number"
    QR = "qr"
    CARD = "card"


class Step(StrEnum):
    """What the person is asked to do next."""

    FACE = "face"
    """To look at the camera, which compares with the claimed person only."""
    PIN = "pin"
    CHECKING = "checking"
    """What was claimed, or typed, is looked at."""
    WAIT = "wait"
    """The next PIN is looked at after some seconds. This claim is over: no other step follows."""
    OVER = "over"
    """Nothing more: back to the ordinary screen. A decision and the door's answer come as for a face."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says they are. Raises ValueError for a text that is empty or has more than LONGEST_CLAIM
    characters."""

    means: Means
    text: str = field(repr=False)
    """As it was typed or read. It may be a secret (a badge, a QR code)."""

    def __post_init__(self) -> None:
        if not 0 < len(self.text) <= LONGEST_CLAIM:
            raise ValueError(f"a claim has 1 to {LONGEST_CLAIM} characters")


@dataclass(frozen=True, slots=True)
class Claimed:
    """Somebody says who they are. Before an open claim is over, another one takes its place."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class PinTyped:
    """A whole PIN was typed. Raises ValueError for a text that is longer than any PIN."""

    pin: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.pin) > LONGEST_PIN:
            raise ValueError(f"a PIN has at most {LONGEST_PIN} digits")


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The person has cancelled, or has touched nothing for a while."""


EntryRequest = Claimed | PinTyped | GaveUp
"""What a window asks of the station's reception."""


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways in that a door offers beside a face alone, for the window at its start."""

    means: frozenset[Means] = frozenset()
    pin: bool = False
    """Whether a right PIN opens without the face."""
