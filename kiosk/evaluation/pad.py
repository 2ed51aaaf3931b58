"""Measures presentation attack detection by ISO/IEC 30107-3: APCER, BPCER, and the equal error rate."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Face, Image
from kiosk.domain.ports.recognition import Detector, PresentationAttackDetector
from kiosk.evaluation import figures
from kiosk.evaluation.figures import Rate
from kiosk.evaluation.samples import FolderSamples, Samples, open_samples, pictures, read_image

BONA_FIDE = "bona_fide"
LABELS = frozenset({BONA_FIDE, "attack", "print"})
COLUMNS = frozenset({"shard", "path", "source", "label"})


@dataclass(frozen=True, slots=True)
class Presentation:
    """One picture of the set. `source`: who took it; a folder is one source. `subject`: whom it shows, if a large
    source says so; each such subject then counts as a separate source."""

    samples: Samples
    path: str
    source: str
    bona_fide: bool
    subject: str = ""

    @property
    def group(self) -> str:
        """The name under which its errors are counted."""
        return self.subject or self.source

    def image(self) -> Image:
        """Reads the picture. Raises SampleError for a file that is no picture."""
        return read_image(self.samples, self.path)


@dataclass(frozen=True, slots=True)
class Scored:
    """One picture's `score` by one network: 0 (attack) .. 1 (bona fide). NaN for a picture without a face, which counts
    in no rate."""

    source: str
    bona_fide: bool
    score: float


@dataclass(frozen=True, slots=True)
class PadFigures:
    """The error rates. `apcer`: attacks classified as bona fide. `bpcer`: bona fide presentations classified as
    attacks. `eer` is NaN if one of the two kinds is missing."""

    apcer: Rate
    bpcer: Rate
    eer: float
    eer_threshold: float
    no_face: int


@contextmanager
def open_set(root: Path) -> Iterator[list[Presentation]]:
    """The pictures of a folder that holds `bona_fide` and `attack`, or pad.csv and its shards. Raises SampleError."""
    with ExitStack() as stack:
        if (root / "pad.csv").is_file():
            yield _listed(root, stack)
        elif (root / BONA_FIDE).is_dir() and (root / "attack").is_dir():
            yield _sorted_by_folder(root)
        elif root.is_dir():
            raise SampleError(f"{root}: has neither the folders {BONA_FIDE} and attack nor a pad.csv")
        else:
            raise SampleError(f"{root}: there is no such folder")


def _sorted_by_folder(root: Path) -> list[Presentation]:
    found = []
    for label in (BONA_FIDE, "attack"):
        samples = FolderSamples(root / label)
        found += [Presentation(samples, name, root.name, label == BONA_FIDE) for name in pictures(samples)]
    return found


def _listed(root: Path, stack: ExitStack) -> list[Presentation]:
    path = root / "pad.csv"
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SampleError(f"{path}: cannot be read ({error})") from error
    shards: dict[str, Samples] = {}
    found = []
    for line, row in enumerate(rows, start=2):
        if any(row.get(column) is None for column in COLUMNS):
            raise SampleError(f"{path}: line {line}: needs the columns {', '.join(sorted(COLUMNS))}")
        if row["label"] not in LABELS:
            raise SampleError(f"{path}: line {line}: the label is none of {', '.join(sorted(LABELS))}")
        shard = row["shard"]
        if shard not in shards:
            shards[shard] = stack.enter_context(open_samples(root / shard))
        bona_fide, subject = row["label"] == BONA_FIDE, row.get("subject") or ""
        found.append(Presentation(shards[shard], row["path"], row["source"], bona_fide, subject))
    return found


def select(presentations: list[Presentation], sources: tuple[str, ...]) -> list[Presentation]:
    """The presentations of the named sources or subjects; all if none is named. Raises SampleError for an unknown
    name."""
    known = {p.source for p in presentations} | {p.group for p in presentations}
    unknown = [s for s in sources if s not in known]
    if unknown:
        raise SampleError(f"there is no source {unknown[0]!r}; known: {', '.join(sorted(known)) or 'none'}")
    return [p for p in presentations if not sources or p.source in sources or p.group in sources]


def run(
    presentations: Iterable[Presentation], detector: Detector, pads: Sequence[PresentationAttackDetector]
) -> Iterator[list[Scored]]:
    """For each picture: the score of its largest face by each network, as at the door. 0 if the network fails, because
    that denies at the door."""
    for p in presentations:
        image = p.image()
        try:
            faces = detector.detect(image)
        except ValueError:
            yield [Scored(p.group, p.bona_fide, 0.0) for _ in pads]
            continue
        yield [Scored(p.group, p.bona_fide, _score(pad, image, faces)) for pad in pads]


def _score(pad: PresentationAttackDetector, image: Image, faces: Sequence[Face]) -> float:
    try:
        return pad.score(image, faces[0]) if faces else math.nan
    except ValueError:
        return 0.0


def measure(scored: list[Scored], threshold: float) -> PadFigures:
    """The error rates at `threshold`, and the equal error rate."""
    bona_fide, attacks = scores(scored)
    eer = figures.equal_error(bona_fide, attacks) if bona_fide.size and attacks.size else (math.nan, math.nan)
    return PadFigures(
        apcer=figures.clopper_pearson(int((attacks >= threshold).sum()), attacks.size),
        bpcer=figures.clopper_pearson(int((bona_fide < threshold).sum()), bona_fide.size),
        eer=eer[0],
        eer_threshold=eer[1],
        no_face=sum(math.isnan(s.score) for s in scored),
    )


def by_source(scored: list[Scored], threshold: float) -> dict[str, PadFigures]:
    """The figures of each source, sorted by name."""
    names = sorted({s.source for s in scored})
    return {name: measure([s for s in scored if s.source == name], threshold) for name in names}


def threshold_with(bona_fide: NDArray[np.float64], refused: int) -> float:
    """The highest threshold that refuses at most `refused` bona fide presentations. With it two networks are compared
    at the same BPCER. Raises ValueError without bona fide presentations."""
    ordered = np.sort(bona_fide)
    if not ordered.size:
        raise ValueError("a threshold needs bona fide presentations")
    return float(ordered[refused]) if refused < ordered.size else math.nextafter(float(ordered[-1]), math.inf)


def mean_error(sources: Mapping[str, PadFigures]) -> float:
    """The mean of APCER and BPCER over the sources, with the same weight for each; NaN if none has both kinds."""
    both = [(r.apcer.rate + r.bpcer.rate) / 2 for r in sources.values() if r.apcer.trials and r.bpcer.trials]
    return float(np.mean(both)) if both else math.nan


def scores(scored: list[Scored]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(bona fide scores, attack scores), without the pictures that had no face."""
    kept = [s for s in scored if not math.isnan(s.score)]
    return (
        np.array([s.score for s in kept if s.bona_fide], np.float64),
        np.array([s.score for s in kept if not s.bona_fide], np.float64),
    )
