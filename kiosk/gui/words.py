"""Which text and which icon belong to each state: keys of the catalogue (gui.catalogue), never the texts themselves.
Uses only the standard library."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kiosk.domain.decision import Reason
from kiosk.domain.entry import Means
from kiosk.domain.face import Flaw, Hint
from kiosk.domain.plain_text import JOINERS
from kiosk.gui.catalogue import Texts


class Icon(StrEnum):
    """An icon beside the words, so that the state is never shown by colour alone."""

    FACE = "face"
    CLOSER = "closer"
    BACKWARD = "backward"
    CENTRE = "centre"
    STILL = "still"
    DARK = "dark"
    BRIGHT = "bright"
    MASK = "mask"
    GLASSES = "glasses"
    PEOPLE = "people"
    WAIT = "wait"
    TICK = "tick"
    CROSS = "cross"
    AGAIN = "again"
    WARNING = "warning"
    CAMERA_OFF = "camera_off"
    BACK = "back"
    ERASE = "erase"
    SHIFT = "shift"
    NUMBER = "number"
    CODE = "code"
    DOOR = "door"


@dataclass(frozen=True, slots=True)
class Words:
    """An icon, and the section of the catalogue with "headline" and, if there is one, "detail". `ways`: whether the
    other ways in stand below: whoever reads this cannot go on by face alone."""

    icon: Icon
    key: str
    ways: bool = False

    def headline(self, texts: Texts) -> str:
        """What is read from far."""
        return texts(f"{self.key}.headline")

    def detail(self, texts: Texts) -> str:
        """The second line; empty if there is none."""
        key = f"{self.key}.detail"
        return texts(key) if key in texts else ""


STARTING = Words(Icon.WAIT, "starting")
IDLE = Words(Icon.FACE, "idle")
DARK = Words(Icon.DARK, "dark")
"""It is so dark that no face can be found: the screen lights up when it is touched."""
CHECKING = Words(Icon.STILL, "checking")
NO_EVIDENCE = Words(Icon.AGAIN, "no_evidence", ways=True)
"""A face is there for seconds, without a flaw, and nothing comes of it."""
ASKING_THE_DOOR = Words(Icon.WAIT, "asking")
PRESENTED = Words(Icon.WAIT, "presented")
"""For a door that an access panel opens: the kiosk does not know the door's state."""
LET_IN = Words(Icon.WAIT, "let_in")
"""For a person who stays after being let in: standing there does not open the door again."""
WAIT = Words(Icon.WAIT, "wait", ways=True)
"""For a person who was refused and tries again too soon or too often."""
SEVERAL = Words(Icon.PEOPLE, "several")
HELD_OPEN = Words(Icon.DOOR, "held_open")
CLAIM_FIRST = Words(Icon.NUMBER, "claim_first", ways=True)
"""For a face where everybody has to say who they are first: it is not looked for in the gallery."""
LOOK_HERE = Words(Icon.FACE, "look_here")
"""Somebody has said who they are: the camera compares with that person only."""
SCAN = Words(Icon.CODE, "scan")
WELCOME = Words(Icon.TICK, "welcome")
"""For an open door only; the headline is that of `welcome`."""
DOOR_STAYED_CLOSED = Words(Icon.AGAIN, "stayed_closed")
OUT_OF_ORDER = Words(Icon.WARNING, "out_of_order", ways=True)
ENROL_AGAIN = Words(Icon.WARNING, "enrol_again", ways=True)
LOCKED = Words(Icon.WARNING, "locked", ways=True)
FACE_OFF = Words(Icon.WAIT, "face_off", ways=True)
CAMERA_ABSENT = Words(Icon.CAMERA_OFF, "camera_absent", ways=True)
TRY_AGAIN = Words(Icon.AGAIN, "try_again")
NOT_RECOGNISED = Words(Icon.CROSS, "not_recognised", ways=True)
"""The one text for a stranger, a person who may not pass now, a print: it teaches nobody anything."""

FLAWS: dict[Flaw, Words] = {
    Flaw.TOO_SMALL: Words(Icon.CLOSER, "too_small"),
    Flaw.OUTSIDE_GUIDE: Words(Icon.CENTRE, "outside_guide"),
    Flaw.TOO_NEAR: Words(Icon.BACKWARD, "too_near"),
    Flaw.CLIPPED: Words(Icon.CENTRE, "clipped"),
    Flaw.TURNED_OVER: Words(Icon.FACE, "turned_over"),
    Flaw.TURNED: Words(Icon.FACE, "turned"),
    Flaw.BLURRED: Words(Icon.STILL, "blurred"),
    Flaw.TOO_DARK: Words(Icon.DARK, "too_dark"),
    Flaw.TOO_BRIGHT: Words(Icon.BRIGHT, "too_bright"),
    Flaw.UNNATURAL: Words(Icon.FACE, "unnatural"),
}
"""Guidance while an attempt is open."""

HINTS: dict[Hint, Words] = {
    Hint.MOUTH_COVERED: Words(Icon.MASK, "mouth_covered"),
    Hint.EYES_HIDDEN: Words(Icon.GLASSES, "eyes_hidden"),
    Hint.UNEVEN_LIGHT: Words(Icon.BRIGHT, "uneven_light"),
}
"""Guidance for a face that no frame of the attempt has matched."""

AGAIN = frozenset({Reason.POOR_QUALITY, Reason.INCOMPLETE, Reason.STALE_FRAME, Reason.CAMERA_TAKEN})
"""Refusals that say nothing of the person: no face was compared to the end."""

BROKEN: dict[Reason, Words] = {
    Reason.CAMERA_UNAVAILABLE: CAMERA_ABSENT,
    Reason.REFERENCES_OF_ANOTHER_MODEL: ENROL_AGAIN,
    Reason.FACE_OFF: FACE_OFF,
    Reason.LOCKED: LOCKED,
    **dict.fromkeys(
        (
            Reason.DETECTOR_FAULT,
            Reason.QUALITY_FAULT,
            Reason.PAD_FAULT,
            Reason.EMBEDDER_FAULT,
            Reason.GALLERY_FAULT,
            Reason.UNSAFE_POLICY,
            Reason.AUDIT_UNAVAILABLE,
            Reason.DOOR_UNAVAILABLE,
            Reason.INTERNAL_FAULT,
        ),
        OUT_OF_ORDER,
    ),
}
"""Refusals and faults that are the kiosk's own."""

WITHOUT_A_FACE = frozenset(
    {
        Reason.CAMERA_UNAVAILABLE,
        Reason.DETECTOR_FAULT,
        Reason.QUALITY_FAULT,
        Reason.PAD_FAULT,
        Reason.EMBEDDER_FAULT,
        Reason.REFERENCES_OF_ANOTHER_MODEL,
        Reason.FACE_OFF,
        Reason.UNSAFE_POLICY,
    }
)
"""Faults with which a number and a PIN still open the door."""

NAMES: dict[Means, str] = {Means.NUMBER: "way.number", Means.QR: "way.qr", Means.CARD: "way.card"}
BUTTONS: dict[Means, tuple[str, Icon]] = {Means.NUMBER: ("way.number", Icon.NUMBER), Means.QR: ("way.qr", Icon.CODE)}
"""A badge needs no button: it is held to its reader."""


def refused(reason: Reason) -> Words:
    """Words for a refusal."""
    if reason is Reason.SEVERAL_FACES:
        return SEVERAL
    return TRY_AGAIN if reason in AGAIN else BROKEN.get(reason, NOT_RECOGNISED)


def other_ways(texts: Texts, ways: Collection[Means]) -> str:
    """The ways in beside the face, as one line; who to see, if there are none."""
    names = [texts(NAMES[means]) for means in Means if means in ways]
    return texts("way.another", ways="\u00a0· ".join(names)) if names else texts("way.none")


def welcome(texts: Texts, name: str | None) -> str:
    """The headline for an open door. The name comes from the gallery; it is shown as one line of at most 40
    characters."""
    plain = " ".join("".join(c for c in name if c.isprintable() or c in JOINERS).split()) if name else ""
    short = plain if len(plain) <= 40 else plain[:39].rstrip() + "…"
    return texts("welcome.named", name=short) if short else texts("welcome.headline")


def banner(texts: Texts, simulated_visitors: bool, simulated_lock: bool, staff: str = "") -> str:
    """The banner that names the simulated parts; empty if there are none. `staff`: how somebody plays its staff."""
    parts = [texts("banner.visitors")] * simulated_visitors + [texts("banner.lock")] * simulated_lock
    if staff:
        parts.append(texts("banner.staff", staff=staff))
    return texts("banner.demonstration", parts=", ".join(parts)) if parts else ""


def clock(texts: Texts, now: datetime, date: bool = True) -> str:
    """Time and date, in the screen's language whatever the machine's is."""
    if not date:
        return f"{now:%H:%M}"
    day, month = texts.several("clock.days")[now.weekday()], texts.several("clock.months")[now.month - 1]
    return texts("clock.time", time=f"{now:%H:%M}", day=day, number=now.day, month=month)
