"""Who comes to the demonstration's camera, and what the kiosk must decide about each of them.

None of these people exists: visitors/README.md says how their pictures were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.decision import Outcome, Reason


class Kind(StrEnum):
    """What the visitor shows to the camera."""

    LIVE = "live"
    PRINT = "print"


class Enrolment(StrEnum):
    """What the demonstration's gallery knows of a visitor."""

    VALID = "valid"
    ENDED = "ended"
    """Enrolled, with a validity that has ended."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person of the demonstration. `key` names the picture in visitors/, `name` is invented."""

    key: str
    name: str
    enrolment: Enrolment


@dataclass(frozen=True, slots=True)
class Visit:
    """One appearance before the camera, and the decision it must end in. A print shows `visitor`'s picture."""

    name: str
    visitor: Visitor
    kind: Kind
    outcome: Outcome
    reason: Reason


ADA = Visitor("ada", "Ada Example", Enrolment.VALID)
BEN = Visitor("ben", "Ben Sample", Enrolment.VALID)
CLEO = Visitor("cleo", "Cleo Specimen", Enrolment.ENDED)
STRANGER = Visitor("stranger", "Somebody Else", Enrolment.NONE)

VISITORS = (ADA, BEN, CLEO, STRANGER)

STORY: tuple[Visit, ...] = (
    Visit("Ada comes", ADA, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
    Visit("Ben comes", BEN, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
    Visit("a stranger comes", STRANGER, Kind.LIVE, Outcome.REFUSED, Reason.NOT_ENROLLED),
    Visit("somebody holds up a print of Ada", ADA, Kind.PRINT, Outcome.REFUSED, Reason.PRESENTATION_ATTACK),
    Visit("Cleo comes, whose validity has ended", CLEO, Kind.LIVE, Outcome.REFUSED, Reason.VALIDITY_ENDED),
    Visit("Ada comes back", ADA, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
)
