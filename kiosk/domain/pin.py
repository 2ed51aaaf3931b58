"""PINs: which may be chosen, and how long somebody waits after wrong ones.

Three wrong PINs in a row cost nothing, the next ones 30 seconds, doubled each time up to an hour (as NIST SP 800-63B,
5.2.2, asks: guesses are limited, and the owner is not shut out for ever). For all people together: domain.guesses.
"""

from __future__ import annotations

from itertools import pairwise

SHORTEST, LONGEST = 6, 12
"""Digits of a PIN."""
FREE = 3
"""Wrong PINs in a row after which the next one need not wait."""
FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0
"""Seconds."""


def checked(pin: str) -> str:
    """A PIN that may be chosen. Raises ValueError, which says what is wrong with it."""
    if not (pin.isascii() and pin.isdigit() and SHORTEST <= len(pin) <= LONGEST):
        raise ValueError(f"a PIN has {SHORTEST} to {LONGEST} digits, and nothing else")
    steps = {int(after) - int(before) for before, after in pairwise(pin)}
    if steps in ({0}, {1}, {-1}):
        raise ValueError("this PIN is guessed first: no run and no repetition of one digit")
    return pin


def checked_duress(duress: str, pin: str) -> str:
    """A PIN that may be chosen beside `pin` to be typed under duress. It is two slips away from it, so that nobody
    raises an alarm by one wrong, missing, further or exchanged digit. Raises ValueError."""
    one, other = checked(duress), pin
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    if max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1]):
        raise ValueError("the duress PIN is too near the PIN: a slip of the finger would raise the alarm")
    return duress


def wait_after(wrong: int) -> float:
    """Seconds from the last of so many wrong PINs in a row until the next one is looked at."""
    return 0.0 if wrong < FREE else min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(wrong - FREE, 30))
