"""Finds faults of a gallery by clustering its templates: one person enrolled twice, two people under one name, and
people whom the network can hardly tell apart.

FaceNet (arXiv 1503.03832, section 5.8) clusters faces bottom-up, by agglomeration. Here the linkage is the average
(UPGMA): two groups are as near as the mean of all scores between their templates, so that one bad picture or one chance
likeness joins nobody. Two passes:

1. The templates of each subject by themselves. Where more than one group is left, they may be of several people.
2. All groups of all subjects. Where groups of several subjects join, they may be one person.

The mean of many scores of strangers varies less than one score. With RHO, the cosine that two templates of one person
usually have, the mean of m x n scores has the standard deviation of one score times

    sqrt((1 + (m - 1) RHO) / m) sqrt((1 + (n - 1) RHO) / n)

by which a mean is divided, so that one limit is right for groups of every size: it is the linkage. It is at most the
highest score of the two groups divided by RHO. So no matrix of all pairs is needed: only groups with two templates of a
score of RHO times the limit can join, and a joined group has no neighbours but those of its parts.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, count

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.matching import Cohort, above_strangers
from kiosk.domain.people import Reference
from kiosk.domain.thresholds import OperatingPoint

STEP = 256
"""Rows whose scores with all others are held at a time: 31 MB in float32 at 30,000 references."""
RHO = 0.6
"""The usual score of two pictures of one person: the median is .59 for the 60 people of CelebA that the shipped
network has not seen, and .69 for those of LFW View 1."""
MARGIN = 0.05
"""How far below the door's threshold a pair of references still counts as hard to tell apart: a change of light moves a
score by more."""
CHANCE = 1.0
"""How many pairs of strangers may be told as one person, by expectation, in a whole gallery."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Linkages and scores. `joined`: groups of one subject with a lower linkage may be of several people. `same`:
    groups of several subjects that reach this linkage may be one person. `alike`: two subjects of whom a pair of
    references reaches this score could be taken for one another at the door."""

    joined: float
    same: float
    alike: float

    @classmethod
    def of(cls, measured: Sequence[OperatingPoint], subjects: int, threshold: float) -> Limits:
        """For a gallery of so many subjects. `measured`: the network's table; beyond its last point nothing is known,
        and the last one is taken. `threshold`: the door's. Raises ValueError for an empty table."""
        if not measured:
            raise ValueError("nothing was measured of the network")
        table = sorted(measured, key=lambda point: point.fmr)
        wanted = math.log(CHANCE / max(subjects * (subjects - 1) / 2, 1))
        same = float(np.interp(wanted, [math.log(p.fmr) for p in table], [p.score for p in table]))
        # Half of what one stranger in a thousand reaches: of three pictures of LFW View 1, one of a stranger is below
        # it in 98% of all cases, and one of the same person in none (models/README.md, "The gallery's own faults").
        return cls(joined=table[-1].score / 2, same=same, alike=threshold - MARGIN)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A subject whose references may be of several people: the references by group, the largest first, and the highest
    linkage of two of the groups."""

    subject_id: str
    groups: tuple[tuple[str, ...], ...]
    score: float


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Subjects that may be one person, and the lowest linkage with which they joined. `stray`: the subjects of which
    only some references belong there."""

    subjects: tuple[str, ...]
    score: float
    stray: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Two subjects who could be taken for one another: the highest score of a pair of their references."""

    first: str
    second: str
    score: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What a gallery's templates say about it, the surest first. `subjects`, `references`: how many were looked at."""

    subjects: int
    references: int
    mixtures: list[Mixture] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    look_alikes: list[LookAlikes] = field(default_factory=list)


Rows = tuple[int, ...]
"""Places of templates among all."""


class Templates:
    """The templates of a gallery as unit vectors, with their excess (see Cohort), in memory only."""

    def __init__(self, references: Iterable[Reference], cohort: Cohort) -> None:
        """`cohort`: turned as the references are. Raises ValueError for templates of several lengths."""
        ordered = sorted(references, key=lambda r: (r.subject_id, r.id))
        self.ids = [r.id for r in ordered]
        self.subjects = [r.subject_id for r in ordered]
        bytes_ = np.stack([r.template for r in ordered]) if ordered else np.empty((0, 1), np.int8)
        self._excess = cohort.excess(bytes_).astype(np.float32) if ordered else np.empty(0, np.float32)
        self._rows = bytes_.astype(np.float32)
        self._rows /= np.linalg.norm(self._rows, axis=1, keepdims=True)

    def __len__(self) -> int:
        return len(self.ids)

    def between(self, first: Rows, second: Rows) -> NDArray[np.float32]:
        """The scores of each template of the one group with each of the other: len(first) x len(second)."""
        a, b = list(first), list(second)
        return above_strangers(self._rows[a] @ self._rows[b].T, self._excess[a][:, None], self._excess[b])

    def linkage(self, first: Rows, second: Rows) -> float:
        """How near two groups are: the mean of their scores, in units of one score of strangers."""
        return float(self.between(first, second).mean()) / math.sqrt(_spread(len(first)) * _spread(len(second)))

    def near(self, least: float) -> Iterator[tuple[int, int, float]]:
        """All pairs of templates whose score reaches `least`, each once, with their score."""
        for start in range(0, len(self), STEP):
            some = slice(start, min(start + STEP, len(self)))
            scores = above_strangers(
                self._rows[some] @ self._rows[start:].T, self._excess[some][:, None], self._excess[start:]
            )
            for row, column in np.argwhere(scores >= least).tolist():
                if column > row:
                    yield start + row, start + column, float(scores[row, column])


def check(references: Iterable[Reference], cohort: Cohort, limits: Limits) -> Findings:
    """Looks through all references of one network. `cohort`: turned as they are (Turning.cohort)."""
    templates = Templates(references, cohort)
    of_subject: dict[str, list[int]] = defaultdict(list)
    for place, subject in enumerate(templates.subjects):
        of_subject[subject].append(place)
    groups: list[Rows] = []
    mixtures: list[Mixture] = []
    for subject, places in of_subject.items():
        parts = [part.rows for part in _within(templates, places, limits.joined)]
        groups += parts
        if len(parts) > 1:
            mixtures.append(_mixture(templates, subject, parts))
    near = _near(templates, groups, min(RHO * limits.same, limits.alike))
    people = agglomerated(templates, groups, near, limits.same)
    of_person = [sorted({templates.subjects[row] for row in person.rows}) for person in people]
    duplicates = [
        _duplicate(templates, person, subjects, of_subject)
        for person, subjects in zip(people, of_person, strict=True)
        if len(subjects) > 1
    ]
    look_alikes = _look_alikes(templates, groups, near, limits.alike, duplicates)
    return Findings(
        len(of_subject),
        len(templates),
        sorted(mixtures, key=lambda found: found.score),
        sorted(duplicates, key=lambda found: -found.score),
        sorted(look_alikes, key=lambda found: -found.score),
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Templates that were joined, and the lowest linkage with which a part joined: 1 where nothing did."""

    rows: Rows
    score: float = 1.0


def agglomerated(
    templates: Templates, groups: Sequence[Rows], pairs: Iterable[tuple[int, int]], least: float
) -> list[Group]:
    """Joins the two groups with the highest linkage, again and again while it reaches `least` (UPGMA).

    `pairs`: places in `groups` of all pairs that may reach it. Gives the groups that are left.
    """
    left = {place: Group(rows) for place, rows in enumerate(groups)}
    neighbours: dict[int, set[int]] = defaultdict(set)
    heap: list[tuple[float, int, int]] = []

    def propose(a: int, b: int) -> None:
        neighbours[a].add(b)
        neighbours[b].add(a)
        if (score := templates.linkage(left[a].rows, left[b].rows)) >= least:
            heapq.heappush(heap, (-score, a, b))

    for a, b in pairs:
        propose(a, b)
    for new in count(len(groups)):
        while heap and not (heap[0][1] in left and heap[0][2] in left):
            heapq.heappop(heap)  # one of them has joined another since
        if not heap:
            break
        score, a, b = heapq.heappop(heap)
        first, second = left.pop(a), left.pop(b)
        left[new] = Group(first.rows + second.rows, min(first.score, second.score, -score))
        for other in sorted((neighbours.pop(a) | neighbours.pop(b)) & left.keys()):
            propose(other, new)
    return list(left.values())


def _within(templates: Templates, places: Sequence[int], least: float) -> list[Group]:
    """The groups of one subject's templates."""
    return agglomerated(templates, [(place,) for place in places], combinations(range(len(places)), 2), least)


def _mixture(templates: Templates, subject: str, parts: list[Rows]) -> Mixture:
    parts.sort(key=lambda rows: (-len(rows), rows))
    score = max(templates.linkage(a, b) for a, b in combinations(parts, 2))
    return Mixture(subject, tuple(tuple(templates.ids[row] for row in rows) for rows in parts), score)


def _near(templates: Templates, groups: Sequence[Rows], least: float) -> dict[tuple[int, int], float]:
    """The pairs of groups of two subjects of whom a pair of templates reaches `least`, with the highest such score."""
    group_of = {row: place for place, rows in enumerate(groups) for row in rows}
    found: dict[tuple[int, int], float] = {}
    for first, second, score in templates.near(least):
        if templates.subjects[first] != templates.subjects[second]:
            pair = min(group_of[first], group_of[second]), max(group_of[first], group_of[second])
            found[pair] = max(found.get(pair, -1.0), score)
    return found


def _duplicate(
    templates: Templates, person: Group, subjects: Sequence[str], of_subject: Mapping[str, Sequence[int]]
) -> Duplicate:
    rows = set(person.rows)
    return Duplicate(tuple(subjects), person.score, tuple(s for s in subjects if not rows.issuperset(of_subject[s])))


def _look_alikes(
    templates: Templates,
    groups: Sequence[Rows],
    near: Mapping[tuple[int, int], float],
    least: float,
    duplicates: Sequence[Duplicate],
) -> list[LookAlikes]:
    """Pairs of subjects that are not told as one person."""
    told = {pair for found in duplicates for pair in combinations(found.subjects, 2)}
    highest: dict[tuple[str, str], float] = {}
    for (a, b), best in near.items():
        first, second = sorted((templates.subjects[groups[a][0]], templates.subjects[groups[b][0]]))
        if best >= least and (first, second) not in told:
            highest[first, second] = max(highest.get((first, second), -1.0), best)
    return [LookAlikes(first, second, score) for (first, second), score in highest.items()]


def _spread(count: int) -> float:
    """The variance of the mean of so many templates of one person, against that of one: 1 to RHO."""
    return (1 + (count - 1) * RHO) / count
