"""Answers at the control socket with the register of the running kiosk (station.register)."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from kiosk.domain.audit import AuditReason
from kiosk.domain.entry import Means
from kiosk.domain.errors import GalleryError, SampleError
from kiosk.domain.passes import Issued
from kiosk.domain.people import Consent, Subject
from kiosk.ipc.control_answers import (
    BackedUpMessage,
    CutMessage,
    DoneMessage,
    DroppedMessage,
    EnrolledMessage,
    ErasedMessage,
    IssuedMessage,
    ListedBody,
    PassBody,
    PassesMessage,
    PeopleMessage,
    PersonMessage,
    RemainsBody,
    RevokedMessage,
    SubjectBody,
)
from kiosk.ipc.control_messages import (
    MOST_SAMPLES,
    BackupRequest,
    BadgeRequest,
    CodeRequest,
    ConsentBody,
    ConsentRequest,
    CutRequest,
    DropRequest,
    EnrolRequest,
    EraseRequest,
    FindRequest,
    IssueRequest,
    ListRequest,
    NeedRequest,
    NumberRequest,
    PassesRequest,
    PinRequest,
    RenewRequest,
    RevokeRequest,
    RoleRequest,
    SampleRequest,
    SwitchRequest,
    WasErasedRequest,
)
from kiosk.ipc.control_rights import ControlAnswer, ControlRequest
from kiosk.ipc.door_messages import MAX_PACKET
from kiosk.ipc.kept_messages import PART, ExportedMessage, ExportRequest, KeptBody
from kiosk.station.enrolment import Enrolment, EnrolmentSample
from kiosk.station.register import Applicant, Enrolled, Erasure, GalleryRegister, Listed
from kiosk.station.samples import sample_of
from kiosk.station.upkeep import Upkeep
from kiosk.storage.erasure import Certificate
from kiosk.storage.gallery import Gallery
from kiosk.system.users import named

ROOM = 200
"""Bytes of a packet of people that are kept free for what is around them."""
PASSES = 5
"""Visitor passes of one packet: with the longest names of doors they fit."""

CHANGES = (
    SwitchRequest,
    BadgeRequest,
    NumberRequest,
    CodeRequest,
    NeedRequest,
    EraseRequest,
    RenewRequest,
    ConsentRequest,
)
"""Requests that change the person whom they name, and that others than admins may make."""


class RegisterDesk:
    """Answers for the register of the running kiosk. `gallery` is this desk's alone."""

    locked = False

    def __init__(
        self,
        gallery: Gallery,
        compared: tuple[str, ...],
        enrolment: Callable[[Gallery], Enrolment],
        erasure: Erasure,
        upkeep: Upkeep,
        consent: bool = False,
    ) -> None:
        """`compared`: the model_ids whose references are compared, that of the embedder first. `consent`: whether
        nobody may be enrolled without one ([consent] required)."""
        self._consent = consent
        self._upkeep = upkeep
        self._gallery = gallery
        self._model_id = compared[0]
        self._register = GalleryRegister(gallery, compared[0], enrolment, erasure, compared[1:])
        self._samples: dict[int, list[EnrolmentSample]] = {}
        self._lists: dict[int, deque[Listed]] = {}
        self._exports: dict[int, tuple[str, bytes]] = {}
        """Of whom, and what is still to be sent, by client."""

    def forget(self, client: int) -> None:
        """See Desk."""
        self._samples.pop(client, None)
        self._lists.pop(client, None)
        self._exports.pop(client, None)

    def of_somebody_with_a_role(self, request: ControlRequest) -> bool:
        """See Desk."""
        if not isinstance(request, CHANGES):
            return False
        subject = self._gallery.subject(request.subject_id)
        return subject is not None and subject.role is not None

    def answer(self, client: int, uid: int, request: ControlRequest) -> ControlAnswer:
        """See Desk."""
        self._gallery.by = f"uid {uid}"
        match request:
            case ListRequest() | ExportRequest():
                return self._page(client, request)
            case WasErasedRequest():
                if self._register.was_erased(request.subject_id):
                    return DoneMessage()
                raise GalleryError(f"{request.subject_id}: nobody of this id was erased")
            case EraseRequest() | BackupRequest() | CutRequest() | DropRequest():
                return self._keep_up(request)
            case SampleRequest():
                return self._keep(client, request)
            case EnrolRequest():
                agreed = self._agreed(request.consent, uid)
                ways = request.new_number, request.number, request.needs
                who = Applicant(request.name, request.valid_from, request.valid_until, request.badge, agreed, *ways)
                return _enrolled(self._register.enrol(self._taken(client, request.model_id), who, request.once))
            case RenewRequest():
                samples, agreed = self._taken(client, request.model_id), self._agreed(request.consent, uid)
                return _enrolled(self._register.renew(samples, request.subject_id, agreed))
            case ConsentRequest():
                consent = self._consent_of(request.consent, uid)
                return PersonMessage(subject=SubjectBody.of(self._register.set_consent(request.subject_id, consent)))
            case IssueRequest() | PassesRequest() | RevokeRequest():
                return self._pass(request)
            case _:
                return PersonMessage(subject=SubjectBody.of(self._one(request)))

    def _erase(self, subject_id: str, reason: AuditReason, later: bool) -> Certificate:
        """`later`: only removed now; the last one's erasure replaces the backups."""
        if not later:
            return self._register.erase(subject_id, reason)
        record = self._gallery.record(subject_id)
        if subject_id not in self._gallery.erased():  # else somebody else was quicker
            self._gallery.remove(subject_id, reason)
        there = 0 if record is None else len(record.references)
        return Certificate(subject_id, self._gallery.erased()[subject_id], reason, there, 0, ())

    def _keep_up(self, request: EraseRequest | BackupRequest | CutRequest | DropRequest) -> ControlAnswer:
        if isinstance(request, EraseRequest):
            return _erased(self._erase(request.subject_id, AuditReason(request.reason), request.later))
        if isinstance(request, CutRequest):
            return CutMessage(records=self._upkeep.cut(request.dry_run))
        if isinstance(request, DropRequest):
            if request.model_id == self._model_id:
                raise GalleryError(f"{request.model_id} is the network that the kiosk runs: its references stay")
            return DroppedMessage(references=self._upkeep.drop(request.model_id))
        made = self._upkeep.back_up()
        return BackedUpMessage(path=str(made.path), off_card=made.off_card)

    def _pass(self, request: IssueRequest | PassesRequest | RevokeRequest) -> ControlAnswer:
        match request:
            case IssueRequest(sponsor=sponsor, begins=begins, ends=ends, doors=doors, uses=uses):
                told, text = self._register.issue_pass(sponsor, begins, ends, doors, uses)
                return IssuedMessage(issued=PassBody.of(Issued(told, {})), text=text)
            case RevokeRequest():
                return RevokedMessage(revoked=PassBody.of(self._register.revoke_pass(request.text)))
            case PassesRequest(after=after):
                found = self._register.passes()[after:]
                page = tuple(PassBody.of(issued) for issued in found[:PASSES])
                return PassesMessage(passes=page, more=len(found) > len(page))

    def _one(self, request: ControlRequest) -> Subject:
        """The subject that a request finds or changes, as it is then."""
        match request:
            case FindRequest():
                return self._register.find(request.text)
            case SwitchRequest():
                return self._register.set_disabled(request.subject_id, request.disabled)
            case BadgeRequest():
                return self._register.set_badge(request.subject_id, request.badge)
            case PinRequest():
                return self._register.set_pin(request.subject_id, request.pin, request.duress)
            case NumberRequest():
                return self._register.set_number(request.subject_id, request.number, request.new)
            case CodeRequest():
                return self._register.set_code(request.subject_id, Means(request.means), request.kept)
            case NeedRequest():
                return self._register.set_need(request.subject_id, request.need, request.on)
            case RoleRequest():
                return self._register.set_role(request.subject_id, request.role)
            case _:
                raise GalleryError("the kiosk is not locked")

    def _agreed(self, body: ConsentBody | None, uid: int) -> Consent | None:
        """What a person who is enrolled has agreed to. Raises GalleryError."""
        if body is not None:
            return self._consent_of(body, uid)
        if self._consent:
            raise GalleryError("[consent] required: say which text the person has agreed to: --consent")
        return None

    def _consent_of(self, body: ConsentBody, uid: int) -> Consent:
        """A name in a message proves nothing: who records it is whom the kernel names."""
        return Consent(body.text, body.language, datetime.now(UTC), named(uid), body.alternative)

    def _export(self, client: int, request: ExportRequest) -> ExportedMessage:
        whose, left = self._exports.pop(client, ("", b""))
        if not request.more:
            whose = request.subject_id
            kept = self._register.kept(self._gallery.find(whose))
            left = KeptBody.of(kept).model_dump_json().encode()
        if whose != request.subject_id:
            raise GalleryError("there is nothing more to be told of this subject")
        part, left = left[:PART], left[PART:]
        if left:
            self._exports[client] = whose, left
        return ExportedMessage(part=base64.b64encode(part), more=bool(left))

    def _page(self, client: int, request: ListRequest | ExportRequest) -> PeopleMessage | ExportedMessage:
        """As much as fits into one packet."""
        if isinstance(request, ExportRequest):
            return self._export(client, request)
        if not request.more:
            self._lists[client] = deque(self._register.everybody())
        waiting = self._lists.get(client, deque())
        page: list[ListedBody] = []
        room = MAX_PACKET - ROOM
        while waiting:
            body = ListedBody(subject=SubjectBody.of(waiting[0].subject), enrol_again=waiting[0].enrol_again)
            room -= len(body.model_dump_json().encode()) + 1
            if room < 0:
                break
            page.append(body)
            waiting.popleft()
        if not waiting:
            self._lists.pop(client, None)
        return PeopleMessage(people=tuple(page), more=bool(waiting))

    def _keep(self, client: int, request: SampleRequest) -> DoneMessage:
        samples = self._samples.setdefault(client, [])
        if len(samples) >= MOST_SAMPLES:
            raise SampleError(f"more than {MOST_SAMPLES} samples of one person")
        samples.append(sample_of(request))
        return DoneMessage()

    def _taken(self, client: int, model_id: str) -> list[EnrolmentSample]:
        """The samples of this client, which are used up. Raises GalleryError when they are of another network."""
        samples = self._samples.pop(client, [])
        if model_id != self._model_id:
            raise GalleryError(
                "the kiosk runs another network than this command: give both the same configuration, and restart the "
                "kiosk after a change of [models]"
            )
        if not samples:
            raise GalleryError("no samples came before")
        return samples


def _enrolled(result: Enrolled) -> EnrolledMessage:
    return EnrolledMessage(subject=SubjectBody.of(result.subject), already=result.already, unusable=result.unusable)


def _erased(done: Certificate) -> ErasedMessage:
    return ErasedMessage(
        subject=done.subject,
        at=done.at,
        reason=done.reason,
        references=done.references,
        backups=done.backups,
        visits=done.visits,
        remains=tuple(map(RemainsBody.of, done.remains)),
    )
