"""The register: who is enrolled, for everybody who looks people up, enrols or changes them.

`GalleryRegister` works on an open gallery. A command that may not open it, or should not, asks the running kiosk over
its control socket with `station.control_client.RemoteRegister`, which does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kiosk.domain.audit import AuditReason
from kiosk.domain.entry import Means
from kiosk.domain.errors import GalleryError, SampleError
from kiosk.domain.kept import Kept
from kiosk.domain.passes import Issued, Pass
from kiosk.domain.people import Consent, Need, Subject
from kiosk.domain.rights import Role
from kiosk.station.enrolment import Enrolment, EnrolmentSample
from kiosk.storage import claims, pins
from kiosk.storage.erasure import Certificate
from kiosk.storage.gallery import Gallery
from kiosk.storage.kept import kept_of
from kiosk.storage.passes import Passes


@dataclass(frozen=True, slots=True)
class Listed:
    """A subject in a list. `enrol_again`: it has no reference that is compared; None if that is not known."""

    subject: Subject
    enrol_again: bool | None


@dataclass(frozen=True, slots=True)
class Applicant:
    """A person who is to be enrolled. Times in UTC."""

    name: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    badge: int | None = None
    consent: Consent | None = None
    new_number: bool = False
    """Whether the person gets a personal number that is chosen here."""
    number: str | None = None
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of an applicant. `already`: the person was enrolled before, and nothing was changed. `unusable`: how
    many references of the gallery are of other networks."""

    subject: Subject
    already: bool = False
    unusable: int = 0


Erasure = Callable[[Gallery, Sequence[str], AuditReason], list[Certificate]]
"""Erases subjects of a gallery, for a reason."""


class Register(Protocol):
    """Who is enrolled. Methods raise GalleryError; those that change something then change nothing."""

    def everybody(self) -> list[Listed]:
        """All subjects, in the order of enrolment."""

    def find(self, text: str) -> Subject:
        """The subject of this id, exact name or beginning of an id."""

    def set_disabled(self, subject_id: str, disabled: bool) -> Subject:
        """Shuts a subject out, or lets it in again. Returns it as it is then."""

    def set_badge(self, subject_id: str, badge: int | None) -> Subject:
        """Sets or removes the number by which a panel knows a subject. Returns the subject as it is then."""

    def set_pin(self, subject_id: str, pin: str | None, duress: str | None = None) -> Subject:
        """Gives a subject a PIN, with a duress PIN if there is one, or takes both away. Returns the subject as it is
        then."""

    def set_number(self, subject_id: str, number: str | None, new: bool = False) -> Subject:
        """Gives a subject a personal number, or takes it away; `new`: one that is chosen here. Returns the subject as
        it is then."""

    def set_code(self, subject_id: str, means: Means, kept: str | None) -> Subject:
        """Gives a subject a QR code or a card, of whose text `kept` is the digest (storage.claims), or takes it away.
        Returns the subject as it is then."""

    def set_need(self, subject_id: str, need: Need, on: bool) -> Subject:
        """Says whether a subject needs that at the door. Returns the subject as it is then."""

    def set_role(self, subject_id: str, role: Role | None) -> Subject:
        """Gives a subject with a PIN a role, or takes it away. Returns the subject as it is then."""

    def issue_pass(
        self, sponsor: str, begins: datetime, ends: datetime, doors: Sequence[str], uses: int
    ) -> tuple[Pass, str]:
        """Makes a visitor pass of an enrolled sponsor. Returns it and the text of its QR code. Raises PassError too."""

    def passes(self) -> list[Issued]:
        """The visitor passes, those that end first before others."""

    def revoke_pass(self, text: str) -> Issued:
        """Makes a visitor pass void, given by its id or the beginning of it."""

    def was_erased(self, text: str) -> bool:
        """Whether this is the id of somebody who was erased. Erasing them again ends what was cut off."""

    def erase(self, subject_id: str, reason: AuditReason) -> Certificate:
        """Erases a subject. `reason`: one of storage.erasure."""

    def erase_all(self, subject_ids: Sequence[str], reason: AuditReason) -> list[Certificate]:
        """Erases several at once: backups of before are replaced once. What is cut off is ended by the next erasure or
        backup."""

    def kept(self, subject: Subject, templates: bool = False) -> Kept:
        """All that is kept about a subject. `templates`: with the templates themselves, which no running kiosk gives
        away."""

    def set_consent(self, subject_id: str, consent: Consent) -> Subject:
        """Records what somebody who is enrolled has agreed to. Returns the subject as it is then."""

    def enrol(self, samples: Sequence[EnrolmentSample], who: Applicant, once: bool = False) -> Enrolled:
        """Enrols a person with the samples that Enroller.best has chosen. `once`: somebody of this name and face who is
        enrolled already stays as enrolled. Raises SampleError, UnsafeError too."""

    def renew(self, samples: Sequence[EnrolmentSample], subject_id: str, consent: Consent | None = None) -> Enrolled:
        """Gives a subject new references, and another consent if there is one. Raises SampleError, UnsafeError too."""


class GalleryRegister:
    """The register of an open gallery, for one thread."""

    def __init__(
        self,
        gallery: Gallery,
        model_id: str | None = None,
        enrolment: Callable[[Gallery], Enrolment] | None = None,
        erasure: Erasure | None = None,
        earlier: Sequence[str] = (),
    ) -> None:
        """`model_id` of the network that runs, if it is known; `earlier`: of those whose references are compared too,
        while the embedder is being changed. Without `enrolment` nobody can be enrolled, without
        `erasure` (storage.erasure.erase) nobody erased."""
        self._erasure = erasure
        self._gallery = gallery
        self._model_id = model_id
        self._earlier = earlier
        self._enrolment = enrolment

    def everybody(self) -> list[Listed]:
        """See Register."""
        everybody = self._gallery.subjects()
        if self._model_id is None:
            return [Listed(subject, None) for subject in everybody]
        usable = set[str]().union(*map(self._gallery.enrolled_with, (self._model_id, *self._earlier)))
        return [Listed(subject, subject.id not in usable) for subject in everybody]

    def find(self, text: str) -> Subject:
        """See Register."""
        return self._gallery.find(text)

    def set_disabled(self, subject_id: str, disabled: bool) -> Subject:
        """See Register."""
        self._gallery.set_disabled(subject_id, disabled)
        return self._gallery.find(subject_id)

    def set_badge(self, subject_id: str, badge: int | None) -> Subject:
        """See Register."""
        self._gallery.set_badge(subject_id, badge)
        return self._gallery.find(subject_id)

    def set_pin(self, subject_id: str, pin: str | None, duress: str | None = None) -> Subject:
        """See Register."""
        pins.set_pin(self._gallery, subject_id, pin, duress)
        return self._gallery.find(subject_id)

    def set_number(self, subject_id: str, number: str | None, new: bool = False) -> Subject:
        """See Register."""
        if new:
            claims.choose_number(self._gallery, subject_id)
        else:
            claims.set_number(self._gallery, subject_id, number)
        return self._gallery.find(subject_id)

    def set_code(self, subject_id: str, means: Means, kept: str | None) -> Subject:
        """See Register."""
        claims.set_code(self._gallery, subject_id, means, kept)
        return self._gallery.find(subject_id)

    def set_need(self, subject_id: str, need: Need, on: bool) -> Subject:
        """See Register."""
        (claims.set_verify if need is Need.VERIFY else claims.set_extended)(self._gallery, subject_id, on)
        return self._gallery.find(subject_id)

    def set_role(self, subject_id: str, role: Role | None) -> Subject:
        """See Register."""
        pins.set_role(self._gallery, subject_id, role)
        return self._gallery.find(subject_id)

    def issue_pass(
        self, sponsor: str, begins: datetime, ends: datetime, doors: Sequence[str], uses: int
    ) -> tuple[Pass, str]:
        """See Register."""
        return Passes(self._gallery).issue(sponsor, begins, ends, doors, uses)

    def passes(self) -> list[Issued]:
        """See Register."""
        return Passes(self._gallery).issued()

    def revoke_pass(self, text: str) -> Issued:
        """See Register."""
        return Passes(self._gallery).revoke(text)

    def was_erased(self, text: str) -> bool:
        """See Register."""
        return text in self._gallery.erased()

    def erase(self, subject_id: str, reason: AuditReason) -> Certificate:
        """See Register."""
        (done,) = self.erase_all([subject_id], reason)
        return done

    def erase_all(self, subject_ids: Sequence[str], reason: AuditReason) -> list[Certificate]:
        """See Register."""
        if self._erasure is None:
            raise GalleryError("nobody can be erased here")
        return self._erasure(self._gallery, subject_ids, reason)

    def kept(self, subject: Subject, templates: bool = False) -> Kept:
        """See Register."""
        return kept_of(self._gallery, self._gallery.find(subject.id), templates)

    def set_consent(self, subject_id: str, consent: Consent) -> Subject:
        """See Register."""
        self._gallery.set_consent(subject_id, consent)
        return self._gallery.find(subject_id)

    def enrol(self, samples: Sequence[EnrolmentSample], who: Applicant, once: bool = False) -> Enrolled:
        """See Register."""
        enrolment = self._enroller()
        if once and (there := enrolment.of_name(who.name)):
            known = enrolment.known(samples, there)
            if known is None:
                raise SampleError("somebody else of this name is enrolled: give one of them a longer name")
            return Enrolled(known, True, self._unusable())
        number = claims.free_number(self._gallery) if who.new_number else who.number
        validity = who.valid_from, who.valid_until
        subject = enrolment.add(samples, who.name, *validity, who.badge, who.consent, number, who.needs)
        return Enrolled(subject, unusable=self._unusable())

    def renew(self, samples: Sequence[EnrolmentSample], subject_id: str, consent: Consent | None = None) -> Enrolled:
        """See Register."""
        subject = self._gallery.find(subject_id)
        self._enroller().renew(samples, subject, consent)
        return Enrolled(subject, unusable=self._unusable())

    def _enroller(self) -> Enrolment:
        if self._enrolment is None:
            raise GalleryError("nobody can be enrolled here: the networks are not loaded")
        return self._enrolment(self._gallery)

    def _unusable(self) -> int:
        if self._model_id is None:
            return 0
        counts = self._gallery.counts()
        return sum(n for model, n in counts.items() if model != self._model_id and model not in self._earlier)
