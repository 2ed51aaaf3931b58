"""Measures presentation attack detection in attempts: the result for a person, or for a still picture held before the
camera, over a window of frames.

Attacks are drawn as every species at every distance (`species`). Intervals are Clopper and Pearson's.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from pathlib import Path

import numpy as np

from kiosk.cameras.sources import is_clip, stills
from kiosk.demonstration.scene import HOLD_BEGINS, Scene
from kiosk.demonstration.story import STORY, Kind, Visit
from kiosk.domain.attempt import Rules
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Box, Image
from kiosk.domain.ports.recognition import Detector, PresentationAttackDetector
from kiosk.evaluation.figures import Rate, clopper_pearson
from kiosk.evaluation.pad import Presentation
from kiosk.evaluation.species import Distance, Species, draw, held

FRAMES = 15
"""Number of frames of an attempt: one second of most cameras."""
SCENE_RATE = 15.0
"""Frames a second of the demonstration's scene."""
SPECIES = tuple(
    (s, d) for s, d in product(Species, Distance) if s is not Species.AS_FRAMED or d is Distance.MIDDLE
)  # "as framed" has only the distance at which the picture was taken
"""The species and distances in which each attack is presented."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Attempts that are counted together. A bona fide presentation has no species. `distance` is empty for pictures at
    the distance at which they were taken."""

    source: str
    species: str
    distance: str
    bona_fide: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt of one cell: the scores of its frames, NaN if no face was found."""

    cell: Cell
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """The counts of one or several cells: frames and attempts that passed as bona fide, of those with a face."""

    frames: Rate
    attempts: Rate
    no_face: int
    """Number of attempts in which too few frames showed a face. They count in no rate."""


def granted(scores: Sequence[float], threshold: float, rules: Rules) -> bool | None:
    """Whether PAD lets an attempt through, as at the door (`domain.attempt`): it needs `needed` frames in a row,
    because a denied frame voids the window. The attempt ends with more denials than a window has spare frames. A frame
    without a face counts neither way. None if too few frames show a face."""
    seen = [s for s in scores if not math.isnan(s)]
    if len(seen) < rules.needed:
        return None
    run = denied = 0
    for s in seen:
        if s >= threshold:
            run += 1
        else:
            run, denied = 0, denied + 1
        if run == rules.needed:
            return True
        if denied > rules.window - rules.needed:
            return False
    return False


def attacks(
    presentations: Sequence[Presentation], detector: Detector, most: int
) -> Iterator[tuple[Cell, Iterable[Image]]]:
    """Every species at every distance, from at most `most` pictures of each source, spread evenly over it."""
    for p in _spread([p for p in presentations if not p.bona_fide], most):
        image = p.image()
        box = _box(detector, image)
        if box is None:
            continue
        for species, distance in SPECIES:
            rng = np.random.default_rng(zlib.crc32(f"{p.path} {species} {distance}".encode()))
            shown = "" if species is Species.AS_FRAMED else distance.value
            frame = draw(image, box, species, distance, rng)
            yield Cell(p.group, species.value, shown, False), held(frame, FRAMES, rng)


def bona_fide(presentations: Sequence[Presentation], most: int) -> Iterator[tuple[Cell, Iterable[Image]]]:
    """The unchanged bona fide pictures, moved as the attacks are, so that only the face differs."""
    for p in _spread([p for p in presentations if p.bona_fide], most):
        rng = np.random.default_rng(zlib.crc32(p.path.encode()))
        yield Cell(p.group, "", "", True), held(p.image(), FRAMES, rng)


def clips(paths: Sequence[Path]) -> Iterator[tuple[Cell, Iterable[Image]]]:
    """Clips of people, or folders of clips, in windows of FRAMES. Raises SampleError; for a missing clip at once."""
    those: list[Path] = []
    for path in paths:
        found = sorted(p for p in path.iterdir() if is_clip(p)) if path.is_dir() else [path]
        if not found:
            raise SampleError(f"{path}: the folder holds no clips")
        if not found[0].exists():
            raise SampleError(f"{path}: there is no such clip or folder")
        those += found
    return _windows(those)


def _windows(those: Sequence[Path]) -> Iterator[tuple[Cell, Iterable[Image]]]:
    for clip in those:
        frames = stills(clip)
        while len(window := [still.image for still in islice(frames, FRAMES)]) == FRAMES:
            yield Cell(clip.name, "", "", True), window


def scene() -> Iterator[tuple[Cell, Iterable[Image]]]:
    """Frames of the demonstration's people while they stand before the door."""
    rendered = Scene(0)
    for visit in STORY:
        if visit.kind is Kind.LIVE:
            times = (HOLD_BEGINS + k / SCENE_RATE for k in range(FRAMES))
            yield (
                Cell("demonstration", "", "", True),
                map(partial(_rendered, rendered, visit), times, range(FRAMES)),
            )


def run(
    presented: Iterable[tuple[Cell, Iterable[Image]]], detector: Detector, pad: PresentationAttackDetector
) -> Iterator[Trial]:
    """Scores the largest face of each frame, as at the door. 0 if a network fails, because that denies at the door."""
    for cell, frames in presented:
        yield Trial(cell, tuple(_score(image, detector, pad) for image in frames))


def count(trials: Iterable[Trial], threshold: float) -> Count:
    """Counts what passed at `threshold`."""
    rules = Rules()
    trials = list(trials)
    scores = np.array([s for t in trials for s in t.scores], np.float64)
    scores = scores[~np.isnan(scores)]
    outcomes = [granted(t.scores, threshold, rules) for t in trials]
    return Count(
        frames=clopper_pearson(int((scores >= threshold).sum()), scores.size),
        attempts=clopper_pearson(outcomes.count(True), len(outcomes) - outcomes.count(None)),
        no_face=outcomes.count(None),
    )


def refused(c: Count) -> Count:
    """The counts of what did not pass: the errors of bona fide presentations."""
    frames, attempts = (clopper_pearson(r.trials - r.errors, r.trials) for r in (c.frames, c.attempts))
    return Count(frames, attempts, c.no_face)


def _spread(presentations: Sequence[Presentation], most: int) -> Iterator[Presentation]:
    for group in sorted({p.group for p in presentations}):
        those = [p for p in presentations if p.group == group]
        picked = np.unique(np.linspace(0, len(those) - 1, min(most, len(those))).round().astype(int))
        yield from (those[k] for k in picked)


def _box(detector: Detector, image: Image) -> Box | None:
    try:
        faces = detector.detect(image)
    except ValueError:
        return None
    return faces[0].box if faces else None


def _score(image: Image, detector: Detector, pad: PresentationAttackDetector) -> float:
    try:
        faces = detector.detect(image)
        return pad.score(image, faces[0]) if faces else math.nan
    except ValueError:
        return 0.0


def _rendered(rendered: Scene, visit: Visit, t: float, number: int) -> Image:
    return rendered.render(visit, t, number)
