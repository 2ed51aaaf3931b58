"""Are turned and ruined pictures all one person? Strangers' pictures, ruined in one way, held against each other.

A picture passes the kiosk's whole gate: detector, quality, the way up, embedder, the wall behind it. What is refused
matches nobody. What is not is compared as at a door with one reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Flaw, Image
from kiosk.domain.matching import Cohort, above_strangers
from kiosk.domain.people import Template
from kiosk.domain.ports.recognition import Detector, Embedder, QualityGate
from kiosk.evaluation import lfw
from kiosk.evaluation.figures import Rate, clopper_pearson
from kiosk.evaluation.ruin_kinds import Ruin
from kiosk.evaluation.samples import Samples, pictures, read_image

NO_FACE = "no_face"
"""Why a picture was refused in which no face was found; the others are the names of the flaws."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What the gate made of one picture: its `template`, or why it was `refused`."""

    template: Template | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class RuinFigures:
    """Of one kind. `matches`: pairs of strangers at or above the threshold, of all that were presented, and of those
    that were compared."""

    ruin: Ruin
    refused: Rate
    reasons: dict[str, int]
    matches: Rate
    matches_compared: Rate


def one_a_person(samples: Samples, people: int) -> list[tuple[str, str]]:
    """(person, path) of the first picture of so many people, in the order in which they are read fastest. A picture is
    named as LFW does: Name_0001."""
    first: dict[str, str] = {}
    for path in pictures(samples):
        first.setdefault(lfw.person(path.rpartition("/")[2].rpartition(".")[0]), path)
    return list(first.items())[:people]


def look(image: Image, detector: Detector, gate: QualityGate, embedder: Embedder) -> Sight:
    """As enrolment and the door do, of the largest face."""
    faces = detector.detect(image)
    if not faces:
        return Sight(None, NO_FACE)
    flaw = gate.assess(image, faces[0]).flaw
    if flaw is not None:
        return Sight(None, flaw.value)
    template = embedder.embed(image, faces[0])
    return Sight(template, "" if template is not None else Flaw.UNNATURAL.value)


def sights(
    ruin: Ruin,
    paths: Iterable[tuple[str, str]],
    samples: Samples,
    detector: Detector,
    gate: QualityGate,
    embedder: Embedder,
) -> list[Sight]:
    """Of each person's picture, ruined. Raises SampleError for a file that is no picture."""
    return [look(ruin.change(read_image(samples, path)), detector, gate, embedder) for _, path in paths]


def figures(ruin: Ruin, seen: Sequence[Sight], cohort: Cohort, threshold: float) -> RuinFigures:
    """Over all pairs of the people; each is there once."""
    scores = pair_scores([s.template for s in seen if s.template is not None], cohort)
    matches = int((scores >= threshold).sum())
    reasons = Counter(s.refused for s in seen if s.refused)
    return RuinFigures(
        ruin,
        clopper_pearson(reasons.total(), len(seen)),
        dict(reasons.most_common()),
        clopper_pearson(matches, len(seen) * (len(seen) - 1) // 2),
        clopper_pearson(matches, scores.size),
    )


def refused_by_walls(upright: RuinFigures) -> Rate:
    """Of the pictures as they are, those that only the look at the way up and the embedder's wall refuse."""
    by_walls = sum(upright.reasons.get(flaw.value, 0) for flaw in (Flaw.TURNED_OVER, Flaw.UNNATURAL))
    taken = upright.refused.trials - upright.refused.errors
    return clopper_pearson(by_walls, taken + by_walls)


def pair_scores(templates: Sequence[Template], cohort: Cohort) -> NDArray[np.float64]:
    """Of each template with each later one: those of a search at the door."""
    if len(templates) < 2:
        return np.empty(0)
    rows = np.stack(templates)
    unit = rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    excess = cohort.excess(rows)
    first, second = np.triu_indices(len(rows), k=1)
    return above_strangers((unit @ unit.T)[first, second], excess[first], excess[second])
