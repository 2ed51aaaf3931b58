"""Escapes foreign text for a line that people read, so that it cannot move a cursor, start a new line or change the
reading direction.

Names, paths, ids from other processes, licences and messages of drivers may come from an attacker.
"""

from __future__ import annotations

JOINERS = frozenset("\u200c\u200d")
"""Zero width non-joiner and joiner. Persian, Sinhala and Hindi words need them; they are invisible and harmless."""


def escaped(text: str, encoding: str = "utf-8") -> str:
    r"""`text` on one line, with \x1b, \u202e and the like in place of each character that is not printable: control
    characters, line separators, bidi overrides, lone surrogates, and whatever `encoding` lacks. An encoding that does
    not exist is taken for ASCII."""
    shown = "".join(c if c.isprintable() or c in JOINERS else _code(c) for c in text)
    try:
        return shown.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):
        return shown.encode("ascii", "backslashreplace").decode("ascii")


def one_line(text: str) -> str:
    """`text` as one line, for an error message: each run of white space, also line ends, becomes one space; the rest is
    escaped."""
    return escaped(" ".join(text.split()))


def _code(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
