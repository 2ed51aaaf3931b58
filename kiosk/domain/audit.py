"""One line of the audit log."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from kiosk.domain.decision import Outcome, Reason
from kiosk.domain.door.events import DoorEventKind, SecuredBy
from kiosk.domain.door.grants import DoorResult, Span
from kiosk.domain.door.state import Alarm, DoorFault, DoorState


class AuditKind(StrEnum):
    """The kind of an audit record. The values are stored in databases: never change one."""

    DECISION = "decision"
    OUTCOME = "outcome"
    """The result of a grant."""
    DOOR = "door"
    """Any other event of the door."""
    COMMAND = "command"
    """A user operated the door by hand."""
    CLOCK = "clock"
    """A person confirmed that the clock is right."""
    ATTEMPTS = "attempts"
    """Face alone was turned off or on, or its count was reset."""
    FAULT = "fault"
    ENROLMENT = "enrolment"
    SUBJECT = "subject"
    """A subject was changed or removed."""
    KEY = "key"
    """The gallery's master key was changed, or a recovery passphrase was made."""
    BACKUP = "backup"
    """A backup was made or has left, or the gallery was restored from one."""
    START = "start"
    STOP = "stop"
    CHAIN = "chain"
    """The log itself: its chain was begun, its signing key made, its oldest records cut."""
    CHECKPOINT = "checkpoint"
    """A domain.checkpoint.Checkpoint in `detail`."""
    VISIT = "visit"
    """A visitor pass, by its id in `detail`; `subject_id` is its sponsor."""
    STAFF = "staff"
    """A member of staff used the kiosk's screen, or should look at something there."""
    DURESS = "duress"
    """The grant's PIN was the duress PIN. No list shows it that does not ask for this kind; an export does."""

    STUDY = "study"
    """Templates of visits are kept from now on (storage.visits), or were erased."""


class AuditOutcome(StrEnum):
    """What was done, in records that are not of a decision or of the door. The values are stored in databases: never
    change one."""

    UNKNOWN = "unknown"
    """OUTCOME: of a grant for which no other outcome was recorded."""
    PAIRED = "paired"
    """COMMAND: a panel has set its key."""
    ACCEPTED = "accepted"
    """CLOCK."""
    ENROLLED = "enrolled"
    ENROLLED_AGAIN = "enrolled_again"
    ENABLED = "enabled"
    DISABLED = "disabled"
    VALIDITY_CHANGED = "validity_changed"
    BADGE_SET = "badge_set"
    BADGE_CLEARED = "badge_cleared"
    PIN_SET = "pin_set"
    PIN_CLEARED = "pin_cleared"
    ROLE_SET = "role_set"
    ROLE_CLEARED = "role_cleared"
    REMOVED = "removed"
    KEY_CHANGED = "key_changed"
    SEALED_ANEW = "everything_sealed_anew"
    RECOVERY_MADE = "recovery_passphrase_made"
    SEALED_BY_PHRASE = "passphrase_chosen"
    BACKUP_MADE = "made"
    BACKUP_EXPORTED = "exported"
    RESTORED = "restored"
    CHAIN_BEGUN = "begun"
    """CHAIN: the first record of a chain after older records."""
    CHAIN_CUT = "cut"
    SIGNING_KEY_MADE = "key_made"
    SIGNING_KEY_REPLACED = "key_replaced"
    CONSENT_RECORDED = "consent_recorded"
    TEMPLATES_RENEWED = "templates_renewed"
    NUMBER_SET = "number_set"
    NUMBER_CLEARED = "number_cleared"
    QR_SET = "qr_set"
    QR_CLEARED = "qr_cleared"
    CARD_SET = "card_set"
    CARD_CLEARED = "card_cleared"
    VERIFY_ON = "verify_on"
    VERIFY_OFF = "verify_off"
    EXTENDED_ON = "extended_on"
    EXTENDED_OFF = "extended_off"
    ISSUED = "issued"
    REVOKED = "revoked"
    USED = "used"
    SIGNED_IN = "signed_in"
    """STAFF, by number, PIN and face."""
    SIGN_IN_FAILED = "sign_in_failed"
    """STAFF: the reason says what was wrong: the PIN, the role, the face, or that this person may not pass now."""
    SIGNED_OUT = "signed_out"
    NOT_ENROLLED = "not_enrolled"
    """ENROLMENT at the kiosk, which ended with nothing written; the reason says why."""
    NOT_ME = "not_me"
    """SUBJECT: somebody said that they are not this person, for whom a decision took them; `event` names its record."""
    FACE_STAYS = "face_stays"
    """STAFF: a face that never leaves is in view (a poster), and is left out."""
    FACE_GONE = "face_gone"
    OTHER_LIGHT = "other_light"
    """STAFF: somebody was let in who has references of other light only. Once for each person."""
    REFERENCES_ADDED = "references_added"
    """ENROLMENT: pictures in other light, beside those that there were; or, while the embedder is being changed, of a
    good visit (`source` is then "renewed")."""
    REFERENCES_ERASED = "references_erased"
    """ENROLMENT: all references of the network `from`, of everybody."""
    NETWORK_SWITCHED = "network_switched"
    """ENROLMENT: the embedder in the configuration was changed, `from` one `to` another."""
    NETWORK_BACK = "network_back"
    NETWORK_FINISHED = "network_finished"
    STUDY_BEGUN = "study_begun"
    STUDY_ENDED = "study_ended"
    """STUDY: all that was kept is erased; the reason says whether somebody asked, or its time was over."""


class AuditReason(StrEnum):
    """Why, in records whose reason is no other enum's. The values are stored in databases: never change one."""

    RESTARTED = "kiosk_restarted"
    """OUTCOME: the kiosk ended before it recorded the door's answer."""
    RESET = "reset"
    """ATTEMPTS: earlier refusals no longer count, because a person reset them."""
    FACE_OFF = "face_off"
    FACE_ON = "face_on"
    ASKED = "asked"
    """SUBJECT, of a removed one: the admin or the person asked for it."""
    WITHDRAWN = "withdrawn"
    """The same: consent was withdrawn."""
    EXPIRED = "expired"
    """The same: the validity ended long ago."""
    RECORDS_DROPPED = "records_dropped"
    """FAULT: the log could not be written for long, and there were too many records to keep."""
    UNEXPLAINED = "release_without_decision"
    """FAULT: the door was released on a grant that no record explains."""
    LOOKS_LIKE_ANOTHER = "looks_like_another"
    """ENROLMENT, not made: the pictures match somebody enrolled, or not the person whose they should be."""
    NOT_AGREED = "not_agreed"
    """The same: the person did not agree to the text."""
    NOT_RECOGNISED = "not_recognised"
    """The same, or a sign-in: the camera did not recognise the person by the pictures."""
    ATTACK = "presentation_attack"
    """The same: PAD has denied what the camera saw."""
    BROKEN_OFF = "broken_off"
    """The same: staff or the person left, or the camera failed."""
    NO_ROLE = "no_role"
    """A sign-in: somebody with the right PIN who is not of the staff."""
    TEMPLATES = "of_another_network"
    """A sign-in: no reference of this person can be compared."""
    VISITS_NOT_KEPT = "visits_not_kept"
    """FAULT: a visit could not be kept for the study. Told once; nobody waited for it."""
    RENEWAL_FAILED = "renewal_failed"
    """FAULT: somebody who was let in could not be renewed while the embedder is being changed."""


class Command(StrEnum):
    """What a user did at the door by hand: the reason of a COMMAND. The values are stored in databases: never change
    one."""

    STATUS = "status"
    MONITOR = "monitor"
    RELEASE = "release"
    EXTEND = "extend"
    HOLD_OPEN = "hold_open"
    SECURE = "secure"
    LOCKDOWN = "lockdown"
    LOCKDOWN_END = "lockdown_end"
    PAIR = "pair"
    FORGET_GALLERY = "forget_gallery"
    SIMULATE_OPEN = "simulate_open"
    SIMULATE_CLOSE = "simulate_close"
    SIMULATE_REX = "simulate_rex"
    SIMULATE_TAMPER = "simulate_tamper"
    SIMULATE_RESTORE = "simulate_restore"


FreeText = NewType("FreeText", str)
"""Text that is of none of these enums: a sentence of the door's answer, or what an older or newer version wrote into
the log. What is read back is always FreeText."""

OutcomeWord = AuditOutcome | Outcome | DoorResult | DoorEventKind | DoorState | FreeText
ReasonWord = AuditReason | Command | Reason | Span | SecuredBy | Alarm | DoorFault | FreeText


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit log. `id` is its position in the log. A record that is appended twice with the same
    `record_id` is stored once.

    The log itself sets `id`, `hash` (domain.chain, hexadecimal), and when it was written: `boot_at` in seconds of
    CLOCK_BOOTTIME of the start of the machine that `boot` names. `wall_at` is when it happened. Records from before the
    chain have neither hash nor boot.
    """

    kind: AuditKind
    wall_at: datetime
    grant_id: str | None = None
    subject_id: str | None = None
    outcome: OutcomeWord | None = None
    reason: ReasonWord | None = None
    detail: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    id: int | None = None
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
    boot: str | None = field(default=None, compare=False)
    boot_at: float | None = field(default=None, compare=False)
    hash: str | None = field(default=None, compare=False)
