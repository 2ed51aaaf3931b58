"""What is known of an enrolment at the kiosk before it is written, and what is wrong with what was typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.domain.errors import GalleryError
from kiosk.domain.face import Vector
from kiosk.domain.people import Consent
from kiosk.domain.staff_views import Checked, Problem
from kiosk.domain.staffing import About
from kiosk.station.staff_session import Office
from kiosk.storage.people import check_validity, checked_name, checked_number


class Step(StrEnum):
    """Where it is."""

    CONSENT = "consent"
    WHO = "who"
    POSES = "poses"
    BACK = "back"
    WAYS = "ways"
    OVER = "over"


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """What is known so far. Nothing of it is on disk."""

    agreed: Consent | None = None
    about: About = field(default_factory=lambda: About(""))
    number: str = ""
    vectors: tuple[Vector, ...] = field(default=(), repr=False)
    earlier: tuple[Vector, ...] = field(default=(), repr=False)
    """The same pictures by the embedder of before, while it is being changed; those that it takes for natural faces."""
    qualities: tuple[float, ...] = ()
    lights: tuple[float, ...] = ()
    checked: Checked = field(default_factory=lambda: Checked(0, look_alike=False))


def problem_of(office: Office, about: About) -> Problem | None:
    """What is wrong with what was typed; None if nothing is."""
    try:
        checked_name(about.name)
    except GalleryError:
        return Problem.NAME
    try:
        checked_number(about.number)
    except GalleryError:
        return Problem.NUMBER
    if about.number and any(s.number == about.number for s in office.gallery.subjects()):
        return Problem.NUMBER_TAKEN
    try:
        check_validity(about.valid_from, about.valid_until)
    except GalleryError:
        return Problem.VALIDITY
    past = about.valid_until is not None and about.valid_until <= office.now()
    return Problem.VALIDITY if past else None
