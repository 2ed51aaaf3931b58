"""Measures what accuracy an int8 network and a byte template cost: several networks and templates on the same faces.

Detector and alignment run once for each picture. Each network gives a feature vector of the aligned face, and each kind
of template is made from that vector. The figures are those of `kiosk evaluate lfw`. The intervals are of the loss in
TAR, paired, by bootstrap over the people of the pictures. Scores are cosines without the cohort's correction, because
that was measured for one network with byte templates, and templates are compared here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Image, Vector
from kiosk.domain.matching import quantize
from kiosk.domain.ports.recognition import Detector
from kiosk.evaluation import figures
from kiosk.evaluation.figures import CrossValidation, Fold, Tar
from kiosk.evaluation.lfw import Pair, PairList, central, person
from kiosk.evaluation.resampling import Interval, Mated, NonMated, tar_loss
from kiosk.evaluation.samples import Samples, read_image
from kiosk.vision.alignment import align
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import EmbedderEntry
from kiosk.vision.network import Network

FARS = (1e-3, 1e-4)
LOSS_FAR = 1e-3
DECIMALS = 6
"""Decimals of a score. Scores are rounded because float32 sums differ in the last digits, and equal Hamming distances
must stay equal."""

Rows = NDArray[np.float32]
"""One template a row, scaled so that the product of two rows is their score; NaN for a picture without a face."""


class Form(StrEnum):
    """What a template keeps of a feature vector. FLOAT: the unit vector. BYTES: the kiosk's template. BITS: only the
    signs, compared by Hamming distance: score = 1 - 2 distance / bits."""

    FLOAT = "float"
    BYTES = "bytes"
    BITS = "bits"


FP32, INT8, REDUCED = "fp32", "int8", "7-bit"
FORMS = {FP32: (Form.FLOAT, Form.BYTES), INT8: (Form.FLOAT, Form.BYTES, Form.BITS), REDUCED: (Form.BYTES,)}
COMPARED = (
    ((FP32, Form.BYTES), (INT8, Form.BYTES)),
    ((INT8, Form.FLOAT), (INT8, Form.BYTES)),
    ((FP32, Form.FLOAT), (INT8, Form.BYTES)),
    ((INT8, Form.FLOAT), (INT8, Form.BITS)),
    ((FP32, Form.BYTES), (REDUCED, Form.BYTES)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The figures of one network with one form of template. `scores`: all mated and all non-mated scores."""

    network: str
    form: Form
    view: CrossValidation
    tars: tuple[Tar, ...]
    mated: Mated
    non_mated: NonMated
    scores: tuple[NDArray[np.float32], NDArray[np.float32]]

    @property
    def name(self) -> str:
        """Network and template as text."""
        return f"{self.network} network, {self.form} template"


@dataclass(frozen=True, slots=True)
class Loss:
    """TAR at LOSS_FAR of `before` minus that of `after`, 0..1, with its 95% interval."""

    before: str
    after: str
    loss: float
    interval: Interval


def aligned_faces(paths: Iterable[tuple[str, str]], samples: Samples, detector: Detector) -> dict[str, Image | None]:
    """The central face of each (name, path), aligned; None if there is no face. Raises SampleError."""
    faces: dict[str, Image | None] = {}
    for name, path in paths:
        image = read_image(samples, path)
        try:
            face = central(detector.detect(image), image)
            faces[name] = None if face is None else align(image, face)
        except ValueError:
            faces[name] = None
    return faces


def like(entry: EmbedderEntry, path: Path, threads: int) -> FaceEmbedder:
    """Loads the network of a file. Assumes that it has the input and output of `entry`. Raises ModelError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    own = entry.model_copy(update={"answers": ()})  # the second output came later than the fp32 file
    embedder = FaceEmbedder(Network(content, entry.input, str(path), threads), own)
    try:
        embedder.vector(np.zeros((112, 112, 3), np.uint8))
    except Exception as error:
        problem = str(error).splitlines()[0]
        raise ModelError(f"{path}: not a network like {entry.name}, which it must be: {problem}") from error
    return embedder


def vectors(faces: Mapping[str, Image | None], embedder: FaceEmbedder) -> list[Vector | None]:
    """The feature vector of each face, in the order of `faces`."""
    return [None if face is None else embedder.vector(face) for face in faces.values()]


def rows(found: Sequence[Vector | None], form: Form, scale: float) -> Rows:
    """The templates as rows. A zero vector counts as a picture without a face."""
    length = next((v.size for v in found if v is not None), 1)
    return np.array([_row(v, form, scale, length) for v in found], np.float32)


def _row(vector: Vector | None, form: Form, scale: float, length: int) -> NDArray[np.float32]:
    nothing = np.full(length, np.nan, np.float32)
    if vector is None:
        return nothing
    try:
        template = quantize(vector, scale)
    except ValueError:
        return nothing
    kept = {Form.FLOAT: vector, Form.BYTES: template, Form.BITS: np.where(vector >= 0, 1, -1)}[form]
    row = np.asarray(kept, np.float32)
    unit: NDArray[np.float32] = row / np.linalg.norm(row)
    return unit


def run(
    networks: Mapping[str, FaceEmbedder], faces: Mapping[str, Image | None], folds: PairList, scale: float
) -> list[Result]:
    """Measures each network with its FORMS. Raises ValueError if there are too few pairs of faces."""
    results = []
    for network, embedder in networks.items():
        found = vectors(faces, embedder)
        results += [measure(network, form, rows(found, form, scale), list(faces), folds) for form in FORMS[network]]
    return results


def measure(network: str, form: Form, given: Rows, names: Sequence[str], folds: PairList) -> Result:
    """The figures of one network and template. Raises ValueError if there are no pairs to choose a threshold from."""
    people = np.unique([person(n) for n in names], return_inverse=True)[1].astype(np.int64)
    mated, non_mated, scores = compare(given, people, max(FARS))
    place = {name: k for k, name in enumerate(names)}
    view = figures.cross_validate([_fold(fold, given, place) for fold in folds])
    tars = tuple(figures.tar_at_far(scores[0], scores[1], far) for far in FARS)
    return Result(network, form, view, tars, mated, non_mated, scores)


def _fold(fold: Sequence[Pair], given: Rows, place: Mapping[str, int]) -> Fold:
    def scores(mated: bool) -> NDArray[np.float32]:
        pairs = [(place[p.first], place[p.second]) for p in fold if p.mated == mated]
        return np.array([given[a] @ given[b] for a, b in pairs], np.float32).round(DECIMALS)

    return Fold(scores(True), scores(False))


def compare(
    given: Rows, people: NDArray[np.int64], far: float
) -> tuple[Mated, NonMated, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Compares every picture with every other one. Returns the mated scores, the highest non-mated scores (enough for
    `far`), and all scores."""
    place = np.arange(len(given))
    parts: dict[bool, list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]] = {True: [], False: []}
    for i in place[:-1]:
        scores = (given[i + 1 :] @ given[i]).round(DECIMALS)
        same = people[i + 1 :] == people[i]
        for mated, chosen in ((True, same), (False, ~same & ~np.isnan(scores))):
            parts[mated].append((scores[chosen], np.full(chosen.sum(), people[i]), people[i + 1 :][chosen]))
    if not parts[True] or not parts[False]:
        raise ValueError("there are no pictures to compare")
    mated_scores, mated_people, _ = (np.concatenate(column) for column in zip(*parts[True], strict=True))
    others, first, second = (np.concatenate(column) for column in zip(*parts[False], strict=True))
    # A picture without a face takes part in no non-mated pair.
    pictures = np.bincount(people[~np.isnan(given[:, 0])], minlength=int(np.max(people)) + 1)
    return (
        Mated(np.nan_to_num(mated_scores, nan=-np.inf).astype(np.float64), mated_people),
        NonMated.best(others, first, second, pictures, far),
        (mated_scores, others),
    )


def losses(results: Sequence[Result]) -> list[Loss]:
    """For each possible comparison of COMPARED: the loss of the second against the first in TAR at LOSS_FAR."""
    by_kind = {(r.network, r.form): r for r in results}
    return [_loss(by_kind[a], by_kind[b]) for a, b in COMPARED if a in by_kind and b in by_kind]


def _loss(before: Result, after: Result) -> Loss:
    lost = before.tars[0].tar - after.tars[0].tar
    interval = tar_loss((before.mated, before.non_mated), (after.mated, after.non_mated), LOSS_FAR)
    return Loss(before.name, after.name, lost, interval)
