"""What the kiosk needs of the world. Implementations live in vision, cameras, locks and storage."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from kiosk.domain.types import AuditRecord, Comparison, DoorReply, Face, Frame, Grant, Quality, Readings, Subject

if TYPE_CHECKING:
    from kiosk.domain.badge import Card
    from kiosk.domain.types import Image, Template


class Camera(Protocol):
    """Delivers frames. `live` is False for anything that does not show what stands in front of the kiosk now
    (simulated, replay): such a camera never meets a real lock."""

    live: bool

    def open(self) -> None:
        """Raises CameraError. May be called again after close()."""

    def read(self, timeout: float) -> Frame:
        """The newest frame, waiting at most `timeout` seconds. Raises CameraError when none came, EOFError when a
        recording is at its end."""

    def close(self) -> None:
        """Never raises."""


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> list[Face]:
        """All faces, the largest first."""


class QualityGate(Protocol):
    """Judges a sample before it is compared."""

    def assess(self, image: Image, face: Face) -> Quality:
        """Judges one face of one frame."""


class PresentationAttackDetector(Protocol):
    """Scores how bona fide a presentation looks; it can only deny."""

    threshold: float

    def score(self, image: Image, face: Face) -> float:
        """0 (attack) .. 1 (bona fide)."""


class Embedder(Protocol):
    """Turns a face into a template."""

    model_id: str

    def embed(self, image: Image, face: Face) -> Template | None:
        """Aligns the face, embeds it and quantizes: 128 signed bytes. None: what is there is no natural face, and no
        evidence of anybody."""


class Matcher(Protocol):
    """The gallery as the pipeline sees it."""

    def search(self, probe: Template) -> Comparison:
        """1:N: the best candidate over all references of the embedder's model_id."""

    def subject(self, subject_id: str) -> Subject | None:
        """As enrolled now: the policy reads validity from it."""


class AuditTrail(Protocol):
    """The log that an acknowledged record survives kill -9 in."""

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Returns once all are on disk, in one transaction. Raises GalleryError when they are not."""


class Door(Protocol):
    """kiosk-door as the kiosk sees it."""

    def ready(self) -> bool:
        """Whether the door process answers now. Never raises, takes at most some tens of milliseconds."""

    def release(self, grant: Grant) -> DoorReply:
        """Sends a grant. Never raises: a door that does not answer is DoorResult.UNAVAILABLE."""


class Lock(Protocol):
    """The hardware behind kiosk-door. Only two verbs, and no bare on or off. The door's state machine times the
    release; `seconds` is for hardware that can bound it as well. What it reads of the door it only reads: the exit
    button releases in hardware, whatever this program does."""

    simulated: bool

    def secure(self) -> None:
        """Raises LockError."""

    def release(self, seconds: float) -> None:
        """Raises LockError."""

    def read(self) -> Readings:
        """The inputs' levels now. Raises LockError when they cannot be read, LockLostError when the lock itself is not
        as it was last set: it is then secured at once, as after any failure."""

    def fileno(self) -> int | None:
        """Readable when an input may have changed: read() then, and it is no longer. None: there is no such thing."""

    def sound(self, on: bool) -> None:
        """The local sounder; nothing where there is none. Raises LockError."""

    def close(self) -> None:
        """Secures if it can, then gives the hardware back. Never raises."""


class Turn(StrEnum):
    """What became of one turn of a panel's line."""

    QUIET = "quiet"
    """The panel has asked nothing, or not in the secure channel."""
    ASKED = "asked"
    """It asked in the secure channel, and had its answer; no card was told."""
    PRESENTED = "presented"
    """It asked in the secure channel, and was told the card."""


class Panel(Protocol):
    """Somebody else's panel, which owns the lock and asks this side for cards. One verb, and nothing waits in it."""

    simulated: bool

    def turn(self, card: Card | None) -> Turn:
        """Answers at most one question that has come from the panel; never waits for one. `card` is told only as the
        answer to a question in the secure channel of this very turn, and is forgotten otherwise. Called at least every
        0.1 s and whenever fileno() is readable. Raises LockError when the line cannot be used."""

    def read(self) -> Readings:
        """As Lock.read()."""

    def fileno(self) -> int | None:
        """Readable when turn() or read() may have something to do. The same number for as long as this lives."""

    def sound(self, on: bool) -> None:
        """As Lock.sound()."""

    def close(self) -> None:
        """Gives the line back. Never raises."""
