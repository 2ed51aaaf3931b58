"""What is kept about a person, for that person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from kiosk.domain.audit import AuditRecord
from kiosk.domain.passes import Issued
from kiosk.domain.people import Subject


@dataclass(frozen=True, slots=True)
class KeptReference:
    """A reference. `size` of its template in bytes; `light`: mean luminance of the face, 0..255, if it is known; the
    template itself only where somebody has asked for it."""

    made_at: datetime
    network: str
    quality: float
    size: int
    light: float | None = None
    template: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the gallery holds about a person. Of PIN, duress PIN, QR code and card it says only whether there is
    one: they are kept in a form from which they cannot be read."""

    subject: Subject
    references: tuple[KeptReference, ...]
    records: tuple[AuditRecord, ...]
    """Each record of the log that names the person, oldest first."""
    passes: tuple[Issued, ...]
    pin: bool
    duress: bool
    qr: bool
    card: bool
    visits: tuple[datetime, ...] = ()
    """When the visits were of which a template is kept for a measurement."""
