"""Do turned and distorted ("ruined") pictures all look like one person? Compares strangers' pictures that are distorted
in the same way.

A picture goes through the kiosk's whole gate: detector, quality, the check that it is upright, embedder, and the
embedder's check against distorted pictures. A refused picture matches nobody. Other pictures are compared as at a door
with one reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Flaw, Image
from kiosk.domain.matching import Cohort, above_strangers, rounded
from kiosk.domain.people import Template
from kiosk.domain.ports.recognition import Detector, Embedder, QualityGate
from kiosk.evaluation import lfw
from kiosk.evaluation.figures import Rate, clopper_pearson
from kiosk.evaluation.ruin_kinds import Ruin
from kiosk.evaluation.samples import Samples, pictures, read_image

NO_FACE = "no_face"
"""The reason for refusing a picture without a face. The other reasons are the names of the flaws."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The gate's result for one picture: its `template`, or the reason why it was `refused`."""

    template: Template | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class RuinFigures:
    """The figures of one kind. `matches`: pairs of strangers at or above the threshold, of all presented pairs;
    `matches_compared`: of the pairs that were compared."""

    ruin: Ruin
    refused: Rate
    reasons: dict[str, int]
    matches: Rate
    matches_compared: Rate


def one_a_person(samples: Samples, people: int) -> list[tuple[str, str]]:
    """(person, path) of the first picture of each of `people` people, in the order that is fastest to read. Pictures
    are named as in LFW: Name_0001."""
    first: dict[str, str] = {}
    for path in pictures(samples):
        first.setdefault(lfw.person(path.rpartition("/")[2].rpartition(".")[0]), path)
    return list(first.items())[:people]


def look(image: Image, detector: Detector, gate: QualityGate, embedder: Embedder) -> Sight:
    """Runs the gate on the largest face, as enrolment and the door do."""
    faces = detector.detect(image)
    if not faces:
        return Sight(None, NO_FACE)
    flaw = gate.assess(image, faces[0]).flaw
    if flaw is not None:
        return Sight(None, flaw.value)
    made = embedder.embed(image, faces[0])
    return Sight(None, Flaw.UNNATURAL.value) if made is None else Sight(rounded(made.vector), "")


def sights(
    ruin: Ruin,
    paths: Iterable[tuple[str, str]],
    samples: Samples,
    detector: Detector,
    gate: QualityGate,
    embedder: Embedder,
) -> list[Sight]:
    """Runs the gate on each person's distorted picture. Raises SampleError for a file that is no picture."""
    return [look(ruin.change(read_image(samples, path)), detector, gate, embedder) for _, path in paths]


def figures(ruin: Ruin, seen: Sequence[Sight], cohort: Cohort, threshold: float) -> RuinFigures:
    """The figures of one kind over all pairs of people. Each person has one picture."""
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
    """The share of unchanged pictures that only two checks refuse: the one for the upright position, and the embedder's
    one against distorted pictures."""
    by_walls = sum(upright.reasons.get(flaw.value, 0) for flaw in (Flaw.TURNED_OVER, Flaw.UNNATURAL))
    taken = upright.refused.trials - upright.refused.errors
    return clopper_pearson(by_walls, taken + by_walls)


def pair_scores(templates: Sequence[Template], cohort: Cohort) -> NDArray[np.float64]:
    """The scores of each template with each later one, as in a search at the door."""
    if len(templates) < 2:
        return np.empty(0)
    rows = np.stack(templates)
    unit = rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    excess = cohort.excess(rows)
    first, second = np.triu_indices(len(rows), k=1)
    return above_strangers((unit @ unit.T)[first, second], excess[first], excess[second])
