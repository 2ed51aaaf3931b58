"""Names of people, as people write them: what is taken, and which character of one that is not taken is in the way."""

from __future__ import annotations

import unicodedata

from kiosk.domain.plain_text import JOINERS, escaped

LONGEST_NAME = 100
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U000e0100")
"""Letters, signs and marks that show nothing: the fillers of Hangul, the empty pattern of Braille and the like."""


def cleaned(name: str) -> str:
    """The name in NFC, any kind of space as one plain space. Raises ValueError with a line that names the character.

    Joiners stay between letters: Persian, Sinhala and Hindi names need them. What shows nothing is no name.
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
    """Whether the character may stand there: printable and visible, an accent on a letter, a joiner between two."""
    character = name[at]
    before, after = name[at - 1 : at] if at else "", name[at + 1 : at + 2]
    if character in JOINERS:
        return _joins(before) and _joins(after)
    if character in _BLANK or not character.isprintable():
        return False
    return unicodedata.category(character)[0] != "M" or (before not in {"", " "} and before not in JOINERS)


def _joins(character: str) -> bool:
    """A letter, or a mark on one; the sign before and after a joiner of an emoji too."""
    return character != "" and (unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "So")


def _called(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"the byte 0x{code - 0xDC00:02x}, which is no UTF-8,"
    name = unicodedata.name(character, "")
    return f"U+{code:04X}{f' {name}' if name else ''}"
