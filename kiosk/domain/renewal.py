"""Renewable templates: a secret matrix of the gallery turns each feature vector before it is rounded to bytes.

An orthogonal matrix keeps all angles, so scores stay what they are up to the rounding. Templates of two galleries, or
of one gallery before and after a new matrix, have no angle in common, so that they cannot be linked without the
matrices; and a new matrix makes stolen templates worthless without enrolling anybody again (ISO/IEC 24745: renewability
and unlinkability). It is a second lock behind the encryption, not irreversibility: whoever has the matrix turns back,
and whoever knows enough faces of a gallery finds it (`kiosk evaluate linkage`).

The network's own vector (Vector, float32) and the template (Template, signed bytes) are different types: what is stored
or searched is a Template, and in a gallery only `Turning.template` makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.decision import Comparison
from kiosk.domain.face import Vector
from kiosk.domain.matching import Cohort, ReferenceMatrix, finest, rounded
from kiosk.domain.people import Reference, Template
from kiosk.domain.products import Kernel
from kiosk.domain.thresholds import Thresholds

SKEW = 1e-4
"""How far the product of a matrix with its own transpose may be from the identity: float32 leaves less than 1e-6."""


def randomness(dimension: int) -> int:
    """Number of random bytes that `Turning.made` takes."""
    return 8 * (dimension * dimension + dimension * dimension % 2)


class Turning:
    """An orthogonal matrix that feature vectors are turned by; the identity without one. Its text never shows it."""

    __slots__ = ("_matrix",)

    def __init__(self, matrix: NDArray[np.float32] | None = None) -> None:
        """Raises ValueError for a matrix that is not orthogonal, because scores would then be wrong."""
        if matrix is not None:
            wide = matrix.astype(np.float64)
            square = wide.ndim == 2 and wide.shape[0] == wide.shape[1]
            if not square or not np.abs(wide @ wide.T - np.eye(len(wide))).max() < SKEW:
                raise ValueError("the matrix that turns the templates is not orthogonal")
        self._matrix = matrix

    @classmethod
    def made(cls, random: bytes, dimension: int) -> Turning:
        """A matrix of secret random bytes (`randomness(dimension)` of them), each orthogonal one being as likely as any
        other: the Q of a Gaussian matrix, with the signs of R's diagonal (Mezzadri, arXiv math-ph/0609050). The numbers
        are made Gaussian by Box and Muller. Raises ValueError for another number of bytes."""
        if len(random) != randomness(dimension):
            raise ValueError(f"a matrix of {dimension} rows takes {randomness(dimension)} random bytes")
        uniform = ((np.frombuffer(random, "<u8") >> np.uint64(11)) + 0.5) * 2.0**-53
        first, second = np.split(uniform, 2)
        radius, angle = np.sqrt(-2 * np.log(first)), 2 * np.pi * second
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[: dimension * dimension]
        q, r = np.linalg.qr(normal.reshape(dimension, dimension))
        return cls((q * np.sign(np.diag(r))).astype(np.float32))

    @classmethod
    def of_bytes(cls, content: bytes) -> Turning:
        """The inverse of `to_bytes`. Raises ValueError for anything else."""
        numbers = np.frombuffer(content, "<f4")
        side = int(np.sqrt(numbers.size))
        return cls(numbers.reshape(side, side).astype(np.float32))

    def to_bytes(self) -> bytes:
        """The matrix itself, row by row, as float32 with the lowest byte first, so that another version of numpy turns
        in the same way. Raises ValueError for the identity, which is no secret."""
        if self._matrix is None:
            raise ValueError("there is no matrix")
        return self._matrix.astype("<f4").tobytes()

    def __repr__(self) -> str:
        return "Turning()" if self._matrix is None else "Turning(secret)"

    def template(self, vector: Vector) -> Template:
        """The template of a scaled feature vector. A turned one is made as long as fits into its bytes, which rounds it
        the least: scores are cosines, so its length counts for nothing. Raises ValueError for a vector of another
        length, or that has no direction."""
        turned = self.vector(vector)
        return rounded(turned if self._matrix is None else _stretched(turned))

    def vector(self, vector: Vector) -> Vector:
        """The turned vector. Raises ValueError for one of another length, or that is not finite."""
        matrix = self._matrix
        found = np.asarray(vector, np.float32)
        if matrix is None:
            return found
        if found.shape != matrix.shape[:1]:
            raise ValueError(f"a feature vector has {len(matrix)} numbers, not {found.shape}")
        if not np.isfinite(found).all():
            raise ValueError("the feature vector is not finite")
        turned: Vector = matrix @ found
        return turned

    def cohort(self, cohort: Cohort) -> Cohort:
        """The cohort for turned templates: its centres turned in the same way, in steps that are fine enough to leave
        each excess as it is, and rounded, so that sums stay exact."""
        if self._matrix is None or cohort.centres is None:
            return cohort
        turned = cohort.centres.astype(np.float32) @ self._matrix.T
        largest = np.abs(turned).max(axis=1, keepdims=True)
        return cohort.around(np.rint(turned * (finest(len(self._matrix)) / largest)).astype(np.int16))

    def onto(self, other: Turning) -> Turning:
        """What turns vectors that this one has turned as the other one would have turned them."""
        if self._matrix is None or other._matrix is None:
            back = None if self._matrix is None else self._matrix.T.copy()
            return Turning(back if other._matrix is None else other._matrix)
        return Turning((other._matrix.astype(np.float64) @ self._matrix.T).astype(np.float32))


def _stretched(vector: Vector) -> Vector:
    """The vector with 127 or -127 as its largest number."""
    largest = float(np.abs(vector).max())
    if largest == 0:
        raise ValueError("the feature vector has no direction")
    found: Vector = vector * np.float32(127 / largest)
    return found


UNTURNED = Turning()
"""For whatever is compared outside a gallery: two vectors in memory, and research sets."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """The references of one model, and what turned them: both of one moment."""

    turning: Turning
    references: Sequence[Reference]


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """What comparisons with one network's references need to know. `by`: how records name these comparisons, if not by
    the model_id: those through a map of another network's vectors (domain.transition)."""

    model_id: str
    dimension: int
    thresholds: Thresholds
    cohort: Cohort
    by: str = ""

    def matrix(self, turning: Turning, references: Iterable[Reference]) -> TurnedMatrix:
        """These references of this network as one matrix. Raises ValueError as TurnedMatrix does."""
        return TurnedMatrix(self.model_id, self.dimension, self.cohort, turning, references, by=self.by)


class TurnedMatrix:
    """References of one gallery that are searched with feature vectors: the one place where a probe is turned."""

    def __init__(
        self,
        model_id: str,
        dimension: int,
        cohort: Cohort,
        turning: Turning,
        references: Iterable[Reference] = (),
        kernel: Kernel | None = None,
        by: str = "",
    ) -> None:
        """`cohort`: the one that the thresholds were measured with, not turned. `by`: see Measure. Raises ValueError as
        ReferenceMatrix does."""
        self._turning = turning
        self._by = by
        self._matrix = ReferenceMatrix(model_id, dimension, turning.cohort(cohort), references, kernel)

    def __len__(self) -> int:
        return len(self._matrix)

    @property
    def sizes(self) -> dict[int, int]:
        """Maps a number of references to the number of subjects that have so many."""
        return self._matrix.sizes

    def search(self, probe: Vector, threshold: float) -> Comparison:
        """1:N: the subject with the highest score. Raises ValueError for a probe of another length."""
        found = self._matrix.search(self._turning.template(probe), threshold)
        return replace(found, model_id=self._by) if self._by else found

    def best(self, probe: Vector, subject_id: str) -> tuple[float, int]:
        """1:1: see ReferenceMatrix.best."""
        return self._matrix.best(self._turning.template(probe), subject_id)
