"""The cohort of an embedder (kiosk.domain.matching.Cohort): centres among the strangers that it was trained with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.domain.matching import Cohort
from models.train.embedder.second_teacher import unit

CENTRES = 512  # of some 45,000 faces: no centre is near to one person
NEAREST = 8
ROUNDS = 12  # of k-means: after these next to no face changes its centre


@dataclass(frozen=True)
class Centres:
    """`rows`: C x D templates. `usual`: the median over the training faces of the mean cosine to the nearest centres;
    a face that resembles strangers more than that loses score."""

    rows: NDArray[np.int8]
    usual: float
    nearest: int = NEAREST

    def cohort(self) -> Cohort:
        return Cohort(self.rows, self.nearest, self.usual)

    def write(self, path: Path) -> None:
        np.save(path, self.rows)


def centres_of(faces: NDArray[np.int8], count: int = CENTRES) -> Centres:
    """N x D templates of strangers -> the centres of their clusters, by k-means on the sphere from `count` of them."""
    rows = unit(faces.astype(np.float32))
    rng = np.random.default_rng(0)
    centres = rows[rng.choice(len(rows), count, replace=False)]
    for _ in tqdm(range(ROUNDS), desc="cohort", mininterval=20):
        nearest = (rows @ centres.T).argmax(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, rows)
        empty = np.bincount(nearest, minlength=count) == 0
        sums[empty] = rows[rng.choice(len(rows), int(empty.sum()))]
        centres = unit(sums)
    # Only the direction counts: the largest number of each becomes 127.
    kept = np.rint(centres * (127 / np.abs(centres).max(1, keepdims=True))).astype(np.int8)
    likeness = Cohort(kept, min(NEAREST, count), usual=-1.0).excess(faces) - 1.0
    return Centres(kept, round(float(np.median(likeness)), 4), min(NEAREST, count))
