"""Visitor passes: what a pass says, the text that its QR code holds, and whether it lets somebody in.

The text is "KP1" and base32 (RFC 4648, without padding) of these bytes, signed with Ed25519:

    bytes   what
    8       id
    4, 4    from and until, in minutes since 1970, big-endian
    1       uses at each door
    1, n    the sponsor's id after its length
    m       the doors' names, with commas between them
    64      signature of all before it, after PURPOSE

Capital letters and digits are what a QR code holds most densely: 200 of them with error correction M are version 8.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from kiosk.domain.decision import Reason
from kiosk.domain.door.events import DOOR_NAME_PATTERN
from kiosk.domain.entry import LONGEST_CLAIM
from kiosk.domain.errors import PassError
from kiosk.domain.ids import is_subject_id
from kiosk.domain.people import Subject
from kiosk.domain.policy import entitlement

MARK = "KP1"
PURPOSE = b"kiosk visitor pass 1\0"
SIGNATURE_BYTES = 64
MOST_USES = 100
MOST_DOORS = 8
LONGEST = timedelta(days=366)
"""Longest time from the beginning to the end of a pass."""
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_HEAD = struct.Struct(">8sIIBB")
_ID = re.compile(r"[0-9a-f]{16}")
_DOOR = re.compile(DOOR_NAME_PATTERN.strip("^$"))
_CODED = re.compile(r"[A-Z2-7]+")


class PassWord(StrEnum):
    """What is said of a pass."""

    GOOD = "good"
    """Its use was counted."""
    FORGED = "forged"
    """No pass, or one that was not signed here."""
    UNKNOWN = "unknown"
    """Signed here, but no longer known: of before a restore, of an erased sponsor, or ended long ago."""
    REVOKED = "revoked"
    SPONSOR = "sponsor"
    """Its sponsor may not pass now."""
    CLOCK = "clock"
    """The time is not known."""
    NOT_BEGUN = "not_begun"
    ENDED = "ended"
    OTHER_DOOR = "other_door"
    USED_UP = "used_up"
    AGAIN = "again"
    """It was let in a moment ago, and is probably still held before the camera. Nothing was counted."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Whom a sponsor lets in, when, where and how often. Raises PassError for a pass that cannot be."""

    id: str
    """16 hexadecimal digits."""
    sponsor: str
    """The id of the subject who answers for the visitor."""
    begins: datetime
    ends: datetime
    """UTC, whole minutes."""
    doors: tuple[str, ...]
    uses: int
    """At each door, 1 to MOST_USES."""

    def __post_init__(self) -> None:
        if not (_ID.fullmatch(self.id) and is_subject_id(self.sponsor)):
            raise PassError("a pass needs an id and a sponsor")
        if not 1 <= self.uses <= MOST_USES:
            raise PassError(f"a pass is good for 1 to {MOST_USES} uses at each door")
        if not (1 <= len(self.doors) <= MOST_DOORS and len(set(self.doors)) == len(self.doors)):
            raise PassError(f"a pass names 1 to {MOST_DOORS} doors, each once")
        if not all(_DOOR.fullmatch(door) for door in self.doors):
            raise PassError("a door's name is small letters, digits and hyphens, at most 32, as [door] name has it")
        for moment in (self.begins, self.ends):
            if moment.tzinfo is not UTC or moment.second or moment.microsecond or not 1970 <= moment.year < LATEST.year:
                raise PassError(f"a pass begins and ends with a minute before {LATEST.year}")
        if not timedelta() < self.ends - self.begins <= LONGEST:
            raise PassError(f"a pass ends after it begins, and within {LONGEST.days} days")
        if len(self._body()) + SIGNATURE_BYTES > (LONGEST_CLAIM - len(MARK)) * 5 // 8:
            raise PassError("these doors' names do not fit into a pass: make one for each door")

    def signed_bytes(self) -> bytes:
        """What is signed."""
        return PURPOSE + self._body()

    def text(self, signature: bytes) -> str:
        """The pass as its QR code holds it."""
        return MARK + base64.b32encode(self._body() + signature).decode().rstrip("=")

    def _body(self) -> bytes:
        sponsor = bytes.fromhex(self.sponsor)
        times = (int(moment.timestamp()) // 60 for moment in (self.begins, self.ends))
        head = _HEAD.pack(bytes.fromhex(self.id), *times, self.uses, len(sponsor))
        return head + sponsor + ",".join(self.doors).encode()


@dataclass(frozen=True, slots=True)
class Issued:
    """A pass that was issued here, how often it was used at each door, and when it was revoked."""

    told: Pass
    used: Mapping[str, int]
    revoked: datetime | None = None


def read(text: str) -> tuple[Pass, bytes]:
    """The pass in a text, and its signature, which nobody has checked yet. There is one text for each pass. Raises
    PassError for any other text."""
    if not (len(text) <= LONGEST_CLAIM and text.startswith(MARK) and _CODED.fullmatch(coded := text[len(MARK) :])):
        raise PassError("this is no visitor pass")
    try:
        data = base64.b32decode(coded + "=" * (-len(coded) % 8))
        body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
        number, begins, ends, uses, length = _HEAD.unpack_from(body)
        sponsor, doors = body[_HEAD.size :][:length], body[_HEAD.size + length :].decode("ascii").split(",")
    except (binascii.Error, struct.error, UnicodeDecodeError) as error:
        raise PassError("this visitor pass is damaged") from error
    found = Pass(number.hex(), sponsor.hex(), _moment(begins), _moment(ends), tuple(doors), uses)
    if found.text(signature) != text:
        raise PassError("this visitor pass is damaged")
    return found, signature


def is_pass(text: str) -> bool:
    """Whether a text has the form of a visitor pass. Its signature is not checked."""
    try:
        read(text)
    except PassError:
        return False
    return True


def judged(issued: Issued, door: str, now: datetime | None, sponsor: Subject | None) -> PassWord:
    """Whether a pass that was signed here is good now. `now`: None where the clock is not trusted. `sponsor`: the
    subject as enrolled now."""
    told = issued.told
    if issued.revoked is not None:
        return PassWord.REVOKED
    if now is None:
        return PassWord.CLOCK
    if sponsor is None or sponsor.id != told.sponsor or entitlement(sponsor, now) is not Reason.MATCHED:
        return PassWord.SPONSOR
    if now < told.begins:
        return PassWord.NOT_BEGUN
    if now >= told.ends:
        return PassWord.ENDED
    if door not in told.doors:
        return PassWord.OTHER_DOOR
    return PassWord.GOOD if issued.used.get(door, 0) < told.uses else PassWord.USED_UP


def _moment(minutes: int) -> datetime:
    # The largest 32 bits are beyond what datetime holds.
    return min(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=min(minutes, 10**8)), LATEST)
