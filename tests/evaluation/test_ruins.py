"""Strangers' distorted pictures compared with one another: what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.domain.face import Box, Face, Flaw, Image, Quality
from kiosk.domain.matching import Cohort
from kiosk.domain.people import Embedding
from kiosk.evaluation.ruin_kinds import RUINS, UPRIGHT
from kiosk.evaluation.ruins import Sight, figures, look, one_a_person, pair_scores, refused_by_walls

ONE = np.array([100, 0, 0, 0], np.int8)
TWO = np.array([0, 100, 0, 0], np.int8)


def test_a_refused_picture_matches_nobody_and_its_pairs_were_presented_all_the_same() -> None:
    seen = [Sight(ONE), Sight(ONE), Sight(TWO), Sight(None, "turned_over"), Sight(None, "turned_over")]
    found = figures(RUINS[0], seen, Cohort(), threshold=0.5)
    assert (found.matches.errors, found.matches.trials) == (1, 10)
    assert (found.matches_compared.errors, found.matches_compared.trials) == (1, 3)
    assert (found.refused.errors, found.refused.trials) == (2, 5)
    assert found.reasons == {"turned_over": 2}


def test_where_all_are_refused_nobody_matches() -> None:
    found = figures(RUINS[0], [Sight(None, "no_face")] * 4, Cohort(), threshold=0.5)
    assert (found.matches.errors, found.matches.trials, found.matches_compared.trials) == (0, 6, 0)


def test_the_cost_of_the_walls_is_of_the_pictures_that_the_rest_of_the_gate_takes() -> None:
    seen = [Sight(ONE)] * 6 + [Sight(None, f) for f in ("turned_over", "unnatural", "blurred", "no_face")]
    cost = refused_by_walls(figures(UPRIGHT, seen, Cohort(), 0.5))
    assert (cost.errors, cost.trials) == (2, 8)


def test_scores_are_those_of_the_door() -> None:
    cohort = Cohort(np.array([[127, 0, 0, 0]], np.int8), nearest=1, usual=0.3)
    rows = [np.array(r, np.int8) for r in ((100, 20, 0, 0), (90, -30, 5, 0), (0, 100, 0, 7))]
    expected = [cohort.score(rows[i], rows[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert pair_scores(rows, cohort) == pytest.approx(expected)
    assert pair_scores(rows[:1], cohort).size == 0


class Gallery:
    names = ("a/Ann_0001.jpg", "a/Ann_0002.jpg", "notes.txt", "b/Bob_0004.png", "c/Cy_0001.jpg")

    def read(self, name: str) -> bytes:
        return b""


def test_each_person_is_there_once() -> None:
    assert one_a_person(Gallery(), 2) == [("Ann", "a/Ann_0001.jpg"), ("Bob", "b/Bob_0004.png")]  # type: ignore[arg-type]


class Stages:
    model_id = "m-1"

    def __init__(self, found: bool = True, flaw: Flaw | None = None, natural: bool = True) -> None:
        self.found, self.flaw, self.natural = found, flaw, natural

    def detect(self, image: Image) -> list[Face]:
        return [Face(Box(0, 0, 9, 9), (), 0.9)] * self.found

    def assess(self, image: Image, face: Face) -> Quality:
        return Quality(0.5, self.flaw)

    def embed(self, image: Image, face: Face) -> Embedding | None:
        return Embedding(ONE.astype(np.float32)) if self.natural else None


@pytest.mark.parametrize(
    ("stages", "refused"),
    [
        (Stages(), ""),
        (Stages(found=False), "no_face"),
        (Stages(flaw=Flaw.TURNED_OVER), "turned_over"),
        (Stages(natural=False), "unnatural"),
    ],
)
def test_a_picture_passes_the_whole_gate(stages: Stages, refused: str) -> None:
    sight = look(np.zeros((9, 9, 3), np.uint8), stages, stages, stages)
    assert sight.refused == refused
    assert (sight.template is None) is bool(refused)
