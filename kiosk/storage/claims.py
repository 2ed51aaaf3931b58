"""Who has a number, a QR code or a card: looks claims up, and gives and takes these away.

Of a QR code's text and of what a reader types for a card the gallery keeps SHA-256 alone, sealed in the subject's
record: a copy of the gallery, even with its key, shows nobody's code. Codes are random (160 bits). Cards' texts are
not: with the key they can be guessed, as they can be read from the card itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import replace

from kiosk.domain.audit import AuditKind, AuditOutcome
from kiosk.domain.entry import LONGEST_CLAIM, Claim, Means
from kiosk.domain.errors import GalleryError
from kiosk.domain.number import USUAL
from kiosk.storage.gallery import Gallery
from kiosk.storage.people import Record, checked_number
from kiosk.storage.sealed import SealedRows

CODE_MARK = "KQ1"
"""How the text of a person's QR code begins."""
CODE_BYTES = 20
_CODE = re.compile(f"{CODE_MARK}[A-Z2-7]{{{CODE_BYTES * 8 // 5}}}")
SHORTEST_CARD = 4
"""Characters of what a reader types for a card."""
_TRIES = 100


class Claims:
    """Finds whom a claim means, for one thread. The index is made of the records in memory, and made anew after each
    change of the gallery by anybody."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._index: dict[tuple[Means, str], str] = {}
        self._version: int | None = None

    def find(self, claim: Claim) -> str | None:
        """The id of the subject who has this number, QR code or card; None if nobody has it. Both cost the same: one
        hash and one look into the index. Whether that subject may pass is not asked here. Raises GalleryError."""
        version = self._gallery.data_version()
        if version != self._version:
            self._index = dict(_entries(self._gallery.records()))
            self._version = version
        return self._index.get((claim.means, digest(claim.text)))


def _entries(records: Iterable[Record]) -> Iterable[tuple[tuple[Means, str], str]]:
    for record in records:
        who, held = record.subject.id, record.secrets
        if record.subject.number is not None:
            yield (Means.NUMBER, digest(record.subject.number)), who
        if held.qr is not None:
            yield (Means.QR, held.qr), who
        if held.card is not None:
            yield (Means.CARD, held.card), who


def digest(text: str) -> str:
    """What is kept of a QR code's or a card's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def new_code() -> str:
    """The text of a new QR code for a person: letters and digits that a QR code holds most densely."""
    return CODE_MARK + base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()


def is_code(text: str) -> bool:
    """Whether a text has the form of what `new_code` makes."""
    return _CODE.fullmatch(text) is not None


def card_text(typed: str) -> str:
    """What a reader has typed for a card, without the line's end. Raises GalleryError for what can be no card's."""
    text = typed.rstrip("\r\n")
    if not (SHORTEST_CARD <= len(text) <= LONGEST_CLAIM and text.isprintable()):
        raise GalleryError(
            f"this is no card's text: {SHORTEST_CARD} to {LONGEST_CLAIM} printable characters, and then the line's end"
        )
    return text


def set_number(gallery: Gallery, subject_id: str, number: str | None) -> None:
    """Gives a subject a personal number, or takes it away. One that is the person's PIN is not refused: the refusal
    would tell staff a PIN. Raises GalleryError for one that somebody else has."""
    checked_number(number)
    with gallery.changing(subject_id) as rows:
        _set_number(gallery, rows, subject_id, number)


def choose_number(gallery: Gallery, subject_id: str) -> str:
    """Gives a subject a number that nobody has, of USUAL digits, and returns it. Raises GalleryError."""
    with gallery.changing(subject_id) as rows:
        number = free_number(gallery)
        _set_number(gallery, rows, subject_id, number)
    return number


def free_number(gallery: Gallery) -> str:
    """A random number of USUAL digits that nobody has. Raises GalleryError when there is hardly any left."""
    taken = {record.subject.number for record in gallery.records()}
    for _ in range(_TRIES):
        number = str(secrets.randbelow(9 * 10 ** (USUAL - 1)) + 10 ** (USUAL - 1))
        if number not in taken:
            return number
    raise GalleryError(f"hardly any number of {USUAL} digits is free: choose a longer one")


def _set_number(gallery: Gallery, rows: SealedRows, subject_id: str, number: str | None) -> None:
    rows.change(subject_id, lambda subject: replace(subject, number=number))
    outcome = AuditOutcome.NUMBER_CLEARED if number is None else AuditOutcome.NUMBER_SET
    gallery.note(AuditKind.SUBJECT, subject_id, outcome)


def set_code(gallery: Gallery, subject_id: str, means: Means, kept: str | None) -> None:
    """Gives a subject a QR code or a card, of whose text `kept` is the digest, or takes it away. The one of before
    means nobody any more. Raises GalleryError for one that somebody else has."""
    if means is Means.NUMBER:
        raise ValueError("a number is no code")
    words = {
        Means.QR: (AuditOutcome.QR_SET, AuditOutcome.QR_CLEARED),
        Means.CARD: (AuditOutcome.CARD_SET, AuditOutcome.CARD_CLEARED),
    }
    with gallery.changing(subject_id) as rows:
        rows.change_secrets(
            subject_id, lambda held: replace(held, qr=kept) if means is Means.QR else replace(held, card=kept)
        )
        gallery.note(AuditKind.SUBJECT, subject_id, words[means][kept is None])


def set_verify(gallery: Gallery, subject_id: str, verify: bool) -> None:
    """Says whether a face alone is not enough for a subject. Raises GalleryError."""
    with gallery.changing(subject_id) as rows:
        rows.change(subject_id, lambda subject: replace(subject, verify=verify))
        gallery.note(AuditKind.SUBJECT, subject_id, AuditOutcome.VERIFY_ON if verify else AuditOutcome.VERIFY_OFF)


def set_extended(gallery: Gallery, subject_id: str, extended: bool) -> None:
    """Says whether the lock is released for longer for a subject. Raises GalleryError."""
    with gallery.changing(subject_id) as rows:
        rows.change(subject_id, lambda subject: replace(subject, extended=extended))
        outcome = AuditOutcome.EXTENDED_ON if extended else AuditOutcome.EXTENDED_OFF
        gallery.note(AuditKind.SUBJECT, subject_id, outcome)
