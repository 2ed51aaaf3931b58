"""Verification by the protocol of Labeled Faces in the Wild (UMass Amherst technical report 07-49), and on all pairs.

Each picture goes through detector, alignment, embedder and byte template of this project. A pair has the score of a
search at the door. Quality gate and PAD are not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Face, Image, Vector
from kiosk.domain.matching import Cohort, above_strangers, rounded
from kiosk.domain.people import Template
from kiosk.domain.ports.recognition import Detector, Embedder
from kiosk.evaluation import figures
from kiosk.evaluation.figures import CrossValidation, Fold, Tar
from kiosk.evaluation.samples import Samples, pictures, read_image

FARS = {"0.001": 1e-3, "0.0001": 1e-4, "0.00001": 1e-5, "0.000001": 1e-6}
FOLDS_OF_ONE_LIST = 10

Templates = Mapping[str, Template | None]
"""The template of each picture; None if no face was found."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, named without folder and suffix: `Name_0001`."""

    first: str
    second: str
    mated: bool


PairList = tuple[tuple[Pair, ...], ...]
"""The pairs of each fold."""


@dataclass(frozen=True, slots=True)
class AllPairs:
    """Scores of every pair of the pictures. NaN: not compared, because a picture of the pair has no face."""

    mated: NDArray[np.float32]
    non_mated: NDArray[np.float32]

    def tars(self) -> dict[str, Tar]:
        """TAR at each of FARS; empty if there is no mated or no non-mated pair."""
        if not self.mated.size or not (~np.isnan(self.non_mated)).any():
            return {}
        return {name: figures.tar_at_far(self.mated, self.non_mated, far) for name, far in FARS.items()}


def find_list(name: Path, root: Path, samples: Samples) -> str:
    """The text of a list of pairs, from a file on disk or a file of `samples` with this name. Raises SampleError."""
    try:
        if name.is_file():
            return name.read_text(encoding="utf-8")
        members = [n for n in samples.names if f"/{n}".endswith(f"/{name.as_posix()}")]
        if len(members) != 1:
            raise SampleError(f"{name}: {len(members) or 'no'} such lists of pairs on disk or in {root}; name one")
        return samples.read(members[0]).decode("utf-8")
    except OSError as error:
        raise SampleError(f"{name}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SampleError(f"{name}: not a list of pairs (not text)") from error


def parse_pairs(text: str, source: str) -> PairList:
    """Reads both official formats. First line `N`: N mated lines, then N non-mated ones, put into ten folds
    alternately. First line `F N`: F times N mated lines, then N non-mated ones. Raises SampleError, which names the
    wrong line."""
    header, *lines = text.rstrip().splitlines() or [""]
    try:
        numbers = [int(n) for n in header.split()]
    except ValueError:
        numbers = []
    if len(numbers) not in {1, 2} or min(numbers) < 1:
        raise SampleError(f"{source}: line 1: not a list of pairs; it begins with one number, or with two")
    parts, each = (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
    if parts * each * 2 != len(lines):
        raise SampleError(f"{source}: {parts * each * 2} pairs are announced, {len(lines)} follow")
    pairs = [_pair(line, f"{source}: line {i}") for i, line in enumerate(lines, start=2)]
    for i, pair in enumerate(pairs):
        if pair.mated != (i % (2 * each) < each):
            raise SampleError(f"{source}: line {i + 2}: a {'' if pair.mated else 'non-'}mated pair is out of its place")
    if len(numbers) == 2:
        if parts < 2:
            raise SampleError(f"{source}: one fold: a threshold from the others needs at least two")
        return tuple(tuple(pairs[2 * each * k : 2 * each * (k + 1)]) for k in range(parts))
    if each < FOLDS_OF_ONE_LIST:
        raise SampleError(f"{source}: {each} mated pairs are too few for {FOLDS_OF_ONE_LIST} folds")
    mated, non_mated = pairs[:each], pairs[each:]
    return tuple((*mated[k::FOLDS_OF_ONE_LIST], *non_mated[k::FOLDS_OF_ONE_LIST]) for k in range(FOLDS_OF_ONE_LIST))


def _pair(line: str, where: str) -> Pair:
    fields = line.split()
    try:
        if len(fields) == 3:
            name, i, j = fields
            return Pair(picture_name(name, int(i)), picture_name(name, int(j)), mated=True)
        if len(fields) == 4:
            name, i, other, j = fields
            return Pair(picture_name(name, int(i)), picture_name(other, int(j)), mated=name == other)
    except ValueError:
        pass
    raise SampleError(f"{where}: not a pair (Name i j, or Name i Other j)")


def picture_name(person: str, number: int) -> str:
    """The name of a picture in LFW, without the suffix."""
    return f"{person}_{number:04d}"


def person(picture: str) -> str:
    """The person in a picture's name."""
    return picture.rpartition("_")[0]


def locate(folds: PairList, samples: Samples, root: Path) -> dict[str, str]:
    """Path of each picture of the list, in the order that is fastest to read. Raises SampleError for a missing
    picture."""
    wanted = {name for fold in folds for pair in fold for name in (pair.first, pair.second)}
    found = {stem: path for path in pictures(samples) if (stem := PurePosixPath(path).stem) in wanted}
    missing = sorted(wanted - found.keys())
    if missing:
        raise SampleError(f"{root}: {len(missing)} pictures of the list are missing, {missing[0]} among them")
    return found


def central(faces: Sequence[Face], image: Image) -> Face | None:
    """The face nearest to the picture's centre, which in LFW is the subject."""
    height, width = image.shape[:2]
    return min(
        faces,
        key=lambda f: (f.box.centre[0] - width / 2) ** 2 + (f.box.centre[1] - height / 2) ** 2,
        default=None,
    )


def vector(image: Image, detector: Detector, embedder: Embedder) -> Vector | None:
    """The scaled feature vector of the central face. None for a picture without a face that the networks can use: a
    failure to enrol (FTE)."""
    try:
        face = central(detector.detect(image), image)
        made = None if face is None else embedder.embed(image, face)
        return None if made is None else made.vector
    except ValueError:
        return None


def template(image: Image, detector: Detector, embedder: Embedder) -> Template | None:
    """The template of the central face, not turned; None as `vector`."""
    found = vector(image, detector, embedder)
    return None if found is None else rounded(found)


def templates(
    paths: Iterable[tuple[str, str]], samples: Samples, detector: Detector, embedder: Embedder
) -> dict[str, Template | None]:
    """The template of each (name, path). Raises SampleError for a file that is no picture."""
    return {name: template(read_image(samples, path), detector, embedder) for name, path in paths}


def verify(folds: PairList, found: Templates, cohort: Cohort) -> CrossValidation:
    """Accuracy over the list's folds. A pair with a picture without a face is an error, mated or not.

    Raises SampleError when so many pictures have no face that no threshold can be chosen.
    """
    try:
        return figures.cross_validate([fold_scores(fold, found, cohort) for fold in folds])
    except ValueError as error:
        raise SampleError(f"no face was found in {sum(t is None for t in found.values())} pictures: {error}") from error


def fold_scores(fold: Sequence[Pair], found: Templates, cohort: Cohort) -> Fold:
    """The scores of a fold; NaN for a pair with a picture without a face."""
    mated = [_score(pair, found, cohort) for pair in fold if pair.mated]
    non_mated = [_score(pair, found, cohort) for pair in fold if not pair.mated]
    return Fold(np.array(mated, np.float64), np.array(non_mated, np.float64))


def scores(folds: PairList, found: Templates, cohort: Cohort) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(mated, non-mated) scores of all pairs of a list."""
    parts = [fold_scores(fold, found, cohort) for fold in folds]
    return np.concatenate([p.mated for p in parts]), np.concatenate([p.non_mated for p in parts])


def _score(pair: Pair, found: Templates, cohort: Cohort) -> float:
    a, b = found[pair.first], found[pair.second]
    return np.nan if a is None or b is None else cohort.score(a, b)


def all_pairs(found: Templates, cohort: Cohort) -> AllPairs:
    """Compares every picture with every other one. Pairs of the same person are mated."""
    people = np.unique([person(name) for name in found], return_inverse=True)[1]
    length = next((len(t) for t in found.values() if t is not None), 1)
    # An FTE is a row of NaN, so every score with it is NaN too.
    rows = np.array([np.full(length, np.nan) if t is None else t for t in found.values()], np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    excess = np.array([0.0 if t is None else cohort.excess(t[np.newaxis])[0] for t in found.values()], np.float32)
    mated, non_mated = [], []
    for i in range(len(rows) - 1):
        scores = above_strangers(rows[i + 1 :] @ rows[i], excess[i + 1 :], excess[i : i + 1])
        same = people[i + 1 :] == people[i]
        mated.append(scores[same])
        non_mated.append(scores[~same])
    nothing = np.empty(0, np.float32)
    return AllPairs(np.concatenate([nothing, *mated]), np.concatenate([nothing, *non_mated]))
