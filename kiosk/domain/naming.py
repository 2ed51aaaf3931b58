"""Names of people: which names are accepted, and which character makes a name unacceptable."""

from __future__ import annotations

import unicodedata

from kiosk.domain.plain_text import JOINERS, escaped

LONGEST_NAME = 100
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U000e0100")
"""Letters, signs and marks that are invisible: for example the fillers of Hangul and the empty pattern of Braille."""


def cleaned(name: str) -> str:
    """The name in NFC, with each run of white space as one plain space. Raises ValueError, which names the bad
    character.

    Joiners between letters are kept, because Persian, Sinhala and Hindi names need them. An invisible name is refused.
    """
    plain = unicodedata.normalize("NFC", " ".join("".join(" " if _space(c) else c for c in name).split(" ")).strip())
    plain = " ".join(part for part in plain.split(" ") if part)
    if not plain:
        raise _refused("it is empty")
    if len(plain) > LONGEST_NAME:
        raise _refused(f"{len(plain)} are too many")
    for at, character in enumerate(plain):
        if not _fits(plain, at):
            raise _refused(f"{escaped(plain)}: {_called(character)} cannot be part of it")
    return plain


def _refused(why: str) -> ValueError:
    return ValueError(f"{why}: a name is 1 to {LONGEST_NAME} printable characters on one line")


def _space(character: str) -> bool:
    return unicodedata.category(character) == "Zs" or character == "\t"


def _fits(name: str, at: int) -> bool:
    """Whether the character is allowed at this position: it is printable and visible; an accent follows a letter; a
    joiner is between two letters."""
    character = name[at]
    before, after = name[at - 1 : at] if at else "", name[at + 1 : at + 2]
    if character in JOINERS:
        return _joins(before) and _joins(after)
    if character in _BLANK or not character.isprintable():
        return False
    return unicodedata.category(character)[0] != "M" or (before not in {"", " "} and before not in JOINERS)


def _joins(character: str) -> bool:
    """Whether a joiner may be beside this character: a letter, a mark on a letter, or a sign (for emoji)."""
    return character != "" and (unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "So")


def _called(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"the byte 0x{code - 0xDC00:02x}, which is no UTF-8,"
    name = unicodedata.name(character, "")
    return f"U+{code:04X}{f' {name}' if name else ''}"
