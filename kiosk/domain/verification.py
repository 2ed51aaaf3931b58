"""1:1: a claim says who somebody is, and the camera compares with that person only.

The pipeline is told of a claim in these messages. Times are seconds of the frames' clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.entry import Means


class Verification(StrEnum):
    """Where a face alone is not enough, so that somebody must also say who they are ([entry] verification)."""

    SUBJECT = "subject"
    """For the subjects that are marked so (Subject.verify)."""
    BEYOND = "beyond"
    """And for everybody while the gallery is larger than what the threshold table was measured for."""
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Expected:
    """The person whom the open claim names. `subject_id` is None for a claim that is nobody's: the camera looks all the
    same, and never finds anybody.

    An attempt may open before `looks_until`, and one only. Until `until` no face is searched for in the gallery: a
    person who is busy with the keypad is not let in by somebody else's face.
    """

    claim_id: str
    means: Means
    subject_id: str | None
    looks_until: float
    until: float


@dataclass(frozen=True, slots=True)
class ClaimOver:
    """The claim has ended: faces alone count again."""

    claim_id: str


@dataclass(frozen=True, slots=True)
class LetIn:
    """The door was released for somebody without the camera, at `at`. None: nobody of the gallery (a visitor)."""

    subject_id: str | None
    at: float


Told = Expected | ClaimOver | LetIn
"""What the reception tells the pipeline."""


class Claims:
    """The claim that is open now, from the pipeline's side. For one thread."""

    def __init__(self) -> None:
        self._open: Expected | None = None
        self._looked: str | None = None

    def take(self, told: Expected | ClaimOver) -> None:
        """Takes a claim in place of the one before, or its end. The end of an earlier claim ends no later one."""
        if isinstance(told, Expected):
            self._open = told
        elif self._open is not None and self._open.claim_id == told.claim_id:
            self._open = None

    def looked(self) -> None:
        """Notes that the open claim has had its attempt."""
        if self._open is not None:
            self._looked = self._open.claim_id

    def now(self, at: float) -> Expected | None:
        """The open claim at that time; None while faces alone count."""
        if self._open is not None and at >= self._open.until:
            self._open = None
        return self._open

    def looks(self, at: float) -> bool:
        """Whether a face may be compared at that time: with the claimed person only, if there is a claim."""
        claim = self.now(at)
        return claim is None or (at < claim.looks_until and claim.claim_id != self._looked)
