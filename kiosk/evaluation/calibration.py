"""PAD with one site's own camera: people and attacks are presented to it, one after another.

Only the scores of a presentation's usable frames are kept. A presentation passes like an attempt at the door: with
enough usable frames in a row that PAD lets through, before the third that it denies. Intervals are Clopper and
Pearson's, 95%.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kiosk.domain.attempt import Rules
from kiosk.domain.face import Frame
from kiosk.domain.ports.recognition import Detector, PresentationAttackDetector, QualityGate
from kiosk.evaluation.figures import Rate, clopper_pearson
from kiosk.evaluation.pad_attempts import FRAMES, granted

BONA_FIDE = "bona fide"
SECONDS = 10.0
"""A presentation ends after this time, or with FRAMES usable frames."""
NOBODY, SEVERAL = "nobody", "several_faces"
"""Why a frame was not usable, in addition to the flaws of the quality gate."""
LARGEST = 0.9999
"""Largest threshold that the configuration accepts."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """One presentation of a species, or of BONA_FIDE. `scores` of the usable frames, 0 (attack) to 1. `hindrance`: the
    most frequent reason why frames were not usable; empty if all were usable."""

    species: str
    scores: tuple[float, ...]
    hindrance: str = ""

    @property
    def strength(self) -> float | None:
        """The largest threshold at which it passes. None if too few frames were usable: then PAD decides nothing, and
        the door stays closed."""
        rules = Rules()
        return max((s for s in self.scores if granted(self.scores, s, rules)), default=None)


@dataclass(frozen=True, slots=True)
class Counted:
    """Presentations of one species at a threshold. `attempts`: errors among presentations with enough usable frames.
    `frames`: errors among their frames. `silent`: number of presentations with too few usable frames."""

    attempts: Rate
    frames: Rate
    silent: int


@dataclass(frozen=True, slots=True)
class Advice:
    """A threshold, and its effect on these presentations. `threshold` is None if there is none: even the lowest allowed
    threshold refuses too many people."""

    threshold: float | None
    refused: int
    people: int
    passed: int
    attacks: int


def present(
    species: str,
    frames: Iterable[Frame],
    detector: Detector,
    gate: QualityGate,
    pad: PresentationAttackDetector,
    min_face: float,
) -> Presentation:
    """Scores frames until there are enough, or the time is over. A second face counts from `min_face` on (px, width of
    the box). A frame on which a network fails counts as denied, as at the door."""
    scores: list[float] = []
    hindrances: Counter[str] = Counter()
    begin: float | None = None
    for frame in frames:
        begin = frame.captured_at if begin is None else begin
        if frame.captured_at - begin > SECONDS:
            break
        found = _look(frame, detector, gate, pad, min_face)
        if isinstance(found, str):
            hindrances[found] += 1
        else:
            scores.append(found)
        if len(scores) == FRAMES:
            break
    most = hindrances.most_common(1)
    return Presentation(species, tuple(scores), most[0][0] if most else "")


def _look(
    frame: Frame, detector: Detector, gate: QualityGate, pad: PresentationAttackDetector, min_face: float
) -> float | str:
    """The frame's score, or why it has none."""
    faces = detector.detect(frame.image)
    if not faces:
        return NOBODY
    if sum(face.box.width >= min_face for face in faces) > 1:
        return SEVERAL
    flaw = gate.assess(frame.image, faces[0]).flaw
    if flaw is not None:
        return flaw.value
    try:
        return pad.score(frame.image, faces[0])
    except ValueError:
        return 0.0


def count(presentations: Sequence[Presentation], threshold: float) -> Counted:
    """Counts the errors of one species at `threshold`: attacks that pass, or people who do not."""
    judged = [p for p in presentations if p.strength is not None]
    people = bool(judged) and judged[0].species == BONA_FIDE
    wrong = sum((s >= threshold) is not people for p in judged if (s := p.strength) is not None)
    frames = [score for p in judged for score in p.scores]
    return Counted(
        attempts=clopper_pearson(wrong, len(judged)),
        frames=clopper_pearson(sum((score >= threshold) is not people for score in frames), len(frames)),
        silent=len(presentations) - len(judged),
    )


def advise(presentations: Sequence[Presentation], least: float, bpcer: float) -> Advice:
    """Suggests a threshold of at least `least` that refuses at most the share `bpcer` of the people and lets the fewest
    attacks pass. If `least` is among the best ones it is chosen, else the middle of their range. Raises ValueError
    without people."""
    people = sorted(s for p in presentations if p.species == BONA_FIDE and (s := p.strength) is not None)
    attacks = [s for p in presentations if p.species != BONA_FIDE and (s := p.strength) is not None]
    if not people:
        raise ValueError("nobody gave a usable presentation")
    top = min(people[min(math.floor(bpcer * len(people) * (1 + 1e-9)), len(people) - 1)], LARGEST)
    threshold: float | None = None
    if top >= least:
        below = [s for s in attacks if least <= s < top]
        threshold = _between(max(below), top) if below else least
    at = least if threshold is None else threshold
    return Advice(
        threshold,
        refused=sum(s < at for s in people),
        people=len(people),
        passed=sum(s >= at for s in attacks),
        attacks=len(attacks),
    )


def _between(low: float, high: float) -> float:
    """A number above `low` and not above `high`: the middle, rounded to four digits if possible."""
    middle = (low + high) / 2
    return round(middle, 4) if low < round(middle, 4) <= high else middle
