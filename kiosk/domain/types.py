"""The nouns of the kiosk, in the words of ISO/IEC 2382-37 and the ONVIF door terms.

Standard library only: numpy appears in annotations, never at run time, so that kiosk-door can import this module.
All times named `*_at` without `wall` are seconds of CLOCK_BOOTTIME (`kiosk.clock.boottime()`): one clock for all
processes of a machine, which nobody sets and which counts while the machine is suspended.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    """H x W x 3, BGR, 0..255."""
    Vector = NDArray[np.float32]
    """A feature vector as the embedder gives it, not necessarily of unit length."""
    Template = NDArray[np.int8]
    """128 signed bytes: a quantized unit feature vector (FaceNet's byte vectors)."""
else:
    Image = Vector = Template = object


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a camera. `captured_at` is when the light fell, not when the picture was read."""

    image: Image
    number: int
    captured_at: float
    wall_at: datetime


@dataclass(frozen=True, slots=True)
class Box:
    """Upright rectangle in pixels of the frame; it may reach outside the frame."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        w = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        h = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if w <= 0 or h <= 0:
            return 0.0
        overlap = w * h
        return overlap / (self.width * self.height + other.width * other.height - overlap)


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face. Landmarks, (x, y) in pixels, in the order of the picture: the eye at the left of the picture,
    the eye at its right, nose tip, left corner of the mouth, right corner."""

    box: Box
    landmarks: tuple[tuple[float, float], ...]
    score: float

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes."""
        (ax, ay), (bx, by) = self.landmarks[0], self.landmarks[1]
        return float(((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5)


class Flaw(StrEnum):
    """Why a sample is no evidence. TOO_NEAR: there is too little around it for PAD; UNNATURAL: where the embedder puts
    no natural face (a negative, few levels, half a face)."""

    TOO_SMALL = "too_small"
    OUTSIDE_GUIDE = "outside_guide"
    TOO_NEAR = "too_near"
    CLIPPED = "clipped"
    TURNED_OVER = "turned_over"
    TURNED = "turned"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    UNNATURAL = "unnatural"


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a sample: `score` 0 (useless) to 1 (good); the first flaw found, or None when it may be compared."""

    score: float
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best candidate of a search. `score` is that of domain.matching, -1..1.

    `subject_id` is None when the gallery is empty. Below `threshold` the candidate is nobody.
    """

    subject_id: str | None
    score: float
    threshold: float
    model_id: str

    @property
    def mated(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.subject_id is not None and self.score >= self.threshold


@dataclass(frozen=True, slots=True)
class Subject:
    """An enrolled person. The id is opaque; only the name is for people."""

    id: str
    name: str
    created_at: datetime
    disabled: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    badge: int | None = field(default=None, repr=False)
    """The number that a panel knows this person by, where a panel owns the lock."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """An enrolled template. Never compared across model_id."""

    id: str
    subject_id: str
    model_id: str
    template: Template
    quality: float
    created_at: datetime


class Outcome(StrEnum):
    """What a decision says."""

    GRANTED = "granted"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why a decision was made. Everything but MATCHED is a refusal."""

    MATCHED = "matched"
    # about the person
    NOT_ENROLLED = "not_enrolled"
    AMBIGUOUS = "ambiguous"
    PRESENTATION_ATTACK = "presentation_attack"
    POOR_QUALITY = "poor_quality"
    SEVERAL_FACES = "several_faces"
    INCOMPLETE = "incomplete"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    """This face was refused so often within the hour that it is not compared."""
    SUBJECT_DISABLED = "subject_disabled"
    VALIDITY_NOT_BEGUN = "validity_not_begun"
    VALIDITY_ENDED = "validity_ended"
    CLOCK_BEHIND = "clock_behind"
    """The right depends on time, and the clock is behind what the kiosk knows to have been."""
    CLOCK_UNSYNCHRONISED = "clock_unsynchronised"
    """The right depends on time, and this board has not been told the time since it started."""
    NO_BADGE = "no_badge"
    """A panel owns the lock, and there is no number that could be presented to it."""
    # about the kiosk
    STALE_FRAME = "stale_frame"
    CAMERA_UNAVAILABLE = "camera_unavailable"
    DETECTOR_FAULT = "detector_fault"
    QUALITY_FAULT = "quality_fault"
    PAD_FAULT = "pad_fault"
    EMBEDDER_FAULT = "embedder_fault"
    GALLERY_FAULT = "gallery_fault"
    REFERENCES_OF_ANOTHER_MODEL = "references_of_another_model"
    FACE_OFF = "face_off"
    """So many people were refused within the hour that no face is compared ([policy] refusals_an_hour)."""
    UNSAFE_POLICY = "unsafe_policy"
    """The threshold does not keep the rate of mistakes that was asked for, and the lock is real."""
    AUDIT_UNAVAILABLE = "audit_unavailable"
    DOOR_UNAVAILABLE = "door_unavailable"
    INTERNAL_FAULT = "internal_fault"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an attempt rests on: the last usable frame of it, for the record."""

    frame_number: int
    captured_at: float
    wall_at: datetime
    frames: int = 0
    comparison: Comparison | None = None
    quality: Quality | None = None
    pad: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The end of an attempt. `id` is the grant id when granted; it links the decision to the door's outcome."""

    id: str
    outcome: Outcome
    reason: Reason
    subject_id: str | None
    evidence: Evidence
    track: int | None = None
    started_at: float | None = None
    detail: str = ""
    badge: int | None = field(default=None, repr=False)
    """What is presented on this grant, where a panel owns the lock; in no record and no log."""

    @property
    def granted(self) -> bool:
        """Whether the door may be released."""
        return self.outcome is Outcome.GRANTED


class Span(StrEnum):
    """How long a grant releases the lock."""

    NORMAL = "normal"
    EXTENDED = "extended"
    """For whoever needs more time."""
    HOLD_OPEN = "hold_open"
    """A lease that must be renewed."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A request to release the lock once: fresh, single and bounded (rule 2).

    `renews` is the id of the grant that began the lease which this one renews; for HOLD_OPEN only. `badge` is for a
    panel only.
    """

    id: str
    captured_at: float
    deadline: float
    span: Span = Span.NORMAL
    renews: str | None = None
    badge: int | None = field(default=None, repr=False)


class DoorState(StrEnum):
    """State of the lock as kiosk-door knows it."""

    UNKNOWN = "unknown"
    SECURED = "secured"
    RELEASED = "released"
    PANEL = "panel_owned"
    """A panel owns the lock and answers; what it does with it is not known here."""
    FAULT = "fault"


class DoorMode(StrEnum):
    """What lasts until it is ended."""

    NORMAL = "normal"
    HOLD_OPEN = "hold_open"
    LOCKDOWN = "lockdown"


class Leaf(StrEnum):
    """Where the door's leaf is, by its contact. UNKNOWN without a contact, before it was read, and where it cannot be.
    A cut wire reads as open."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    OPEN = "open"


class Alarm(StrEnum):
    """What is wrong with the leaf being open."""

    NONE = "none"
    HELD_OPEN_SOON = "held_open_soon"
    HELD_OPEN = "held_open"
    FORCED_OPEN = "forced_open"


@dataclass(frozen=True, slots=True)
class Readings:
    """Levels of a door's inputs now, polarity applied; None for one that is not wired. `rex` is also True when the
    button was pressed and let go since the last reading."""

    open: bool | None = None
    rex: bool | None = None
    tamper: bool | None = None


class Hand(StrEnum):
    """What can be done to a simulated door."""

    OPEN = "open"
    CLOSE = "close"
    REX = "rex"
    """The exit button is pressed and let go."""
    TAMPER = "tamper"
    RESTORE = "restore"


class DoorResult(StrEnum):
    """What the door did with a grant."""

    RELEASED = "released"
    PRESENTED = "presented"
    """The panel was given the badge number. Whether it opened is not known by that."""
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class DoorReply:
    """The door's answer to a grant; `reason` is one of domain.door.Refusal when refused, else a sentence."""

    grant_id: str
    result: DoorResult
    reason: str = ""
    released_until: float | None = None


@dataclass(frozen=True, slots=True)
class DoorStatus:
    """`simulated` says whether the lock moves nothing in the world; `faults` what does not work or cannot be true."""

    state: DoorState
    simulated: bool
    started_at: float
    released_until: float | None = None
    mode: DoorMode = DoorMode.NORMAL
    leaf: Leaf = Leaf.UNKNOWN
    alarm: Alarm = Alarm.NONE
    tamper: bool = False
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit log. `kind` is decision, outcome, door, command, clock, attempts, fault, enrolment,
    subject, start or stop. `id` is its place in the log; by `record_id` one that is appended twice is there once."""

    kind: str
    wall_at: datetime
    grant_id: str | None = None
    subject_id: str | None = None
    outcome: str | None = None
    reason: str | None = None
    detail: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    id: int | None = None
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
