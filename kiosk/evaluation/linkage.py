"""What the matrix of a gallery (domain.renewal) costs, and what it hides: decisions with and without it, people looked
for across two galleries, and what somebody finds who knows some of a gallery's faces.

A template of one gallery is compared with all templates of the other one: it is linked if the nearest one is of the
same person (rank 1). By chance that is one in so many people. Whoever knows pairs of vector and template finds a matrix
by orthogonal Procrustes (Schönemann, Psychometrika 31, 1966), and turns everybody with it. The matrices of a
measurement are made of fixed numbers, so that its figures come again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Vector
from kiosk.domain.matching import Cohort, above_strangers
from kiosk.domain.ports.recognition import Detector, Embedder
from kiosk.domain.renewal import UNTURNED, Turning, randomness
from kiosk.evaluation import lfw
from kiosk.evaluation.figures import Rate, clopper_pearson
from kiosk.evaluation.samples import Samples, pictures, read_image

KNOWN = (16, 64, 128, 256)
"""How many pairs of vector and template somebody knows."""
KEYS = 20
"""Matrices that each figure is over."""
FEWEST = 32
"""People that are left to be found, at the least."""

Vectors = NDArray[np.float32]
"""N x D: scaled feature vectors."""
Rows = NDArray[np.int8]
"""N x D: templates."""
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Scaled feature vectors, and whose each is: numbers from 0."""

    vectors: Vectors
    people: NDArray[np.int64]

    def first(self, pictures: int, most: int) -> Indices:
        """people x pictures: the first pictures of each of the first `most` people who have so many."""
        own = [np.flatnonzero(self.people == who) for who in range(int(self.people.max(initial=-1)) + 1)]
        chosen = [places[:pictures] for places in own if len(places) >= pictures][:most]
        return np.array(chosen, np.intp).reshape(-1, pictures)

    def pairs(self) -> tuple[Indices, Indices]:
        """All mated pairs."""
        first, second = np.triu_indices(len(self.people), k=1)
        same = self.people[first] == self.people[second]
        return first[same], second[same]


@dataclass(frozen=True, slots=True)
class Changed:
    """Shares of mated decisions that are another one. `turned`: by turned templates, where those that are not turned
    decide otherwise; `renewed`: after a renewal of the turned ones. For comparison, against vectors that are not
    rounded at all: `rounded` templates that are not turned, and `turned_and_rounded` ones."""

    turned: Rate
    renewed: Rate
    rounded: Rate
    turned_and_rounded: Rate


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is found with `known` pairs: the share of all other people at rank 1 of `among`, by the very pictures that
    are enrolled, or by others of the same people. `most`: with the true matrix."""

    known: int
    among: int
    found: float
    most: float


def faces(samples: Samples, detector: Detector, embedder: Embedder, paths: Iterable[str]) -> Faces:
    """The central faces of these pictures, which are named as in LFW (Name_0001). Pictures without a face are left out.
    Raises SampleError for a file that is no picture."""
    found: list[Vector] = []
    names: list[str] = []
    for path in paths:
        vector = lfw.vector(read_image(samples, path), detector, embedder)
        if vector is not None:
            found.append(vector)
            names.append(lfw.person(path.rpartition("/")[2].rpartition(".")[0]))
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return Faces(np.array(found, np.float32), np.array([known[name] for name in names], np.int64))


def named_pictures(samples: Samples) -> list[str]:
    """The pictures, in the order that is fastest to read. Raises SampleError if there are none."""
    paths = pictures(samples)
    if not paths:
        raise SampleError("there are no pictures")
    return paths


def matrices(dimension: int, count: int, seed: int) -> list[Turning]:
    """Matrices for measuring, always the same ones for a seed."""
    random = np.random.default_rng(seed)
    return [Turning.made(random.bytes(randomness(dimension)), dimension) for _ in range(count)]


def templates(vectors: Vectors, turning: Turning) -> Rows:
    """The template of each vector."""
    return np.stack([turning.template(vector) for vector in vectors])


def changed(given: Faces, cohort: Cohort, threshold: float, keys: int = KEYS) -> Changed:
    """Compares all mated pairs without and with each of `keys` matrices, and after a renewal. Raises SampleError
    without mated pairs."""
    first, second = given.pairs()
    if not first.size:
        raise SampleError("nobody has two pictures: there is no mated pair")

    def matches(rows: Vectors | Rows, excess: NDArray[np.float64]) -> NDArray[np.bool_]:
        return _scores(rows, excess, first, second) >= threshold

    unturned = templates(given.vectors, UNTURNED)
    plain = matches(unturned, cohort.excess(unturned))
    exact = matches(given.vectors, cohort.excess(unturned))
    made = matrices(given.vectors.shape[1], 2 * keys, seed=1)
    turned = renewed = against_exact = 0
    for old, new in zip(made[:keys], made[keys:], strict=True):
        rows = templates(given.vectors, old)
        before = matches(rows, old.cohort(cohort).excess(rows))
        again = templates(rows.astype(np.float32), old.onto(new))
        turned += int((before != plain).sum())
        renewed += int((matches(again, new.cohort(cohort).excess(again)) != before).sum())
        against_exact += int((before != exact).sum())
    pairs, trials = len(first), keys * len(first)
    return Changed(
        turned=clopper_pearson(turned, trials),
        renewed=clopper_pearson(renewed, trials),
        rounded=clopper_pearson(int((plain != exact).sum()), pairs),
        turned_and_rounded=clopper_pearson(against_exact, trials),
    )


def across(given: Faces, people: int, keys: int = KEYS) -> Rate:
    """How often the template of a picture under one matrix is nearest to that of the very same picture under another
    one, of so many people."""
    chosen = given.vectors[given.first(1, people)[:, 0]]
    made = matrices(chosen.shape[1], 2 * keys, seed=2)
    hits = 0
    for old, new in zip(made[:keys], made[keys:], strict=True):
        hits += int(nearest_is_own(templates(chosen, old), templates(chosen, new)).sum())
    return clopper_pearson(hits, keys * len(chosen))


def recovered(given: Faces, known: int, other_pictures: bool, people: int, keys: int = KEYS) -> Recovery | None:
    """What somebody finds in a gallery of so many people who knows `known` of them, by the very pictures that are
    enrolled, or by other pictures of theirs. None if too few people would be left."""
    chosen = given.first(2 if other_pictures else 1, people)
    enrolled, seen = given.vectors[chosen[:, 0]], given.vectors[chosen[:, -1]]
    left = len(chosen) - known
    if left < FEWEST:
        return None
    order = np.random.default_rng(3)
    found: list[float] = []
    most: list[float] = []
    for turning in matrices(enrolled.shape[1], keys, seed=4):
        places = order.permutation(len(chosen))
        mine, theirs = places[:known], places[known:]
        rows = templates(enrolled, turning)
        guess = procrustes(seen[mine], rows[mine])
        found.append(float(nearest_is_own(seen[theirs] @ guess.T, rows[theirs]).mean()))
        most.append(float(nearest_is_own(templates(seen[theirs], turning), rows[theirs]).mean()))
    return Recovery(known, left, float(np.mean(found)), float(np.mean(most)))


def procrustes(vectors: Vectors, rows: Rows) -> NDArray[np.float64]:
    """The orthogonal matrix that turns the vectors nearest to the templates. With fewer pairs than dimensions it is
    known only where the vectors point to."""
    u, _, v = np.linalg.svd(rows.T.astype(np.float64) @ vectors)
    found: NDArray[np.float64] = u @ v
    return found


def nearest_is_own(probes: NDArray[np.floating] | Rows, rows: Rows) -> NDArray[np.bool_]:
    """For each probe whether the row of its own number has the highest cosine of all."""
    wide = rows.astype(np.float64)
    cosines = probes.astype(np.float64) @ (wide / np.linalg.norm(wide, axis=1, keepdims=True)).T
    own: NDArray[np.bool_] = cosines.argmax(axis=1) == np.arange(len(rows))
    return own


def _scores(rows: Vectors | Rows, excess: NDArray[np.float64], first: Indices, second: Indices) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    cosines = np.einsum("ij,ij->i", unit[first], unit[second])
    return above_strangers(cosines, excess[first], excess[second])


def table(given: Faces, people: int, known: Sequence[int] = KNOWN, keys: int = KEYS) -> Mapping[str, list[Recovery]]:
    """All of `recovered`: by the very pictures ("same_pictures"), and by others ("other_pictures")."""
    ways = {"same_pictures": False, "other_pictures": True}
    return {
        name: [found for k in known if (found := recovered(given, k, other, people, keys)) is not None]
        for name, other in ways.items()
    }
