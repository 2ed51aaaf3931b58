"""Staff mode: what its pages show. Pure nouns; the window draws one of them at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kiosk.domain.certificate import Remains
from kiosk.domain.coaching import Progress
from kiosk.domain.door.state import DoorState
from kiosk.domain.looks import Trouble
from kiosk.domain.rights import Role
from kiosk.domain.security_level import Settings
from kiosk.domain.staffing import About, Place

MOST_SHOWN = 50
"""People, or events, on a page."""


class Failure(StrEnum):
    """Why something at the camera has ended without what it was for."""

    CAMERA = "camera"
    FAULT = "fault"
    ATTACK = "attack"
    TOO_LONG = "too_long"
    SOMEBODY_ELSE = "somebody_else"
    NOT_RECOGNISED = "not_recognised"


class Problem(StrEnum):
    """Why a request was not done, where nothing more is to be said."""

    NOT_KNOWN = "not_known"
    """The sign-in: number, PIN or role are not right. Which of them is not said."""
    WAIT = "wait"
    """The PIN is not looked at for some seconds."""
    CLOCK = "clock"
    """The time is not known, so that nobody with a validity signs in."""
    NOT_ALLOWED = "not_allowed"
    ENROLLED_ALREADY = "enrolled_already"
    """The face is that of somebody enrolled."""
    NOT_THE_SAME = "not_the_same"
    """The new pictures are not of the person whose they should be."""
    FULL = "full"
    """The gallery is as large as the measurements carry."""
    NAME = "name"
    NUMBER = "number"
    NUMBER_TAKEN = "number_taken"
    VALIDITY = "validity"
    PIN = "pin"
    GALLERY = "gallery"
    """It could not be written. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What would decide about this face at the door, each with its limit: quality, PAD and score, all 0..1 but for the
    score, which may be below 0. None: it was not measured, because something before it was not good enough."""

    quality: float | None = None
    pad: float | None = None
    pad_limit: float = 0.0
    score: float | None = None
    score_limit: float = 0.0
    subject_id: str | None = None
    """Whom the face matches; None below the limit: nobody is told whom a face resembles."""
    trouble: Trouble | None = None


QUALITY_LIMIT = 0.5
"""A face that just passes the quality gate has at least this quality (vision.quality)."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nobody is signed in. `because`: why the last one is no longer; `wait`: seconds until the next PIN is looked
    at."""

    problem: Problem | None = None
    failure: Failure | None = None
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class LookHere:
    """Number and PIN are right; the camera looks for the face. `share`: 0..1."""

    share: float = 0.0
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """The first page. `lingering`: a face that never leaves is in the camera's view, and is left out."""

    name: str
    role: Role
    pages: tuple[Place, ...]
    lingering: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class ConsentText:
    """The text that the person reads."""

    text: str
    version: str
    language: str
    languages: tuple[str, ...]
    alternative: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The person does not agree. Nothing was kept; the other way in is named."""

    alternative: str


@dataclass(frozen=True, slots=True)
class WhoIsIt:
    """Asks for name, number and validity; `about` is what was typed before, `problem` what is wrong with it."""

    about: About | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Posing:
    """The poses. `failure`: they have ended, and can be taken again."""

    progress: Progress
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks found before the person steps away: how many poses, and whether somebody enrolled looks alike,
    so that this person will have to say who they are too."""

    poses: int
    look_alike: bool


@dataclass(frozen=True, slots=True)
class ComeBack:
    """The person steps away (`away` is False), and comes back to be recognised."""

    checked: Checked
    away: bool
    share: float = 0.0
    trouble: Trouble | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class WaysIn:
    """The person chooses a PIN, and whether they want a QR code. Nothing is written yet."""

    name: str
    number: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """It is written. `qr`: the text of the person's QR code, shown this once. `renewed`: new pictures only;
    `added`: beside the old ones."""

    name: str
    number: str | None
    verify: bool
    valid_from: datetime | None = None
    qr: str | None = field(default=None, repr=False)
    renewed: bool = False
    added: bool = False


@dataclass(frozen=True, slots=True)
class NotEnrolled:
    """The enrolment has ended, and nothing was written."""

    problem: Problem | None = None
    failure: Failure | None = None
    name: str | None = None
    """Whose face it is already."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of the list."""

    subject_id: str
    name: str
    number: str | None
    disabled: bool
    until: datetime | None
    one_light: bool = False
    """Whether all their references are of one light, as far as is known."""


@dataclass(frozen=True, slots=True)
class People:
    """Those whom the search finds, at most MOST_SHOWN of `found`."""

    text: str
    rows: tuple[PersonRow, ...]
    found: int


@dataclass(frozen=True, slots=True)
class Person:
    """One person, and what may be done by whoever is signed in."""

    row: PersonRow
    verify: bool
    enrolled: datetime
    may_switch: bool
    may_renew: bool
    may_erase: bool
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """The certificate of an erasure: what was removed, and what is out of reach until when."""

    subject_id: str
    at: datetime
    references: int
    backups: int
    remains: tuple[Remains, ...]


@dataclass(frozen=True, slots=True)
class EventRow:
    """One decision with its true reason, and what the door did; or something else that staff should know. `id`: its
    place in the log."""

    id: int
    at: datetime
    granted: bool | None
    reason: str
    outcome: str | None = None
    name: str | None = None
    subject_id: str | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """The newest MOST_SHOWN, newest first. `noted`: that somebody was mistaken was recorded for this one."""

    rows: tuple[EventRow, ...]
    noted: int | None = None


@dataclass(frozen=True, slots=True)
class WhyRefused:
    """Live: what would decide about the face now. `name`: of whom the face matches, above the limit only."""

    bars: Bars
    name: str | None = None


@dataclass(frozen=True, slots=True)
class DoorIs:
    """The door's state, as kiosk-door last told it."""

    state: DoorState | None


StaffView = (
    Closed
    | LookHere
    | Home
    | ConsentText
    | Declined
    | WhoIsIt
    | Posing
    | ComeBack
    | WaysIn
    | Done
    | NotEnrolled
    | People
    | Person
    | Erased
    | Events
    | WhyRefused
    | DoorIs
    | Settings
)
