"""The end of an attempt: the comparison behind it, the reason, and the decision itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kiosk.domain.entry import Means
from kiosk.domain.face import Hint, Quality


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best candidate of a search, or the claimed person of a verification. `score` is a score of domain.matching,
    -1..1.

    `subject_id` is None when the gallery is empty, for a claim that is nobody's, and for a face that matches but is not
    upright: then the score alone says nothing. A candidate below `threshold` is no match.
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


class Proof(StrEnum):
    """What a decision rests on, as its record says."""

    SEARCH = "1:N"
    """A face alone: identification."""
    VERIFICATION = "1:1"
    """A claim and the face of the claimed person."""
    PIN = "pin"
    CODE = "code"
    """A QR code or a badge alone, where the configuration allows it."""
    VISITOR = "visitor"
    """A visitor pass."""


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
    CAMERA_TAKEN = "camera_taken"
    """Staff took the camera in the middle of the attempt."""
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    """This face was refused so often within the last hour that it is not compared."""
    VERIFICATION_REQUIRED = "verification_required"
    """A face alone is not enough for this subject, or in this gallery: who it is must be said too."""
    NOT_VERIFIED = "not_verified"
    """The face is not that of the person whom the claim names. It may name nobody."""
    WRONG_PIN = "wrong_pin"
    """Or the claim is nobody's, or the subject has no PIN."""
    PIN_WAITS = "pin_waits"
    """The PIN was not looked at, after too many wrong ones."""
    VISITOR_REFUSED = "visitor_refused"
    """A visitor pass that is not valid, not here or not now."""
    CLAIM_OVER = "claim_over"
    """The claim has ended meanwhile, or has let somebody in already."""
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
    """The last usable frame of an attempt, for the record. Without the camera: the moment when the last digit was
    typed, or the code was read; `frame_number` is then -1."""

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

    proof: Proof = Proof.SEARCH
    means: Means | None = None
    """What said who it was; None for a face alone."""
    claim_id: str | None = None
    """The claim that this decision is of. A claim lets in once."""
    extended: bool = False
    """Whether the lock is released for longer, for who needs more time."""

    @property
    def granted(self) -> bool:
        """Whether the door may be released."""
        return self.outcome is Outcome.GRANTED
