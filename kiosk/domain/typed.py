"""What a badge reader types that pretends to be a keyboard: key events become one line of letters and digits, or none.

Pure: times come with the events. The reader is hostile input: whoever has its cable can type anything. A line is
bounded in length and rate, and one with any other key is no badge's. A person who types is too slow.
"""

from __future__ import annotations

LONGEST_LINE = 64
"""Characters of a badge's text. Readers type 8 to 20."""
LONGEST_GAP = 0.5
"""Most seconds between two keys of a line. Readers type a key within some milliseconds."""
SHORTEST_PAUSE = 1.0
"""Seconds from a line until the next one counts."""

# Of linux/input-event-codes.h.
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3
ENTER = frozenset({28, 96})
SHIFT = frozenset({42, 54})
IGNORED = frozenset({58, 69})
"""Caps lock and num lock, which some readers set before they type."""
PRESSED = 1
_ROWS = ((2, "1234567890"), (16, "qwertyuiop"), (30, "asdfghjkl"), (44, "zxcvbnm"))
_KEYPAD = {71: "7", 72: "8", 73: "9", 75: "4", 76: "5", 77: "6", 79: "1", 80: "2", 81: "3", 82: "0"}
KEYS = {first + n: letter for first, row in _ROWS for n, letter in enumerate(row)} | _KEYPAD
"""Letters and digits of a keyboard with the American layout, which readers have unless they are set to another one."""


class TypedLine:
    """Gathers one reader's keys."""

    def __init__(self) -> None:
        self.reset()
        self._told_at = float("-inf")

    def reset(self) -> None:
        """Forgets what was typed, for a reader that was lost."""
        self._text = ""
        self._spoilt = False
        self._shift: set[int] = set()
        self._at = float("-inf")

    def take(self, kind: int, code: int, value: int, at: float) -> str | None:
        """Takes an event at a time in seconds. Returns a line of 1 to LONGEST_LINE letters and digits when one is
        complete, otherwise None."""
        if kind == EV_SYN and code == SYN_DROPPED:
            self._spoilt = True
            self._shift.clear()
        if kind != EV_KEY:
            return None
        if code in SHIFT:
            (self._shift.add if value else self._shift.discard)(code)
            return None
        if value != PRESSED or code in IGNORED:
            return None
        if at - self._at > LONGEST_GAP:
            self._text, self._spoilt = "", False
        self._at = at
        if code in ENTER:
            return self._ended(at)
        letter = KEYS.get(code)
        if letter is None or len(self._text) >= LONGEST_LINE or (self._shift and letter.isdigit()):
            self._spoilt = True
        else:
            self._text += letter.upper() if self._shift else letter
        return None

    def _ended(self, at: float) -> str | None:
        text, spoilt = self._text, self._spoilt
        self._text, self._spoilt = "", False
        if not text or spoilt or at - self._told_at < SHORTEST_PAUSE:
            return None
        self._told_at = at
        return text
