"""A second session in other light: whose references are of one light only, when to offer more, and which five to keep.

A face is missed most in light that it was never enrolled in. Light is told by one number, the mean luminance of the
aligned face (0..255), as the quality gate measures it. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST = 5
"""References of one subject."""
APART = 40.0
"""Two lights that differ by so much are not the same. See decision 0041 for what clips show."""
Lights = Sequence[float | None]
"""Of one subject's references; None where it is not known: from a photograph, or from before it was kept."""


def of_one_light(lights: Lights) -> bool:
    """Whether no two references are known to be of different light."""
    known = [light for light in lights if light is not None]
    return not known or max(known) - min(known) < APART


def is_other(light: float | None, lights: Lights) -> bool:
    """Whether a face that is seen in this light has references of other light only. False where none is known."""
    known = [each for each in lights if each is not None]
    return light is not None and bool(known) and all(abs(light - each) >= APART for each in known)


def least_useful(alike: Sequence[Sequence[float]], quality: Sequence[float], new: Sequence[bool]) -> list[int]:
    """Which references to leave out so that MOST remain, by their places. `alike`: how alike two are, larger is more.

    Of those that most resemble another one, which stands for them, the one of the lower quality goes. At least one old
    and one new reference stay, if there were any.
    """
    kept = list(range(len(quality)))
    gone: list[int] = []
    while len(kept) > MOST:
        may_go = [i for i in kept if sum(new[j] is new[i] for j in kept) > 1] or kept
        worst = max(may_go, key=lambda i: (max(alike[i][j] for j in kept if j != i), -quality[i]))
        kept.remove(worst)
        gone.append(worst)
    return gone
