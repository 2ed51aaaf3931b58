"""Byte templates and the search over them.

A template is a unit feature vector quantized to signed bytes, as FaceNet (arXiv 1503.03832, section 5.1) stores a face
in 128 bytes. The score is the cosine of two byte vectors, measured from the cosine that two strangers would have there
(`Cohort`). Dot products are exact integers, so a score does not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.decision import Comparison
from kiosk.domain.face import Vector
from kiosk.domain.people import Reference, Template
from kiosk.domain.products import STEP, WIDEST, Kernel, Products, kernel_for

Real = TypeVar("Real", np.float32, np.float64)
Centres = NDArray[np.int8] | NDArray[np.int16]


def scaled(vector: Vector, scale: float) -> Vector:
    """Gives a feature vector the length `scale`, with which its numbers fit into signed bytes.

    Raises ValueError for a vector that is not finite or is zero: such a face must never be compared.
    """
    v = np.asarray(vector, np.float32).reshape(-1)
    length = float(np.linalg.norm(v))
    if not np.isfinite(length) or length < 1e-6:
        raise ValueError("the feature vector is not finite or has no direction")
    found: Vector = v * np.float32(scale / length)
    return found


def rounded(vector: Vector) -> Template:
    """Rounds a scaled feature vector to -127..127. Raises ValueError if nothing is left of it."""
    template: Template = np.clip(np.rint(vector), -127, 127).astype(np.int8)
    if not template.any():
        raise ValueError("the feature vector quantizes to nothing")
    return template


def quantize(vector: Vector, scale: float) -> Template:
    """The template of a feature vector outside any gallery: `scaled` and `rounded`. For measuring: a gallery turns the
    vector in between (domain.renewal). Raises ValueError as both do."""
    return rounded(scaled(vector, scale))


def cosine(a: Template, b: Template) -> float:
    """Cosine similarity of two byte templates, -1..1."""
    x, y = a.astype(np.int32), b.astype(np.int32)
    return float(x @ y) / float(np.sqrt(float(x @ x) * float(y @ y)))


def enrol_again(references: int) -> str:
    """The message about references that were made with another network than the configured one."""
    many = "references were" if references != 1 else "reference was"
    return f"{references} {many} made with another network: enrol again (`kiosk enrol --again`)"


MOST = 0.95
"""Upper bound of the stranger offset `e`; above it only identical pictures would score."""

BLOCK = 16_384
"""Number of references that are read, and searched, at a time: so many are held as objects while a gallery is read, and
so many numbers stay in a processor's caches."""

SLACK = 1e-4
"""How much a score may be off before it is computed exactly, and more: a cosine by less than 4e-7, in float32, and a
score by at most 1 / (1 - MOST) = 20 times that."""


def finest(dimension: int) -> int:
    """The largest number that the centres of a cohort of this dimension may hold, so that its products with templates
    have exact sums in float32: 1,023 for 128 numbers."""
    return (2**24 - 1) // (128 * dimension)


def above_strangers(cosines: NDArray[Real], first: NDArray[Real], second: NDArray[Real]) -> NDArray[Real]:
    """Scores of pairs, -1..1, from their cosines and the excess of both templates of each pair (see Cohort)."""
    e = np.minimum(2 * np.sqrt(first * second), MOST)
    scores: NDArray[Real] = np.maximum((cosines - e) / (1 - e), -1)
    return scores


class Cohort:
    """Measures how much a template resembles strangers, and lowers its scores by that.

    Some faces lie closer together than others in an embedder's space: above all those of small children, and pictures
    with little detail. With one threshold, more of them would be let in by mistake. The cohort is a set of centres
    among the strangers that the embedder was trained with. Each centre is the mean of dozens of people and no single
    person. With m(t), the mean cosine of a template t to the `nearest` closest centres,

        excess(t) = max(0, m(t) - usual)
        e = min(2 sqrt(excess(a) excess(b)), MOST)
        score(a, b) = (cosine(a, b) - e) / (1 - e)

    so strangers in that region score about 0, and identical pictures still score 1. The score is lowered only if both
    templates lie close to centres.
    Cluster centres come from fair score normalisation (arXiv 2002.03592). The nearest members of a cohort come from
    adaptive symmetric normalisation in speaker recognition. Unlike these, this method never raises a score: it can only
    deny.
    """

    def __init__(self, centres: Centres | None = None, nearest: int = 1, usual: float = 1.0) -> None:
        """`centres` is C x D. Without centres, the excess of every template is 0. Raises ValueError for centres that
        are no whole numbers of at most `finest(D)`, or if there are fewer than `nearest`."""
        self.centres = centres
        self._centres: NDArray[np.float32] | None = None
        if centres is not None:
            if centres.ndim != 2 or centres.dtype not in (np.int8, np.int16) or not 1 <= nearest <= len(centres):
                raise ValueError("a cohort is a matrix of signed bytes with as many rows as count, or more")
            if not centres.any(axis=1).all():
                raise ValueError("a centre of the cohort is empty")
            # float32 is exact for whole numbers below 2^24, also for their sums. BLAS is faster than numpy's integers.
            self._centres = centres.astype(np.float32)
            if np.abs(self._centres).max() > max(finest(centres.shape[1]), 128):
                raise ValueError("a centre of the cohort has numbers that are too large for exact sums")
            self._lengths = _lengths(centres)
        self._nearest = nearest
        self._usual = usual

    def around(self, centres: Centres) -> Cohort:
        """The same cohort with its centres in other places, such as turned ones."""
        return Cohort(centres, self._nearest, self._usual)

    def excess(self, rows: NDArray[np.int8]) -> NDArray[np.float64]:
        """The excess of each of N x D templates: N numbers, at least 0. Raises ValueError for templates of another
        length."""
        if self._centres is None:
            return np.zeros(len(rows))
        if rows.shape[1] != self._centres.shape[1]:
            raise ValueError(f"the cohort is of templates of {self._centres.shape[1]} bytes")
        # Some rows at a time, since one takes C numbers of float64, several times.
        return np.concatenate([self._part(rows[i : i + STEP]) for i in range(0, len(rows), STEP)] or [np.empty(0)])

    def _part(self, rows: NDArray[np.int8]) -> NDArray[np.float64]:
        assert self._centres is not None
        dots = (rows.astype(np.float32) @ self._centres.T).astype(np.float64)
        cosines = dots / (_lengths(rows)[:, None] * self._lengths)
        nearest = np.sort(np.partition(cosines, -self._nearest, axis=1)[:, -self._nearest :], axis=1)
        excess: NDArray[np.float64] = np.maximum(0.0, nearest.mean(axis=1) - self._usual)
        return excess

    def score(self, a: Template, b: Template) -> float:
        """The score of two templates, -1..1, which is compared with a threshold."""
        first, second = self.excess(np.stack([a, b])).reshape(2, 1)
        return float(above_strangers(np.array([cosine(a, b)]), first, second)[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Some references in their order, and what a search wants to know of each beforehand."""

    rows: NDArray[np.int8]
    subjects: NDArray[np.bytes_]
    products: Products
    inverses: NDArray[np.float32]
    """1 / length."""
    excess: NDArray[np.float64]

    def near(self, probe: Template, length: float, excess: NDArray[np.float64], best: float) -> NDArray[np.intp]:
        """The rows of which one may have the highest score of all with a probe of this length and excess, if one of
        them has more than `best`."""
        cosines = self.products(probe)
        cosines *= self.inverses
        if best < -1:  # nobody yet: the nearest by cosine leaves few of the others
            nearest = np.array([cosines.argmax()])
            best = float(self._about(nearest, cosines, length, excess)[0])
        # No score is above its cosine: that leaves few rows, or none.
        near = np.flatnonzero(cosines >= np.float32((best - SLACK) * length))
        if near.size:
            scores = self._about(near, cosines, length, excess)
            near = near[scores >= max(float(scores.max()), best) - SLACK]
        return near

    def _about(
        self, chosen: NDArray[np.intp], cosines: NDArray[np.float32], length: float, excess: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return above_strangers(cosines[chosen].astype(np.float64) / length, self.excess[chosen], excess)

    def exactly(
        self, chosen: NDArray[np.intp], probe: Template, length: float, excess: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The scores of the chosen rows, by the formula of Cohort, from plain integers."""
        rows = self.rows[chosen]
        cosines = np.matmul(rows, probe.astype(np.int32), dtype=np.int32) / (_lengths(rows) * length)
        return above_strangers(cosines, self.excess[chosen], excess)


class ReferenceMatrix:
    """All references of one model as blocks of bytes. It is immutable: a changed gallery gets a new matrix."""

    def __init__(
        self,
        model_id: str,
        dimension: int,
        cohort: Cohort,
        references: Iterable[Reference] = (),
        kernel: Kernel | None = None,
    ) -> None:
        """Takes the references one after another and keeps their bytes and subjects alone. `cohort` must be the one
        that the thresholds were measured with; without it scores would be too high for them. `kernel`: how products are
        computed, the fastest way if None; the scores are the same.

        Raises ValueError for a reference of another model or length, because such templates must never be compared.
        """
        if dimension > WIDEST:
            raise ValueError(f"a template has at most {WIDEST} bytes, not {dimension}")
        self.model_id = model_id
        self.dimension = dimension
        self._cohort = cohort
        unread = iter(references)
        read = list(iter(lambda: self._read(unread), None))
        self._count = sum(len(rows) for rows, _ in read)
        prepare = kernel or kernel_for(self._count)
        self._blocks = tuple(self._block(rows, subjects, prepare) for rows, subjects in read)

    def __len__(self) -> int:
        return self._count

    @property
    def sizes(self) -> dict[int, int]:
        """Maps a number of references to the number of subjects that have so many. The threshold depends on this
        (domain.thresholds)."""
        if not self._blocks:
            return {}
        each = np.unique(np.concatenate([block.subjects for block in self._blocks]), return_counts=True)[1]
        numbers, subjects = np.unique(each, return_counts=True)
        return dict(zip(numbers.tolist(), subjects.tolist(), strict=True))

    def search(self, probe: Template, threshold: float) -> Comparison:
        """1:N: the subject with the highest score, whether or not it reaches the threshold; of equal ones the first.

        The kernel's products only choose who may be the nearest: the score itself is computed from plain integers, so
        that no fault of a kernel raises it. Raises ValueError for a probe of another length.
        """
        length, excess = self._measured(probe)
        best, subject_id = -np.inf, None
        for block in self._blocks:
            near = block.near(probe, length, excess, best)
            if not near.size:
                continue
            exact = block.exactly(near, probe, length, excess)
            first = int(np.argmax(exact))
            if exact[first] > best:
                best, subject_id = float(exact[first]), block.subjects[near[first]].decode()
        return Comparison(subject_id, max(best, -1.0), threshold, self.model_id)

    def best(self, probe: Template, subject_id: str) -> tuple[float, int]:
        """1:1: the highest score with this subject's references, and how many they are. Raises ValueError as search."""
        length, excess = self._measured(probe)
        best, count = -1.0, 0
        for block in self._blocks:
            own = np.flatnonzero(block.subjects == subject_id.encode())
            if own.size:
                best, count = max(best, float(block.exactly(own, probe, length, excess).max())), count + own.size
        return best, count

    def _measured(self, probe: Template) -> tuple[float, NDArray[np.float64]]:
        """Length and excess of a probe."""
        if probe.shape != (self.dimension,) or probe.dtype != np.int8:
            raise ValueError(f"a probe has {self.dimension} signed bytes")
        length = float(_lengths(probe[np.newaxis])[0])
        if length == 0:
            raise ValueError("the probe is empty")
        return length, self._cohort.excess(probe[np.newaxis])

    def _read(self, unread: Iterator[Reference]) -> tuple[NDArray[np.int8], NDArray[np.bytes_]] | None:
        """Templates and subjects of the next references, at most BLOCK; None if there are no more."""
        part = list(islice(unread, BLOCK))
        if not part:
            return None
        for r in part:
            if r.model_id != self.model_id:
                raise ValueError(f"reference {r.id} is of model {r.model_id}, not {self.model_id}")
            if r.template.shape != (self.dimension,) or r.template.dtype != np.int8:
                raise ValueError(f"reference {r.id} is not a template of {self.dimension} bytes")
        rows = np.stack([r.template for r in part])
        full = rows.any(axis=1)
        if not full.all():
            raise ValueError(f"reference {part[int(np.argmin(full))].id} is not a template: it is empty")
        return rows, np.array([r.subject_id.encode() for r in part], np.bytes_)

    def _block(self, rows: NDArray[np.int8], subjects: NDArray[np.bytes_], prepare: Kernel) -> _Block:
        excess = self._cohort.excess(rows)
        inverses = (1 / _lengths(rows)).astype(np.float32)
        return _Block(rows, subjects, prepare(rows), inverses, excess)


def _lengths(rows: Centres) -> NDArray[np.float64]:
    """The Euclidean lengths of N x D templates or centres."""
    squares = np.square(rows.astype(np.int32)).sum(axis=1, dtype=np.int32)
    lengths: NDArray[np.float64] = np.sqrt(squares.astype(np.float64))
    return lengths
