"""Foreign text on a line for people: nothing in it can move a cursor, start a new line or turn the reading direction.

Names, paths, ids that another process sent, licences, messages of drivers: whoever wrote them may have meant harm.
"""

from __future__ import annotations

JOINERS = frozenset("\u200c\u200d")
"""Zero width non-joiner and joiner: Persian, Sinhala and Hindi words need them; they show nothing and move nothing."""


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
    """Any white space, line ends too, as one space; the rest escaped: a message of an error."""
    return escaped(" ".join(text.split()))


def _code(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
