"""The requests and answers on the kiosk's control socket together: which right each needs, and how one is read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from kiosk.domain.rights import Right
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
    SampleRequest,
    SwitchRequest,
    UnlockRequest,
    WasErasedRequest,
)
from kiosk.ipc.door_messages import Message, decode
from kiosk.ipc.kept_messages import ExportedMessage, ExportRequest

ControlRequest = (
    HelloRequest
    | UnlockRequest
    | ListRequest
    | FindRequest
    | WasErasedRequest
    | SwitchRequest
    | BadgeRequest
    | PinRequest
    | RoleRequest
    | NumberRequest
    | CodeRequest
    | NeedRequest
    | IssueRequest
    | PassesRequest
    | RevokeRequest
    | EraseRequest
    | BackupRequest
    | CutRequest
    | BeginStudyRequest
    | EndStudyRequest
    | DropRequest
    | SampleRequest
    | EnrolRequest
    | RenewRequest
    | ConsentRequest
    | ExportRequest
)

_REQUESTS: TypeAdapter[ControlRequest] = TypeAdapter(Annotated[ControlRequest, Field(discriminator="type")])

_RIGHTS: dict[type[Message], Right] = {
    UnlockRequest: Right.UNLOCK,
    ListRequest: Right.LIST,
    FindRequest: Right.LIST,
    WasErasedRequest: Right.LIST,
    SwitchRequest: Right.SWITCH,
    BadgeRequest: Right.BADGE,
    PinRequest: Right.APPOINT,
    RoleRequest: Right.APPOINT,
    NumberRequest: Right.WAYS,
    CodeRequest: Right.WAYS,
    NeedRequest: Right.WAYS,
    IssueRequest: Right.VISIT,
    PassesRequest: Right.VISIT,
    RevokeRequest: Right.VISIT,
    EraseRequest: Right.ERASE,
    BackupRequest: Right.KEEP,
    CutRequest: Right.KEEP,
    BeginStudyRequest: Right.STUDY,
    EndStudyRequest: Right.STUDY,
    DropRequest: Right.KEEP,
    SampleRequest: Right.ENROL,
    EnrolRequest: Right.ENROL,
    RenewRequest: Right.RENEW,
    ConsentRequest: Right.RENEW,
    ExportRequest: Right.EXPORT,
}


def right_of(request: ControlRequest) -> Right | None:
    """The right that a request needs; None for the greeting."""
    return None if isinstance(request, HelloRequest) else _RIGHTS[type(request)]


def decode_control_request(packet: bytes) -> ControlRequest:
    """The request in a packet. Raises DoorError, which says what is wrong."""
    return decode(_REQUESTS, packet)


ControlAnswer = (
    WelcomeMessage
    | ExportedMessage
    | PeopleMessage
    | PersonMessage
    | EnrolledMessage
    | ErasedMessage
    | BackedUpMessage
    | CutMessage
    | StudyMessage
    | DroppedMessage
    | IssuedMessage
    | PassesMessage
    | RevokedMessage
    | DoneMessage
    | FailedMessage
)

_ANSWERS: TypeAdapter[ControlAnswer] = TypeAdapter(Annotated[ControlAnswer, Field(discriminator="type")])


def decode_control_answer(packet: bytes) -> ControlAnswer:
    """The answer in a packet. Raises DoorError, which says what is wrong."""
    return decode(_ANSWERS, packet)
