"""A command's end of the control socket: the register of the running kiosk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from kiosk.domain.audit import AuditReason
from kiosk.domain.entry import Means
from kiosk.domain.errors import DoorError, GalleryError, NotAllowedError, PassError, SampleError, UnsafeError
from kiosk.domain.ids import is_subject_id
from kiosk.domain.kept import Kept
from kiosk.domain.naming import LONGEST_NAME
from kiosk.domain.passes import Issued, Pass
from kiosk.domain.people import Consent, Need, Subject
from kiosk.domain.rights import Role
from kiosk.ipc.client import Connection
from kiosk.ipc.control_answers import (
    BackedUpMessage,
    CutMessage,
    DoneMessage,
    DroppedMessage,
    EnrolledMessage,
    ErasedMessage,
    FailedMessage,
    IssuedMessage,
    PassesMessage,
    PeopleMessage,
    PersonMessage,
    RevokedMessage,
    StudyMessage,
    WelcomeMessage,
)
from kiosk.ipc.control_messages import (
    BackupRequest,
    BadgeRequest,
    BeginStudyRequest,
    CodeRequest,
    ConsentBody,
    ConsentRequest,
    CutRequest,
    DropRequest,
    EndStudyRequest,
    EnrolRequest,
    EraseRequest,
    FindRequest,
    HelloRequest,
    IssueRequest,
    ListRequest,
    NeedRequest,
    NumberRequest,
    PassesRequest,
    PinRequest,
    RenewRequest,
    RevokeRequest,
    RoleRequest,
    SwitchRequest,
    UnlockRequest,
    WasErasedRequest,
)
from kiosk.ipc.control_rights import ControlRequest, decode_control_answer
from kiosk.ipc.door_messages import Message, encode
from kiosk.ipc.kept_messages import ExportedMessage, ExportRequest, decode_kept
from kiosk.station.enrolment import EnrolmentSample
from kiosk.station.register import Applicant, Enrolled, Listed
from kiosk.station.samples import request_of
from kiosk.station.upkeep import Made
from kiosk.storage.erasure import Certificate
from kiosk.storage.people import checked_number
from kiosk.storage.pins import check_both
from kiosk.system.clock import boottime

T = TypeVar("T", bound=Message)

ANSWER_SECONDS = 20.0
"""Longest wait for an answer: the kiosk may wait for another process's transaction."""

LONG_SECONDS = 600.0
"""Longest wait for what writes a backup, or cuts many records."""

_ERRORS = {"gallery": GalleryError, "sample": SampleError, "unsafe": UnsafeError, "not_allowed": NotAllowedError}


class RemoteRegister:
    """The register of a running kiosk. Implements station.register.Register."""

    def __init__(self, connection: Connection, model_id: str | None = None) -> None:
        """`model_id` of the command's own network, if it has one. Closes the connection. Raises DoorError."""
        self._connection = connection
        self.model_id = model_id
        try:
            welcome = self._ask(HelloRequest(), WelcomeMessage)
        except DoorError:
            connection.close()
            raise
        self.home = Path(welcome.home)
        self.role: Role = welcome.role
        self.locked = welcome.locked

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def unlock(self, passphrase: str) -> None:
        """Gives the passphrase to a kiosk that waits for it. Raises GalleryError if it is wrong."""
        self._ask(UnlockRequest(passphrase=passphrase), DoneMessage)

    def everybody(self) -> list[Listed]:
        """See Register."""
        found: list[Listed] = []
        page = self._ask(ListRequest(), PeopleMessage)
        while True:
            found += [Listed(each.subject.subject(), each.enrol_again) for each in page.people]
            if not page.more:
                return found
            page = self._ask(ListRequest(more=True), PeopleMessage)

    def find(self, text: str) -> Subject:
        """See Register."""
        wanted = text.encode("utf-8", "replace").decode()
        if not 0 < len(wanted) <= LONGEST_NAME:
            raise GalleryError(f"{text}: nobody of this name or id is enrolled: see `kiosk subjects list`")
        return self._person(FindRequest(text=wanted))

    def set_disabled(self, subject_id: str, disabled: bool) -> Subject:
        """See Register."""
        return self._person(SwitchRequest(subject_id=subject_id, disabled=disabled))

    def set_badge(self, subject_id: str, badge: int | None) -> Subject:
        """See Register."""
        return self._person(BadgeRequest(subject_id=subject_id, badge=badge))

    def set_pin(self, subject_id: str, pin: str | None, duress: str | None = None) -> Subject:
        """See Register."""
        check_both(pin, duress)
        return self._person(PinRequest(subject_id=subject_id, pin=pin, duress=duress))

    def set_number(self, subject_id: str, number: str | None, new: bool = False) -> Subject:
        """See Register."""
        return self._person(NumberRequest(subject_id=subject_id, number=checked_number(number), new=new))

    def set_code(self, subject_id: str, means: Means, kept: str | None) -> Subject:
        """See Register."""
        request = CodeRequest.model_validate({"subject_id": subject_id, "means": means.value, "kept": kept})
        return self._person(request)

    def set_need(self, subject_id: str, need: Need, on: bool) -> Subject:
        """See Register."""
        return self._person(NeedRequest(subject_id=subject_id, need=need, on=on))

    def set_role(self, subject_id: str, role: Role | None) -> Subject:
        """See Register."""
        return self._person(RoleRequest(subject_id=subject_id, role=role))

    def issue_pass(
        self, sponsor: str, begins: datetime, ends: datetime, doors: Sequence[str], uses: int
    ) -> tuple[Pass, str]:
        """See Register."""
        asked = {"sponsor": sponsor, "begins": begins, "ends": ends, "doors": tuple(doors), "uses": uses}
        try:
            request = IssueRequest.model_validate(asked)
        except ValidationError as error:
            raise PassError("a pass needs doors by name, a number of uses, a begin and an end") from error
        answer = self._ask(request, IssuedMessage)
        return answer.issued.issued().told, answer.text

    def passes(self) -> list[Issued]:
        """See Register."""
        found: list[Issued] = []
        while True:
            page = self._ask(PassesRequest(after=len(found)), PassesMessage)
            found += [body.issued() for body in page.passes]
            if not (page.more and page.passes):
                return found

    def revoke_pass(self, text: str) -> Issued:
        """See Register."""
        wanted = text.encode("utf-8", "replace").decode()[:LONGEST_NAME] or "-"
        return self._ask(RevokeRequest(text=wanted), RevokedMessage).revoked.issued()

    def was_erased(self, text: str) -> bool:
        """See Register."""
        if not is_subject_id(text):
            return False
        try:
            self._ask(WasErasedRequest(subject_id=text), DoneMessage)
        except NotAllowedError:
            raise
        except GalleryError:
            return False
        return True

    def kept(self, subject: Subject, templates: bool = False) -> Kept:
        """See Register."""
        if templates:
            raise GalleryError("the running kiosk gives no template away: stop it first, or leave --templates out")
        answer = self._ask(ExportRequest(subject_id=subject.id), ExportedMessage, LONG_SECONDS)
        parts = [answer.part]
        while answer.more:
            answer = self._ask(ExportRequest(subject_id=subject.id, more=True), ExportedMessage)
            parts.append(answer.part)
        return decode_kept(b"".join(parts))

    def set_consent(self, subject_id: str, consent: Consent) -> Subject:
        """See Register. The kiosk records who asked, and the alternative that it is configured with."""
        body = ConsentBody(text=consent.text, language=consent.language, alternative=consent.alternative)
        return self._person(ConsentRequest(subject_id=subject_id, consent=body))

    def erase_all(self, subject_ids: Sequence[str], reason: AuditReason) -> list[Certificate]:
        """See Register. All are removed before the first one is asked for its certificate: by then backups are
        replaced, once."""
        removed = [self.erase(one, reason, later=True) for one in subject_ids] if len(subject_ids) > 1 else []
        done = [self.erase(one, reason) for one in subject_ids]
        if not removed:
            return done
        most = max(each.backups for each in done)
        pairs = zip(done, removed, strict=True)
        return [replace(each, references=was.references, backups=most) for each, was in pairs]

    def erase(self, subject_id: str, reason: AuditReason, later: bool = False) -> Certificate:
        """See Register. Waits long: backups are replaced, unless that is done `later`."""
        request = EraseRequest.model_validate({"subject_id": subject_id, "reason": reason, "later": later})
        done = self._ask(request, ErasedMessage, LONG_SECONDS)
        remains = tuple(each.remains() for each in done.remains)
        numbers = done.references, done.backups
        return Certificate(done.subject, done.at, done.reason, *numbers, remains, done.visits)

    def back_up(self) -> Made:
        """See station.upkeep."""
        made = self._ask(BackupRequest(), BackedUpMessage, LONG_SECONDS)
        return Made(Path(made.path), made.off_card)

    def cut(self, dry_run: bool) -> int:
        """See station.upkeep."""
        return self._ask(CutRequest(dry_run=dry_run), CutMessage, LONG_SECONDS).records

    def study(self, request: BeginStudyRequest | EndStudyRequest) -> StudyMessage:
        """Begins or ends a study of visits."""
        return self._ask(request, StudyMessage)

    def drop(self, model_id: str) -> int:
        """See station.upkeep."""
        return self._ask(DropRequest(model_id=model_id), DroppedMessage, LONG_SECONDS).references

    def enrol(self, samples: Sequence[EnrolmentSample], who: Applicant, once: bool = False) -> Enrolled:
        """See Register."""
        self._hand_over(samples)
        request = EnrolRequest(
            model_id=self.model_id or "",
            name=who.name,
            valid_from=who.valid_from,
            valid_until=who.valid_until,
            badge=who.badge,
            consent=ConsentBody.of(who.consent),
            new_number=who.new_number,
            number=who.number,
            needs=who.needs,
            once=once,
        )
        return _enrolled(self._ask(request, EnrolledMessage))

    def renew(self, samples: Sequence[EnrolmentSample], subject_id: str, consent: Consent | None = None) -> Enrolled:
        """See Register."""
        self._hand_over(samples)
        request = RenewRequest(model_id=self.model_id or "", subject_id=subject_id, consent=ConsentBody.of(consent))
        return _enrolled(self._ask(request, EnrolledMessage))

    def _person(self, request: ControlRequest) -> Subject:
        return self._ask(request, PersonMessage).subject.subject()

    def _hand_over(self, samples: Sequence[EnrolmentSample]) -> None:
        for sample in samples:
            self._ask(request_of(sample), DoneMessage)

    def _ask(self, request: ControlRequest, expected: type[T], seconds: float = ANSWER_SECONDS) -> T:
        """The answer. Raises the error that the kiosk names; DoorError when it does not answer, or not as it should."""
        self._connection.send(encode(request))
        packet = self._connection.receive(boottime() + seconds)
        if packet is None:
            raise DoorError("the kiosk does not answer: see its journal, and look whether this was done")
        answer = decode_control_answer(packet)
        if isinstance(answer, FailedMessage):
            raise _ERRORS[answer.error](answer.text)
        if not isinstance(answer, expected):
            raise DoorError(f"the kiosk answers {answer.type!r} to {request.type!r}: both must be of one version")
        return answer


def _enrolled(message: EnrolledMessage) -> Enrolled:
    return Enrolled(message.subject.subject(), message.already, message.unusable)
