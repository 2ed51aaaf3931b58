"""Personal numbers: what somebody types to say who it is. A number is no secret and opens nothing by itself."""

from __future__ import annotations

SHORTEST, LONGEST = 4, 8
"""Digits of a personal number."""
USUAL = 6
"""Digits of one that the kiosk chooses."""


def checked(number: str) -> str:
    """A number that somebody may have. Raises ValueError, which says what is wrong with it."""
    if not (number.isascii() and number.isdigit() and SHORTEST <= len(number) <= LONGEST):
        raise ValueError(f"a personal number has {SHORTEST} to {LONGEST} digits, and nothing else")
    return number
