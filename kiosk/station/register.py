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
from kiosk.domain.errors import GalleryError, SampleError
from kiosk.domain.people import Consent, Subject
from kiosk.domain.rights import Role
from kiosk.station.enrolment import Enrolment, EnrolmentSample
from kiosk.storage import pins
from kiosk.storage.erasure import Certificate
from kiosk.storage.gallery import Gallery


@dataclass(frozen=True, slots=True)
class Listed:
    """A subject in a list. `enrol_again`: it has no reference of the network that runs; None if that is not known."""

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

    def set_pin(self, subject_id: str, pin: str | None) -> Subject:
        """Gives a subject a PIN, or takes it away. Returns the subject as it is then."""

    def set_role(self, subject_id: str, role: Role | None) -> Subject:
        """Gives a subject with a PIN a role, or takes it away. Returns the subject as it is then."""

    def was_erased(self, text: str) -> bool:
        """Whether this is the id of somebody who was erased. Erasing them again ends what was cut off."""

    def erase(self, subject_id: str, reason: AuditReason) -> Certificate:
        """Erases a subject. `reason`: one of storage.erasure."""

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
    ) -> None:
        """`model_id` of the network that runs, if it is known. Without `enrolment` nobody can be enrolled, without
        `erasure` (storage.erasure.erase) nobody erased."""
        self._erasure = erasure
        self._gallery = gallery
        self._model_id = model_id
        self._enrolment = enrolment

    def everybody(self) -> list[Listed]:
        """See Register."""
        everybody = self._gallery.subjects()
        if self._model_id is None:
            return [Listed(subject, None) for subject in everybody]
        usable = self._gallery.enrolled_with(self._model_id)
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

    def set_pin(self, subject_id: str, pin: str | None) -> Subject:
        """See Register."""
        pins.set_pin(self._gallery, subject_id, pin)
        return self._gallery.find(subject_id)

    def set_role(self, subject_id: str, role: Role | None) -> Subject:
        """See Register."""
        pins.set_role(self._gallery, subject_id, role)
        return self._gallery.find(subject_id)

    def was_erased(self, text: str) -> bool:
        """See Register."""
        return text in self._gallery.erased()

    def erase(self, subject_id: str, reason: AuditReason) -> Certificate:
        """See Register."""
        if self._erasure is None:
            raise GalleryError("nobody can be erased here")
        (done,) = self._erasure(self._gallery, [subject_id], reason)
        return done

    def enrol(self, samples: Sequence[EnrolmentSample], who: Applicant, once: bool = False) -> Enrolled:
        """See Register."""
        enrolment = self._enroller()
        if once and (there := enrolment.of_name(who.name)):
            known = enrolment.known(samples, there)
            if known is None:
                raise SampleError("somebody else of this name is enrolled: give one of them a longer name")
            return Enrolled(known, True, self._unusable())
        subject = enrolment.add(samples, who.name, who.valid_from, who.valid_until, who.badge, who.consent)
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
        return 0 if self._model_id is None else self._gallery.unusable(self._model_id)
