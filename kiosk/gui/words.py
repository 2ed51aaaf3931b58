"""Every text that a visitor reads. Uses only the standard library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kiosk.domain.decision import Reason
from kiosk.domain.face import Flaw, Hint
from kiosk.domain.plain_text import JOINERS


class Icon(StrEnum):
    """An icon beside the words, so that the state is never shown by colour alone."""

    FACE = "face"
    CLOSER = "closer"
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
    CALENDAR = "calendar"
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
    """A headline readable from 1.5 m, the detail below it, and the icon."""

    icon: Icon
    headline: str
    detail: str = ""


STARTING = Words(Icon.WAIT, "One moment", "The kiosk is starting.")
IDLE = Words(Icon.FACE, "Look at the camera", "The door opens when you are recognised.")
CHECKING = Words(Icon.STILL, "Hold still", "This takes a second.")
ASKING_THE_DOOR = Words(Icon.WAIT, "One moment")
PRESENTED = Words(Icon.WAIT, "Recognised", "Please wait for the door.")
"""For a door that an access panel opens: the kiosk does not know the door's state."""
LET_IN = Words(Icon.WAIT, "You have been let in", "To be let in again, step away for a moment.")
"""For a person who stays after being let in: standing there does not open the door again."""
WAIT = Words(Icon.WAIT, "Please wait a moment", "Or use the other way in.")
"""For a person who was refused and tries again too soon or too often."""
SEVERAL = Words(Icon.PEOPLE, "One person at a time", "Please step up alone.")
DOOR_STAYED_CLOSED = Words(Icon.AGAIN, "The door stayed closed", "Please try again.")
OUT_OF_ORDER = Words(Icon.WARNING, "Out of order", "Please use the other way in.")
ENROL_AGAIN = Words(Icon.WARNING, "Out of order", "Everybody must be enrolled again.\nPlease use the other way in.")
LOCKED = Words(Icon.WARNING, "Not ready yet", "An admin has to unlock the kiosk.\nPlease use the other way in.")
FACE_OFF = Words(Icon.WAIT, "Not by face for now", "Please use the other way in,\nor see reception.")
CAMERA_ABSENT = Words(Icon.CAMERA_OFF, "The camera is not working", "Please use the other way in.")
TRY_AGAIN = Words(Icon.AGAIN, "Please try again", "Look at the camera and hold still.")
UNKNOWN = Words(Icon.CROSS, "I do not know you", "Please see reception.")
NOT_ACCEPTED = Words(Icon.CROSS, "Not accepted", "Please see reception.")

PRIVACY = "No pictures are stored."

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

FLAWS: dict[Flaw, Words] = {
    Flaw.TOO_SMALL: Words(Icon.CLOSER, "Come closer"),
    Flaw.OUTSIDE_GUIDE: Words(Icon.CENTRE, "Move into the oval"),
    Flaw.TOO_NEAR: Words(Icon.CENTRE, "A little further back"),
    Flaw.CLIPPED: Words(Icon.CENTRE, "Show your whole face", "Step back a little."),
    Flaw.TURNED_OVER: Words(Icon.FACE, "Hold your head upright"),
    Flaw.TURNED: Words(Icon.FACE, "Look straight at the camera"),
    Flaw.BLURRED: Words(Icon.STILL, "Hold still"),
    Flaw.TOO_DARK: Words(Icon.DARK, "Too dark here", "Turn your face to the light."),
    Flaw.TOO_BRIGHT: Words(Icon.BRIGHT, "Too bright here", "Turn away from the light."),
    Flaw.UNNATURAL: Words(Icon.FACE, "Nothing before your face", "Show all of it, please."),
}
"""Guidance while an attempt is open."""

HINTS: dict[Hint, Words] = {
    Hint.MOUTH_COVERED: Words(Icon.MASK, "Take off the mask", "Show mouth and nose, please."),
    Hint.EYES_HIDDEN: Words(Icon.GLASSES, "Take off dark glasses", "Show your eyes, please."),
    Hint.UNEVEN_LIGHT: Words(Icon.BRIGHT, "Turn to the light", "One side of your face is dark."),
}
"""Guidance for a face that no frame of the attempt has matched."""

REFUSALS: dict[Reason, Words] = {
    Reason.NOT_ENROLLED: UNKNOWN,
    # The same words as for a stranger, so that nobody learns how many attempts are allowed.
    Reason.TOO_MANY_ATTEMPTS: UNKNOWN,
    # The next ones, too: who uses another way in learns nothing of numbers, PINs and rights.
    Reason.VERIFICATION_REQUIRED: UNKNOWN,
    Reason.NOT_VERIFIED: UNKNOWN,
    Reason.WRONG_PIN: UNKNOWN,
    Reason.PIN_WAITS: UNKNOWN,
    Reason.VISITOR_REFUSED: UNKNOWN,
    Reason.CLAIM_OVER: UNKNOWN,
    Reason.AMBIGUOUS: TRY_AGAIN,
    # Neutral on purpose: it accuses nobody, and teaches an attacker nothing.
    Reason.PRESENTATION_ATTACK: NOT_ACCEPTED,
    Reason.POOR_QUALITY: TRY_AGAIN,
    Reason.SEVERAL_FACES: SEVERAL,
    Reason.INCOMPLETE: TRY_AGAIN,
    Reason.SUBJECT_DISABLED: NOT_ACCEPTED,
    Reason.VALIDITY_NOT_BEGUN: Words(Icon.CALENDAR, "Your access has not begun yet", "Please see reception."),
    Reason.VALIDITY_ENDED: Words(Icon.CALENDAR, "Your access has ended", "Please see reception."),
    # The cause does not concern the visitor. Staff see the code on the window.
    Reason.CLOCK_BEHIND: NOT_ACCEPTED,
    Reason.CLOCK_UNSYNCHRONISED: NOT_ACCEPTED,
    Reason.NO_BADGE: NOT_ACCEPTED,
    Reason.STALE_FRAME: TRY_AGAIN,
    Reason.CAMERA_UNAVAILABLE: CAMERA_ABSENT,
    Reason.DETECTOR_FAULT: OUT_OF_ORDER,
    Reason.QUALITY_FAULT: OUT_OF_ORDER,
    Reason.PAD_FAULT: OUT_OF_ORDER,
    Reason.EMBEDDER_FAULT: OUT_OF_ORDER,
    Reason.GALLERY_FAULT: OUT_OF_ORDER,
    Reason.LOCKED: LOCKED,
    Reason.REFERENCES_OF_ANOTHER_MODEL: ENROL_AGAIN,
    Reason.FACE_OFF: FACE_OFF,
    Reason.UNSAFE_POLICY: OUT_OF_ORDER,
    Reason.AUDIT_UNAVAILABLE: OUT_OF_ORDER,
    Reason.DOOR_UNAVAILABLE: OUT_OF_ORDER,
    Reason.INTERNAL_FAULT: OUT_OF_ORDER,
}
"""Words for every reason except MATCHED."""

UNRECOGNISED = frozenset(
    {
        Reason.NOT_ENROLLED,
        Reason.TOO_MANY_ATTEMPTS,
        Reason.AMBIGUOUS,
        Reason.PRESENTATION_ATTACK,
        Reason.POOR_QUALITY,
        Reason.INCOMPLETE,
    }
)
"""Refusals of a face that was not recognised. With a hint they all have the same words."""

FAULTS: dict[Reason, Words] = {
    Reason.CAMERA_UNAVAILABLE: CAMERA_ABSENT,
    Reason.REFERENCES_OF_ANOTHER_MODEL: ENROL_AGAIN,
    Reason.FACE_OFF: FACE_OFF,
    Reason.LOCKED: LOCKED,
}
"""Words while a fault lasts; OUT_OF_ORDER for all other faults."""


def refused(reason: Reason, hint: Hint | None) -> Words:
    """Words for a refusal. The hint of a face that was not recognised is its next step."""
    if hint is None or reason not in UNRECOGNISED:
        return REFUSALS.get(reason, NOT_ACCEPTED)
    return replace(HINTS[hint], detail="I do not know you like this.\nTry again, or see reception.")


def welcome(name: str | None) -> Words:
    """Words for an open door only. The name comes from the gallery; it is shown as one line of at most 40
    characters."""
    plain = " ".join("".join(c for c in name if c.isprintable() or c in JOINERS).split()) if name else ""
    short = plain if len(plain) <= 40 else plain[:39].rstrip() + "…"
    return Words(Icon.TICK, f"Welcome,\n{short}" if short else "Welcome", "The door is open.\nPlease come in.")


def banner(simulated_visitors: bool, simulated_lock: bool) -> str:
    """The banner that names the simulated parts; empty if there are none."""
    parts = ["simulated visitors"] * simulated_visitors + ["simulated lock"] * simulated_lock
    return f"DEMONSTRATION · {', '.join(parts)}" if parts else ""


def clock(now: datetime) -> str:
    """Time and date in English, whatever the machine's language is."""
    return f"{now:%H:%M}   {_DAYS[now.weekday()]} {now.day} {_MONTHS[now.month - 1]}"
