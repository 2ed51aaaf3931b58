"""Enrolled people: subjects and their references, with the terms of ISO/IEC 2382-37."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from kiosk.domain.face import Hint, Vector
from kiosk.domain.rights import Role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Template = NDArray[np.int8]
    """128 signed bytes: a feature vector that was turned by its gallery's matrix (domain.renewal), and quantized
    (FaceNet's byte vectors)."""
else:
    Template = object


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """What an embedder makes of a natural face: its feature vector, scaled so that it can be rounded to bytes, and what
    hides or badly lights the face, in the order of Hint. The vector is the same with and without hints. It is kept in
    memory only: a gallery makes a template of it (domain.renewal)."""

    vector: Vector
    hints: tuple[Hint, ...] = ()
    earlier: Callable[[], Vector | None] | None = field(default=None, repr=False)
    """While the embedder is being changed (domain.transition): gives the scaled vector of the same face in the earlier
    network's space, made when it is first asked for; None if that network takes it for no natural face."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What an enrolled person agreed to, or was told where consent is not the ground."""

    text: str
    """Version of the text, as its file is named."""
    language: str
    at: datetime
    staff: str
    """Who enrolled: the user of this machine."""
    alternative: str
    """The other way in that was offered."""

    def sentence(self, when: str) -> str:
        """For people. `when`: `at` as they read it."""
        return (
            f"agreed to the text {self.text} ({self.language}) on {when}, before {self.staff}; "
            f"offered instead: {self.alternative}"
        )


class Need(StrEnum):
    """What a person needs at the door. The names of Subject's fields."""

    VERIFY = "verify"
    EXTENDED = "extended"


@dataclass(frozen=True, slots=True)
class Subject:
    """An enrolled person. The id is opaque; only the name is meant for people."""

    id: str
    name: str
    created_at: datetime
    disabled: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    badge: int | None = field(default=None, repr=False)
    """The number by which a panel knows this person, if a panel owns the lock."""
    consent: Consent | None = field(default=None, repr=False)
    """None: none recorded."""
    role: Role | None = None
    """What this person may do at the kiosk, with a PIN."""
    number: str | None = field(default=None, repr=False)
    """The personal number that this person types to say who it is (domain.number). Nobody else has it."""
    verify: bool = False
    """Whether a face alone is not enough for this person: something else must say first who it is."""
    extended: bool = False
    """Whether the lock is released for longer, for who needs more time."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """An enrolled template. Never compared across model_id."""

    id: str
    subject_id: str
    model_id: str
    template: Template
    quality: float
    created_at: datetime
    light: float | None = None
    """Mean luminance of the face, 0..255 (domain.second_light); None if it is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class NewReference:
    """What is to be enrolled: a scaled feature vector of 128 numbers (Embedding), the quality of its sample, 0..1, and
    the light that it was taken in. The gallery makes the template, because only it knows by which matrix to turn it."""

    vector: Vector
    model_id: str
    quality: float
    light: float | None = None
