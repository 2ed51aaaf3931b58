"""From one embedder to another without enrolling anybody by hand. Pure.

Vectors of two networks are never compared. So while the embedder is being changed, two sets of references are searched,
each with its own network's vector and thresholds: those of the current network, and, if a face matches nobody there,
those of the earlier one that still count. A person's earlier references count until the person has WANTED current
ones: frames of one visit are alike, and whoever got one reference from them and looks otherwise tomorrow must not be
shut out.

Whoever is let in by an earlier reference, and by more than the door asks for, gets current references from the frames
of that very attempt. This is the only place where a gallery takes in what a camera at the door has seen, so its rules
are stricter than the door's and than enrolment's (see `strict` and station.renewals).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kiosk.domain.face import Face, Image, Quality, Vector
from kiosk.domain.people import Embedding
from kiosk.domain.thresholds import Sizes, Thresholds

WANTED = 3
"""A person with so many references of the current network is through: the earlier ones are not compared any more."""
FRAMES = 3
"""So many frames of one attempt must all agree before references are made of them, as a grant needs before a real
lock."""
STRICT_FMR = 1e-5
"""The earlier comparison must reach the score of this FMR at least, whatever the size of the gallery..."""
STRICTER = 0.065
"""...and the door's own threshold and so much more: in the shipped tables the FMR falls to a tenth over so much (from
1e-4 to 1e-5: 0.0654 and 0.0659)."""
NEAR = 0.1
"""Nobody else may come within this below the threshold, as station.candidates.MARGIN says of a look-alike."""

Counts = Mapping[str, int]
"""Number of references by subject id."""


def counting(current: Counts, earlier: Counts) -> frozenset[str]:
    """The subjects whose earlier references still count: those with fewer than WANTED current ones."""
    return frozenset(who for who, n in earlier.items() if n > 0 and current.get(who, 0) < WANTED)


def shares(current: Sizes, earlier: Sizes) -> tuple[float, float]:
    """Which share of the false match rate of a gallery each of the two searches may use, by the number of subjects that
    it compares with. They are 1 together, so that the rate of both searches together is at most the configured one, by
    the union bound, however the two networks' errors depend on each other. A set of nobody needs nothing."""
    first, second = sum(current.values()), sum(earlier.values())
    if not first or not second:
        return 1.0, 1.0
    return first / (first + second), second / (first + second)


def beyond(current: Thresholds, now: Sizes, earlier: Thresholds, before: Sizes) -> str:
    """Why the two searches cannot keep the rate together, in galleries of these sizes (`before`: of the earlier
    references that still count); empty if they can. What makes it so shuts people out of the door: more references of
    one network leave the other's search a smaller share."""
    share, rest = shares(now, before)
    return current.sharing(share).beyond(now) or earlier.sharing(rest).beyond(before)


def strict(thresholds: Thresholds, sizes: Sizes) -> float:
    """The score that an earlier comparison must reach before current references are made of its frames. `thresholds`,
    `sizes`: of the search in the earlier references that still count."""
    return max(thresholds.measured_for(STRICT_FMR), thresholds.for_gallery(sizes).score + STRICTER)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A frame of an attempt that an earlier reference has matched, kept in memory until the door has answered. `faces`:
    all that were seen, the one of the attempt first."""

    image: Image = field(repr=False)
    faces: tuple[Face, ...]
    quality: Quality
    made: Embedding


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A frame that passed enrolment's gate: its scaled vectors by both networks, its quality (0..1) and light
    (0..255)."""

    vector: Vector = field(repr=False)
    earlier: Vector = field(repr=False)
    quality: float
    light: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a change of the embedder is, by subject ids in the order in which they came."""

    renewed: tuple[str, ...]
    """Who had earlier references and has current ones."""
    left: tuple[str, ...]
    """Who has earlier references only: they get in by these until a good visit renews them."""
    others: tuple[str, ...]
    """Who has current references only: they were enrolled since, and going back shuts them out."""

    @property
    def share(self) -> float:
        """How many of those who had earlier references are renewed, 0..1."""
        total = len(self.renewed) + len(self.left)
        return len(self.renewed) / total if total else 1.0


def standing(current: Counts, earlier: Counts, everybody: Iterable[str]) -> Standing:
    """How far it is, for these subjects. Who has no reference of either network is not part of it."""
    renewed: list[str] = []
    left: list[str] = []
    others: list[str] = []
    for who in everybody:
        if earlier.get(who, 0):
            (renewed if current.get(who, 0) else left).append(who)
        elif current.get(who, 0):
            others.append(who)
    return Standing(tuple(renewed), tuple(left), tuple(others))
