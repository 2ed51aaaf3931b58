"""Messages on the kiosk's control socket: one JSON object a packet, at most MAX_PACKET bytes, in both directions.

    client -> kiosk   hello                      -> welcome: whose home this is, and what this user may do
                      unlock (a passphrase)      -> done; only from a kiosk that waits for it
                      list, then list with more  -> people, until one says that there are no more
                      find                       -> person
                      was_erased                 -> done, if it is so
                      switch, badge              -> person, as it is then
                      number, code, need         -> the same
                      pin, role                  -> the same; only for admins
                      issue                      -> issued: a visitor pass, and its text
                      passes                     -> passes, from a place in the list on
                      revoke                     -> revoked
                      erase                      -> erased: the certificate
                      backup                     -> backed_up; only for admins
                      cut                        -> cut; only for admins
                      begin_study, end_study     -> study: until when, or what was erased; only for admins
                      drop                       -> dropped; only for admins
                      sample, up to MOST_SAMPLES -> done; then one of the next two, which takes them
                      enrol, renew               -> enrolled
                      consent                    -> person, as it is then
                      export, then with more     -> exported, in parts; only for admins
    kiosk -> client   these, or failed: nothing was changed, and why

Only who may list people gets names. Templates go to the kiosk, never back. Both sides refuse unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Base64Bytes, Field

from kiosk.domain.badge import LARGEST_BADGE
from kiosk.domain.door.events import DOOR_NAME_PATTERN
from kiosk.domain.ids import SUBJECT_ID_PATTERN
from kiosk.domain.naming import LONGEST_NAME
from kiosk.domain.passes import MOST_DOORS, MOST_USES
from kiosk.domain.people import Consent, Need
from kiosk.domain.rights import Role
from kiosk.ipc.door_messages import Message, Moment

MOST_SAMPLES = 5
"""Most samples of one enrolment."""
LONGEST_TEXT = 500
LONGEST_PASSPHRASE = 200
LARGEST_SAMPLE = 1024
"""Bytes of a sample's vector at most."""

SubjectId = Annotated[str, Field(pattern=SUBJECT_ID_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Badge = Annotated[int, Field(ge=1, le=LARGEST_BADGE)]
DoorName = Annotated[str, Field(pattern=DOOR_NAME_PATTERN)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class HelloRequest(Message):
    """The first request of each client."""

    type: Literal["hello"] = "hello"


class UnlockRequest(Message):
    """Gives the passphrase of the key."""

    type: Literal["unlock"] = "unlock"
    passphrase: Annotated[str, Field(min_length=1, max_length=LONGEST_PASSPHRASE, repr=False)]


class ListRequest(Message):
    """Asks for the first people, or (`more`) for those after the ones that came last."""

    type: Literal["list"] = "list"
    more: bool = False


class WasErasedRequest(Message):
    """Asks whether this subject was erased: done if so, failed if not."""

    type: Literal["was_erased"] = "was_erased"
    subject_id: SubjectId


class FindRequest(Message):
    """Asks for a subject by id, name or the beginning of its id."""

    type: Literal["find"] = "find"
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class SwitchRequest(Message):
    """Shuts somebody out, or lets them in again."""

    type: Literal["switch"] = "switch"
    subject_id: SubjectId
    disabled: bool


class BadgeRequest(Message):
    """Sets a badge number; None removes it."""

    type: Literal["badge"] = "badge"
    subject_id: SubjectId
    badge: Badge | None = Field(repr=False)


class PinRequest(Message):
    """Gives a subject a PIN, and a duress PIN if there is one; None takes both away."""

    type: Literal["pin"] = "pin"
    subject_id: SubjectId
    pin: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")] | None = Field(repr=False)
    duress: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")] | None = Field(default=None, repr=False)


class NumberRequest(Message):
    """Gives a subject a personal number; None takes it away. `new`: the kiosk chooses one."""

    type: Literal["number"] = "number"
    subject_id: SubjectId
    number: Annotated[str, Field(pattern=r"^[0-9]{1,8}$")] | None = Field(default=None, repr=False)
    new: bool = False


class CodeRequest(Message):
    """Gives a subject a QR code or a card, of whose text `kept` is SHA-256; None takes it away."""

    type: Literal["code"] = "code"
    subject_id: SubjectId
    means: Literal["qr", "card"]
    kept: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(repr=False)


class NeedRequest(Message):
    """Says whether a subject needs that at the door."""

    type: Literal["need"] = "need"
    subject_id: SubjectId
    need: Need
    on: bool


class IssueRequest(Message):
    """Makes a visitor pass."""

    type: Literal["issue"] = "issue"
    sponsor: SubjectId
    begins: Moment
    ends: Moment
    doors: Annotated[tuple[DoorName, ...], Field(max_length=MOST_DOORS)]
    uses: Annotated[int, Field(ge=1, le=MOST_USES)]


class PassesRequest(Message):
    """Asks for visitor passes, those after the first `after` ones."""

    type: Literal["passes"] = "passes"
    after: Annotated[int, Field(ge=0, le=100_000)] = 0


class RevokeRequest(Message):
    """Makes a visitor pass void, given by its id or the beginning of it."""

    type: Literal["revoke"] = "revoke"
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class RoleRequest(Message):
    """Gives a subject a role; None takes it away."""

    type: Literal["role"] = "role"
    subject_id: SubjectId
    role: Role | None


class EraseRequest(Message):
    """Erases a subject. `later`: further ones follow; only the last one's erasure replaces backups."""

    type: Literal["erase"] = "erase"
    subject_id: SubjectId
    reason: Literal["asked", "withdrawn", "expired"]
    later: bool = False


class BackupRequest(Message):
    """Makes a backup in the folder of [backup], as the kiosk's own configuration says."""

    type: Literal["backup"] = "backup"


class CutRequest(Message):
    """Cuts the records of the log that are older than [retention] of the kiosk's own configuration says. `dry_run`:
    only counts them."""

    type: Literal["cut"] = "cut"
    dry_run: bool


class BeginStudyRequest(Message):
    """Keeps templates of visits for so many days, of who has agreed to this text; None: everybody was told."""

    type: Literal["begin_study"] = "begin_study"
    days: Annotated[int, Field(ge=1, le=90)]
    text: Annotated[str, Field(min_length=1, max_length=40)] | None


class EndStudyRequest(Message):
    """Erases all visits that are kept, and keeps no more."""

    type: Literal["end_study"] = "end_study"


class DropRequest(Message):
    """Erases the references of a network that is not used any more, of everybody."""

    type: Literal["drop"] = "drop"
    model_id: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class SampleRequest(Message):
    """One sample of a person who is to be enrolled. `picture` is only for messages. `earlier`: its vector by the
    embedder of before, while it is being changed."""

    type: Literal["sample"] = "sample"
    picture: Text
    vector: Annotated[Base64Bytes, Field(max_length=LARGEST_SAMPLE, repr=False)]
    quality: Annotated[float, Field(ge=0, le=1)]
    earlier: Annotated[Base64Bytes, Field(max_length=LARGEST_SAMPLE)] | None = Field(default=None, repr=False)


class ConsentBody(Message):
    """What a person has agreed to. When, and before whom, the kiosk itself says."""

    text: Annotated[str, Field(min_length=1, max_length=40)]
    language: Annotated[str, Field(pattern="^[a-z]{2}$")]
    alternative: Annotated[str, Field(min_length=1, max_length=200)]

    @classmethod
    def of(cls, consent: Consent | None) -> Self | None:
        """The message for a consent."""
        if consent is None:
            return None
        return cls(text=consent.text, language=consent.language, alternative=consent.alternative)


class EnrolRequest(Message):
    """Enrols a person with the samples that were sent before. `once`: see station.register."""

    type: Literal["enrol"] = "enrol"
    model_id: Text
    name: Annotated[Name, Field(repr=False)]
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    badge: Badge | None = Field(default=None, repr=False)
    consent: ConsentBody | None = None
    new_number: bool = False
    number: Annotated[str, Field(pattern=r"^[0-9]{4,8}$")] | None = Field(default=None, repr=False)
    needs: Annotated[tuple[Need, ...], Field(max_length=2)] = ()
    once: bool = False


class RenewRequest(Message):
    """Gives a subject the samples that were sent before in place of its references."""

    type: Literal["renew"] = "renew"
    model_id: Text
    subject_id: SubjectId
    consent: ConsentBody | None = None


class ConsentRequest(Message):
    """Records that somebody who is enrolled has agreed to a text."""

    type: Literal["consent"] = "consent"
    subject_id: SubjectId
    consent: ConsentBody
