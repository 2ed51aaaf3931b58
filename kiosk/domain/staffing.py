"""Staff mode: what its pages ask for, and what they show. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.coaching import Trouble


class Failure(StrEnum):
    """Why a task has ended without what it was for."""

    CAMERA = "camera"
    FAULT = "fault"
    ATTACK = "attack"
    TOO_LONG = "too_long"
    SOMEBODY_ELSE = "somebody_else"
    NOT_RECOGNISED = "not_recognised"


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
