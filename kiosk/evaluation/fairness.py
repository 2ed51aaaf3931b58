"""False match rates by group: do people of one age, gender or race match one another more often than others?

It uses people who were kept out of training, with the labels of an aligned set (aligned.csv beside its shards). Each
picture goes through detector, alignment, embedder and byte template of the kiosk. Each picture counts as another
person. But the set holds some people several times without a label, so pairs that score above SAME_PERSON with a
reference network count as one person and are left out. The figures with these pairs are also given; the truth lies
between both.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Image
from kiosk.domain.matching import above_strangers, quantize
from kiosk.domain.people import Template
from kiosk.evaluation.lfw import central
from kiosk.evaluation.resampling import Interval, People, draws
from kiosk.evaluation.samples import Samples, open_samples, read_image
from kiosk.vision.alignment import align
from kiosk.vision.models import Models
from kiosk.vision.network import Network

SAME_PERSON = 0.5
"""Cosine of the reference network above which two pictures count as one person."""
MOST_REMOVED = 0.05
"""Largest share of pairs above SAME_PERSON. With more, the reference network got the wrong input."""
FLOOR = 1e-4
"""Lowest false match rate that is stated, because the groups are too small for lower ones."""
AGES = ((0, 9), (10, 17), (18, 29), (30, 44), (45, 59), (60, 200))
GENDERS = {"0": "male", "1": "female"}
RACES = {"0": "White", "1": "Black", "2": "Asian", "3": "Indian", "4": "other"}
COLUMNS = ("shard", "path", "source", "age", "gender", "race")


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture with the set's labels. `groups`: the group for each attribute."""

    samples: Samples
    path: str
    groups: Mapping[str, str]

    def image(self) -> Image:
        """Reads the picture. Raises SampleError for a file that is no picture."""
        return read_image(self.samples, self.path)


@dataclass(frozen=True, slots=True)
class Share:
    """A false match rate. NaN if it is not stated: below FLOOR, or of fewer than 1 / FLOOR pairs."""

    pairs: int
    false_matches: int
    rate: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class GroupRate:
    """The rates of one group. `within`: both people of a pair are in the group. `across`: one is in another group of
    the attribute. `ratio`: `within` divided by the mean over the attribute's groups. `unremoved`: `within`, with the
    pairs that count as one person."""

    attribute: str
    group: str
    people: int
    within: Share
    across: Share
    ratio: float
    unremoved: Share


@contextmanager
def open_portraits(root: Path, heldout: Path, min_age: int = 0) -> Iterator[list[Portrait]]:
    """The pictures of `root` that are in the list of held-out people, have all labels, and show people of at least
    `min_age` years. Raises SampleError."""
    held = {(row["source"], row["path"]) for row in _table(heldout, ("source", "path"))}
    rows = [r for r in _table(root / "aligned.csv", COLUMNS) if (r["source"], r["path"]) in held]
    with ExitStack() as stack:
        shards: dict[str, Samples] = {}
        found = []
        for row in rows:
            groups = labels(row)
            if groups is None or int(row["age"]) < min_age:
                continue
            if row["shard"] not in shards:
                shards[row["shard"]] = stack.enter_context(open_samples(root / row["shard"]))
            found.append(Portrait(shards[row["shard"]], row["path"], groups))
        if not found:
            raise SampleError(f"{root}: {heldout} names no picture of such people with age, gender and race there")
        yield found


def labels(row: Mapping[str, str]) -> dict[str, str] | None:
    """Age band, gender and race; None if one is missing or unknown."""
    try:
        age = int(row["age"])
        band = next(f"{low}-{high}" if high < 200 else f"{low}+" for low, high in AGES if low <= age <= high)
        return {"age": band, "gender": GENDERS[row["gender"]], "race": RACES[row["race"]]}
    except (ValueError, KeyError, StopIteration):
        return None


def _table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SampleError(f"{path}: cannot be read ({error})") from error
    if not rows or any(c not in rows[0] for c in columns):
        raise SampleError(f"{path}: needs rows with the columns {', '.join(columns)}")
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The pictures with a face, as rows of unit vectors: byte templates with their excess (domain.matching.Cohort), and
    the reference network's vectors."""

    groups: list[Mapping[str, str]]
    rows: NDArray[np.float32]
    excess: NDArray[np.float32]
    reference: NDArray[np.float32]
    no_face: int


def embed(portraits: Iterable[Portrait], models: Models, reference: Network) -> Faces:
    """Runs both networks on the central face of each picture. Raises SampleError."""
    groups: list[Mapping[str, str]] = []
    templates: list[Template] = []
    others: list[NDArray[np.float32]] = []
    no_face = 0
    for portrait in portraits:
        image = portrait.image()
        try:
            face = central(models.detector.detect(image), image)
            if face is None:
                raise ValueError("no face")
            aligned = align(image, face)
            template = quantize(models.embedder.vector(aligned), models.embedder_entry.template_scale)
        except ValueError:
            no_face += 1
            continue
        groups.append(portrait.groups)
        templates.append(template)
        others.append(reference.run(aligned)[0].reshape(-1))
    if len(groups) < 2:
        raise SampleError(f"{no_face} pictures without a face: too few are left")
    excess = models.cohort.excess(np.stack(templates)).astype(np.float32)
    return Faces(groups, _unit(templates), excess, _unit(others), no_face)


def _unit(vectors: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    rows = np.array(vectors, np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def pairs_above(
    rows: NDArray[np.float32], excess: NDArray[np.float32], level: float
) -> tuple[People, People, NDArray[np.float32]]:
    """(first, second, score) of all pairs of rows whose score is at least `level`. The score is computed from the
    product of the rows and from both rows' `excess`."""
    first, second, scores = [], [], []
    for i in range(len(rows) - 1):
        row = above_strangers(rows[i + 1 :] @ rows[i], excess[i + 1 :], excess[i : i + 1])
        at = np.flatnonzero(row >= level)
        first.append(np.full(at.size, i))
        second.append(at + i + 1)
        scores.append(row[at])
    return np.concatenate(first), np.concatenate(second), np.concatenate(scores)


class Comparisons:
    """Compares all pairs of faces once and draws the rounds of the bootstrap. Then gives the rates at any threshold."""

    def __init__(self, faces: Faces, lowest: float) -> None:
        """`lowest` is the lowest threshold that rates() will be called with. Raises SampleError for a reference network
        that cannot tell people apart."""
        self._faces = faces
        self._first, self._second, self._scores = pairs_above(faces.rows, faces.excess, lowest)
        a, b, _ = pairs_above(faces.reference, np.zeros_like(faces.excess), SAME_PERSON)
        self.removed = np.stack([a, b], axis=1)
        count = len(faces.groups)
        self.pairs = count * (count - 1) // 2
        if len(self.removed) > MOST_REMOVED * self.pairs:
            raise SampleError(
                f"the reference network puts {len(self.removed)} of {self.pairs} pairs above {SAME_PERSON}: "
                "is --reference-input right?"
            )
        same = set(map(tuple, self.removed.tolist()))
        self._taken_for_one = np.array(
            [pair in same for pair in zip(self._first.tolist(), self._second.tolist(), strict=True)], bool
        )
        self._draws = draws(count)

    def rates(self, threshold: float) -> list[GroupRate]:
        """The rates of every group of every attribute."""
        return [rate for attribute in self._faces.groups[0] for rate in self._attribute(attribute, threshold)]

    def _attribute(self, attribute: str, threshold: float) -> list[GroupRate]:
        named = np.array([g[attribute] for g in self._faces.groups])
        order = [*(f"{a}-{b}" if b < 200 else f"{a}+" for a, b in AGES), *GENDERS.values(), *RACES.values()]
        groups = [g for g in order if (named == g).any()]
        members = {g: named == g for g in groups}
        within = {g: self._share(m, threshold, within=True) for g, m in members.items()}
        across = {g: self._share(m, threshold, within=False) for g, m in members.items()}
        whole = {g: self._share(m, threshold, within=True, removing=False) for g, m in members.items()}
        raw = [s.false_matches / s.pairs for s in within.values() if s.pairs >= 1 / FLOOR]
        mean = float(np.mean(raw)) if raw else np.nan
        return [
            GroupRate(
                attribute,
                g,
                int(members[g].sum()),
                within[g],
                across[g],
                within[g].rate / mean if mean else np.nan,
                whole[g],
            )
            for g in groups
        ]

    def _share(self, member: NDArray[np.bool_], threshold: float, within: bool, removing: bool = True) -> Share:
        """The rate of the pairs within a group, or of the pairs with one person in it."""
        belongs: Callable[[People, People], NDArray[np.bool_]] = (
            (lambda a, b: member[a] & member[b]) if within else (lambda a, b: member[a] != member[b])
        )
        hit = (self._scores >= threshold) & belongs(self._first, self._second)
        gone = self.removed[:0]
        if removing:
            hit &= ~self._taken_for_one
            gone = self.removed[belongs(self.removed[:, 0], self.removed[:, 1])]
        first, second = self._first[hit], self._second[hit]
        inside, outside = int(member.sum()), int((~member).sum())
        pairs = (inside * (inside - 1) // 2 if within else inside * outside) - len(gone)
        return stated(pairs, len(first), self._interval(member, first, second, gone, within))

    def _interval(
        self, member: NDArray[np.bool_], first: People, second: People, gone: People, within: bool
    ) -> Interval:
        drawn = self._draws
        inside, outside = drawn[:, member].astype(np.float64), drawn[:, ~member].astype(np.float64)
        total = ((inside.sum(1) ** 2 - (inside**2).sum(1)) / 2 if within else inside.sum(1) * outside.sum(1)) - (
            drawn[:, gone[:, 0]] * drawn[:, gone[:, 1]]
        ).sum(1)
        matches = (drawn[:, first] * drawn[:, second]).sum(1)
        return Interval.of(np.where(total > 0, matches / np.maximum(total, 1), np.nan))


def stated(pairs: int, false_matches: int, interval: Interval) -> Share:
    """A rate as far as it is stated: not below FLOOR, and not with fewer than 1 / FLOOR pairs, too few to see one false
    match at that rate."""
    if pairs < 1 / FLOOR:
        return Share(pairs, false_matches, np.nan, Interval(np.nan, np.nan))

    def told(rate: float) -> float:
        return rate if rate >= FLOOR else np.nan

    return Share(pairs, false_matches, told(false_matches / pairs), Interval(told(interval.low), told(interval.high)))
