"""The section of the configuration about other ways in than a face alone."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from kiosk.domain.entry import Means, Ways
from kiosk.domain.verification import Verification
from kiosk.section import Section


class EntryConfig(Section):
    """[entry]: what may say who somebody is, and what it opens (station.reception)."""

    number: bool = False
    """Whether a personal number can be typed."""
    qr: bool = False
    """Whether QR codes are read by the camera."""
    card_reader: Annotated[str, Field(pattern="^[0-9a-f]{4}:[0-9a-f]{4}$")] | None = None
    """The badge reader that types like a keyboard: its USB ids, as `lsusb` shows them. None: there is none."""
    pin: bool | None = None
    """Whether a right PIN opens without the face. None: yes where a number is offered."""
    qr_alone: bool = False
    """Whether an enrolled person's QR code opens without face and PIN."""
    card_alone: bool = False
    """Whether an enrolled person's badge opens without face and PIN."""
    passes: bool = False
    """Whether visitor passes open."""
    verification: Verification = Verification.SUBJECT
    """Where a face alone is not enough: "subject" for those who are marked so, "beyond" for everybody too while the
    gallery is too large for what was measured, "always"."""
    look_seconds: Annotated[float, Field(ge=0, le=20)] = 8.0
    """How long the camera looks for the face of who was claimed. 0: the PIN is asked for at once."""
    pin_seconds: Annotated[float, Field(ge=5, le=120)] = 30.0
    """How long a PIN is waited for."""

    @property
    def pins(self) -> bool:
        """Whether a right PIN opens."""
        return self.number if self.pin is None else self.pin

    @property
    def means(self) -> frozenset[Means]:
        """What can say who somebody is."""
        offered = {Means.NUMBER: self.number, Means.QR: self.qr, Means.CARD: self.card_reader is not None}
        return frozenset(means for means, on in offered.items() if on)

    @property
    def claims_beyond(self) -> bool:
        """Whether a gallery beyond the evidence is searched only to tell whom to ask for a claim."""
        return self.verification is not Verification.SUBJECT

    @property
    def ways(self) -> Ways:
        """The same for the window."""
        return Ways(self.means, self.pins and bool(self.means))

    @property
    def alone(self) -> list[str]:
        """What may open the door without a face, for the log of the start."""
        settings = {"pin": self.pins, "qr_alone": self.qr_alone, "card_alone": self.card_alone, "passes": self.passes}
        return [name for name, on in settings.items() if on]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.qr and (self.qr_alone or self.passes):
            raise ValueError("qr_alone and passes need qr: the camera reads no codes without it")
        if self.card_alone and self.card_reader is None:
            raise ValueError("card_alone needs card_reader: the badge reader's USB ids, as `lsusb` shows them")
        if self.pin and not self.means:
            raise ValueError("pin needs number, qr or card_reader: something must say first whose PIN it is")
        if self.verification is not Verification.SUBJECT and not self.means:
            raise ValueError("verification needs number, qr or card_reader: nobody could say who they are")
        if self.verification is Verification.ALWAYS and (self.qr_alone or self.card_alone):
            raise ValueError('verification = "always": then neither qr_alone nor card_alone is possible')
        if not (self.look_seconds or self.pins) and self.means:
            raise ValueError("look_seconds = 0 and no PIN: a claim could open nothing")
        return self
