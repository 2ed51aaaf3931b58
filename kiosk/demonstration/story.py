"""The visitors of the demonstration, and the decision that the kiosk must make about each of them.

None of these people exists. visitors/README.md says how their pictures were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.decision import Outcome, Reason


class Kind(StrEnum):
    """What the visitor shows to the camera."""

    LIVE = "live"
    PRINT = "print"


class Enrolled(StrEnum):
    """Whether a visitor is enrolled in the demonstration's gallery."""

    VALID = "valid"
    ENDED = "ended"
    """Enrolled, but the validity has ended."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person of the demonstration. `key` is the name of the picture in visitors/; `name` is invented."""

    key: str
    name: str
    enrolment: Enrolled


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to the camera, and the decision that must end it. A print shows `visitor`'s picture."""

    name: str
    visitor: Visitor
    kind: Kind
    outcome: Outcome
    reason: Reason


ADA = Visitor("ada", "Ada Example", Enrolled.VALID)
BEN = Visitor("ben", "Ben Sample", Enrolled.VALID)
CLEO = Visitor("cleo", "Cleo Specimen", Enrolled.ENDED)
STRANGER = Visitor("stranger", "Somebody Else", Enrolled.NONE)

NEWCOMER = STRANGER
"""Whom staff can enrol: the stranger, who is let in from then on."""

VISITORS = (ADA, BEN, CLEO, STRANGER)

STAFF_NUMBER, STAFF_PIN = "1001", "271828"
"""Ada's, who is of the staff."""
BEN_NUMBER, BEN_PIN, BEN_DURESS = "1002", "161803", "602214"
"""Ben's, who may come in by number and PIN too; and the PIN that he types when he is forced to."""

STORY: tuple[Visit, ...] = (
    Visit("Ada comes", ADA, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
    Visit("Ben comes", BEN, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
    Visit("a stranger comes", STRANGER, Kind.LIVE, Outcome.REFUSED, Reason.NOT_ENROLLED),
    Visit("somebody holds up a print of Ada", ADA, Kind.PRINT, Outcome.REFUSED, Reason.PRESENTATION_ATTACK),
    Visit("Cleo comes, whose validity has ended", CLEO, Kind.LIVE, Outcome.REFUSED, Reason.VALIDITY_ENDED),
    Visit("Ada comes back", ADA, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),
)

ENROLLED_VISIT = Visit(
    "the stranger comes back, whom Ada has enrolled", NEWCOMER, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED
)
"""After the story, if nobody is at the window: staff's part is played too (demonstration.rehearsal)."""
