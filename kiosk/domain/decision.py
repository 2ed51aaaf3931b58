"""The end of an attempt: the comparison behind it, the reason, and the decision itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kiosk.domain.face import Hint, Quality


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best candidate of a search. `score` is a score of domain.matching, -1..1.

    `subject_id` is None when the gallery is empty, and for a face that matches but is not upright: then the score alone
    says nothing. A candidate below `threshold` is no match.
    """

    subject_id: str | None
    score: float
    threshold: float
    model_id: str

    @property
    def mated(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.subject_id is not None and self.score >= self.threshold


class Outcome(StrEnum):
    """The outcome of a decision."""

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
    """This face was refused so often within the last hour that it is not compared."""
    FACE_OFF = "face_off"
    """So many people were refused within an hour that no face is compared ([policy] refusals_an_hour)."""
    SUBJECT_DISABLED = "subject_disabled"
    VALIDITY_NOT_BEGUN = "validity_not_begun"
    VALIDITY_ENDED = "validity_ended"
    CLOCK_BEHIND = "clock_behind"
    """The subject has a validity, and the clock shows a time before one that the kiosk knows to have passed."""
    CLOCK_UNSYNCHRONISED = "clock_unsynchronised"
    """The subject has a validity, and the clock was not synchronised since the start."""
    NO_BADGE = "no_badge"
    """A panel owns the lock, and the subject has no badge number that fits."""
    # about the kiosk
    STALE_FRAME = "stale_frame"
    CAMERA_UNAVAILABLE = "camera_unavailable"
    DETECTOR_FAULT = "detector_fault"
    QUALITY_FAULT = "quality_fault"
    PAD_FAULT = "pad_fault"
    EMBEDDER_FAULT = "embedder_fault"
    GALLERY_FAULT = "gallery_fault"
    LOCKED = "locked"
    """The kiosk waits for the passphrase of its key."""
    REFERENCES_OF_ANOTHER_MODEL = "references_of_another_model"
    UNSAFE_POLICY = "unsafe_policy"
    """The threshold does not keep the configured rate of false matches, and the lock is real."""
    AUDIT_UNAVAILABLE = "audit_unavailable"
    DOOR_UNAVAILABLE = "door_unavailable"
    INTERNAL_FAULT = "internal_fault"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last usable frame of an attempt, for the record."""

    frame_number: int
    captured_at: float
    wall_at: datetime
    frames: int = 0
    comparison: Comparison | None = None
    quality: Quality | None = None
    pad: float | None = None
    hint: Hint | None = None
    """What a person who was not recognised can change, for the window and the console. It is in no record: a veil or
    dark glasses may tell of religion or health. None if the person was recognised."""


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
    """The number that this grant presents to a panel. It is in no record and no log."""

    @property
    def granted(self) -> bool:
        """Whether the door may be released."""
        return self.outcome is Outcome.GRANTED
