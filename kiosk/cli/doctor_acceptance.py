"""`kiosk doctor --acceptance`: what only a real board at a real door can show, to be worked through in ten minutes.

No test of this program can make these checks: they are about wires, light, heat and people. They do not depend on what
`kiosk doctor` has found, which comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kiosk.config import Config


class Trial(NamedTuple):
    """One thing to do at the door, and what must happen."""

    do: str
    must: str


WAY_OUT = (
    Trial("Press the exit button while the kiosk runs.", "The door opens at once."),
    Trial(
        "Pull the board's plug, watching the door, and press the exit button. Put it in again, watching the door.",
        "The button opens at once. Without it a strike stays locked all the time; a maglock lets go only while the "
        "board has no power. If not: stop here, the wiring is wrong (deploy/door.md).",
    ),
    Trial("Trip the fire release, or have it tripped.", "The door opens, and stays open until it is reset."),
)
LOCK = (
    Trial("sudo kiosk door release", "Released for the configured time, then locked; you can pull at it."),
    Trial("sudo systemctl kill -s KILL kiosk-door while the door is released.", "Locked again within a second or two."),
    Trial("sudo kiosk door lockdown, then a face, then the exit button; then --end.", "Only the button opens."),
)
CONTACT = (
    Trial("Open the door by its key.", "`forced_open` in `kiosk door monitor`, and at whoever is told."),
    Trial("Hold the door open longer than held_seconds.", "A warning, then `held_open`; over when closed."),
    Trial("Unplug the contact's wire.", "It reads as open, never as closed."),
)
FACES = (
    Trial("Somebody enrolled comes, by day and in the dark.", "In within two seconds; the screen lights the face."),
    Trial("Somebody who is not enrolled comes.", "Refused; `kiosk audit show` says unknown."),
    Trial("Hold a print, and a telephone, with the face of somebody enrolled.", "Refused each time."),
    Trial(
        "Cover the camera; then unplug it, and plug it in again.", "Nobody is let in; it works again without a hand."
    ),
    Trial("Come with number and PIN while the camera is covered.", "Let in, where [entry] number is on."),
)
BOARD = (
    Trial("Pull the plug in the middle of an enrolment; start again.", "All who were told as enrolled are there."),
    Trial("Pull the network cable, let somebody in, plug it in again.", "Let in; the notice arrives afterwards."),
    Trial("Press Ctrl-Alt-Del and Ctrl-Alt-F2 on a keyboard there.", "The screen stays as it is."),
)
LATER = (
    Trial("sudo kiosk doctor after half an hour of use in the closed housing.", "power, heat and camera are ok."),
    Trial("On another board, with your paper: kiosk backup verify FILE --recovery", "It is whole."),
)
"""What takes longer than the ten minutes at the door."""


def trials(settings: Config) -> Iterator[Trial]:
    """What is to be tried at this door at once; LATER comes after it."""
    if settings.drives_a_real_lock:
        yield from WAY_OUT
        yield from LOCK
        if settings.lock is not None and "contact" in settings.lock.options():
            yield from CONTACT
    yield from FACES
    yield from BOARD


def lines(settings: Config) -> list[str]:
    """The list, numbered, to be printed or ticked off."""
    found = [] if settings.drives_a_real_lock else ["The lock is simulated: what concerns a door is left out."]
    now = list(trials(settings))
    for number, trial in enumerate((*now, *LATER), 1):
        found += ["Later, within the first days:"] if number == len(now) + 1 else []
        found += [f"[ ] {number:>2}. {trial.do}", f"        must: {trial.must}"]
    return found
