"""The pipeline's findings in a frame, and the updates about them and the door for window, console and log.

Updates go in one direction only and get no answer. They stay inside the kiosk's process; domain.notices.KioskEvent is
for other processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from kiosk.domain.checkpoint import Checkpoint
from kiosk.domain.decision import Decision, Reason
from kiosk.domain.door.grants import DoorReply
from kiosk.domain.door.state import DoorState
from kiosk.domain.entry import Step
from kiosk.domain.face import Face, Hint, Quality
from kiosk.domain.staff_views import StaffView
from kiosk.domain.transition import Kept


@dataclass(frozen=True, slots=True)
class Waiting:
    """No face, and no attempt open."""

    frame_number: int


@dataclass(frozen=True, slots=True)
class Observed:
    """A frame of an open attempt, for the guidance on the window.

    `faces` may hold several; then the attempt does not continue. `progress`: the share (0..1) of the frames that a
    grant needs.
    """

    frame_number: int
    faces: tuple[Face, ...]
    quality: Quality | None
    progress: float
    let_in: bool = False
    """Whether the face may be of a person who was let in and has not left. Nothing is decided about them again."""
    waits: float = 0.0
    """Seconds for which a face that was refused before must wait; 0 for any other one, 1 if it is not known for how
    long."""
    claim_first: bool = False
    """Whether this face is compared with nobody, because everybody has to say who they are first."""
    hint: Hint | None = None
    """What hides the face or lights it badly. None as soon as a frame of the attempt matches somebody."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """An attempt has ended in this decision. It is not yet recorded and the door does not know it. station.access
    records it, and may refuse a grant. `kept`: frames of which references may be made once the door has acted on it."""

    decision: Decision
    kept: tuple[Kept, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Decided:
    """A final decision: it is recorded, or waits until it can be recorded."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class DoorAnswered:
    """What the door did with the grant of a decision."""

    decision_id: str
    reply: DoorReply


@dataclass(frozen=True, slots=True)
class DoorChanged:
    """The lock's state as kiosk-door reports it; UNKNOWN while it cannot be reached."""

    state: DoorState


@dataclass(frozen=True, slots=True)
class DoorLeftOpen:
    """Whether the door's leaf is open for too long, or was opened by force."""

    lasts: bool


@dataclass(frozen=True, slots=True)
class Faulted:
    """A part of the kiosk does not work; nobody is let in meanwhile. `message` is for staff."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """The part named by `reason` works again."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Unexplained:
    """The door was released for the user `uid` on a grant that no record in the audit log explains."""

    grant_id: str
    uid: int | None


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A signed checkpoint of the audit log was recorded."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class EntryChanged:
    """What somebody who uses another way in is asked to do next. It never says whether they are known."""

    step: Step
    seconds: float = 0.0
    """For WAIT: until the next PIN is looked at. For FACE and PIN: how long that is waited for. At least 0."""


@dataclass(frozen=True, slots=True)
class Duress:
    """A duress PIN was typed. It is no Update: window, console and sound never get it, but only the announcer
    (station.announcer), for remote notifiers. `grant_id`: of the decision that was made on it."""

    wall_at: datetime
    subject_id: str | None
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class StaffChanged:
    """What staff mode shows now."""

    view: StaffView


@dataclass(frozen=True, slots=True)
class FaceStays:
    """A face that never leaves (a poster) is in view, and is left out from now on; or none is any more."""

    there: bool


@dataclass(frozen=True, slots=True)
class OtherLight:
    """Whom this decision let in has pictures of other light only. Told once for each person."""

    decision_id: str


Finding = Waiting | Observed | Proposed | Faulted | Recovered | FaceStays
"""What the pipeline reports about a frame, or about missing frames."""

Update = (
    Waiting
    | Observed
    | Decided
    | DoorAnswered
    | DoorChanged
    | DoorLeftOpen
    | Faulted
    | Recovered
    | Unexplained
    | Checkpointed
    | EntryChanged
    | StaffChanged
    | FaceStays
    | OtherLight
)
"""Updates inside the kiosk's process: for window, console, announcer and demonstration."""
