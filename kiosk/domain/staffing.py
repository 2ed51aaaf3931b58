"""Staff mode: what its pages ask for, and who may ask for it. Pure.

The window sends requests (`StaffRequest`) and is told what to show as `domain.updates.StaffChanged` with a view
(domain.staff_views).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kiosk.domain.rights import MAY, Right, Role

IDLE_SECONDS = 60.0
"""Who neither touches the screen nor gets on for so long is signed out."""
LONGEST_SEARCH = 100
"""Characters."""


class Place(StrEnum):
    """The pages of the first page."""

    HOME = "home"
    ENROL = "enrol"
    PEOPLE = "people"
    EVENTS = "events"
    WHY = "why"
    DOOR = "door"
    SETTINGS = "settings"


NEEDS: Mapping[Place, Right] = {
    Place.HOME: Right.LIST,
    Place.ENROL: Right.ENROL,
    Place.PEOPLE: Right.LIST,
    Place.EVENTS: Right.LIST,
    Place.WHY: Right.LIST,
    Place.DOOR: Right.LIST,
    Place.SETTINGS: Right.SETTINGS,
}
"""What somebody must be allowed to do to see a page."""


# What the window asks for.


@dataclass(frozen=True, slots=True)
class SignIn:
    """Somebody says that they are of the staff. Then the camera looks for their face."""

    number: str = field(repr=False)
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignOut:
    """Ends staff mode; at any time, by anybody."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Somebody touches the screen: nobody is signed out yet."""


@dataclass(frozen=True, slots=True)
class Open:
    """Shows a page. ENROL begins an enrolment."""

    place: Place


@dataclass(frozen=True, slots=True)
class ReadIn:
    """Shows the consent text in another language."""

    language: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The person agrees to the text that is shown, or does not."""

    agreed: bool


@dataclass(frozen=True, slots=True)
class About:
    """Who is to be enrolled. Times in UTC. `number`: None lets the kiosk choose one."""

    name: str
    number: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SkipPose:
    """Leaves out the pose that is asked for."""


@dataclass(frozen=True, slots=True)
class Again:
    """Takes the poses again, from the beginning."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Writes the enrolment: the person has typed a PIN twice, or wants none. `qr`: whether they get a QR code."""

    pin: str | None = field(default=None, repr=False)
    qr: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Lists those whose name, number or id holds the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Choose:
    """Shows one person."""

    subject_id: str


@dataclass(frozen=True, slots=True)
class SetDisabled:
    """Shuts somebody out, or lets them in again."""

    subject_id: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class SetUntil:
    """Sets the last moment of somebody's access, UTC; None: without end."""

    subject_id: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class SetVerify:
    """Says whether a face alone is not enough for somebody."""

    subject_id: str
    verify: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """Erases somebody. `withdrawn`: they withdrew their consent."""

    subject_id: str
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Renew:
    """Enrols somebody again, with new pictures of the same face."""

    subject_id: str


@dataclass(frozen=True, slots=True)
class AddPictures:
    """Takes more pictures of somebody, in other light, beside those that there are."""

    subject_id: str


@dataclass(frozen=True, slots=True)
class NotMe:
    """The person of an event says that they are not whom the kiosk took them for."""

    event: int


StaffRequest = (
    SignIn
    | SignOut
    | Touched
    | Open
    | ReadIn
    | Answered
    | About
    | SkipPose
    | Again
    | Finish
    | Search
    | Choose
    | SetDisabled
    | SetUntil
    | SetVerify
    | Remove
    | Renew
    | AddPictures
    | NotMe
)
NEEDED: Mapping[type, Right] = {
    ReadIn: Right.ENROL,
    Answered: Right.ENROL,
    About: Right.ENROL,
    SkipPose: Right.ENROL,
    Again: Right.ENROL,
    Finish: Right.ENROL,
    Search: Right.LIST,
    Choose: Right.LIST,
    SetDisabled: Right.SWITCH,
    SetUntil: Right.SWITCH,
    SetVerify: Right.SWITCH,
    Remove: Right.ERASE,
    Renew: Right.RENEW,
    AddPictures: Right.RENEW,
    NotMe: Right.SWITCH,
}
"""The right that each request needs. Open needs that of its page; whoever is at the screen may sign in, sign out and
touch it."""


def may(role: Role | None, request: StaffRequest) -> bool:
    """Whether somebody signed in with this role (None: nobody is) may ask for that."""
    if isinstance(request, SignIn | SignOut | Touched):
        return True
    right = NEEDS[request.place] if isinstance(request, Open) else NEEDED[type(request)]
    return role is not None and right in MAY[role]


def pages(role: Role) -> tuple[Place, ...]:
    """The pages that the first page offers to this role."""
    return tuple(place for place in Place if place is not Place.HOME and NEEDS[place] in MAY[role])
