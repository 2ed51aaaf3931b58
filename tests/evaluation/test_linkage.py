"""What a matrix costs and hides, on people who are made: vectors around a centre of each person."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Box, Face, Image
from kiosk.domain.matching import Cohort, rounded
from kiosk.domain.people import Embedding
from kiosk.evaluation import linkage
from kiosk.evaluation.linkage import Faces, Rows, Vectors

D = 128


def made(people: int, pictures: int, noise: float = 0.5, seed: int = 1) -> Faces:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, 1, D))
    rows = (centres + noise * random.normal(size=(people, pictures, D))).reshape(-1, D)
    rows *= 317.5 / np.linalg.norm(rows, axis=1, keepdims=True)
    return Faces(rows.astype(np.float32), np.repeat(np.arange(people), pictures))


def test_far_from_the_threshold_no_decision_changes_and_at_it_some_do() -> None:
    given = made(40, 3)
    far = linkage.changed(given, Cohort(), 0.1, keys=3)
    assert (far.turned.errors, far.renewed.errors, far.turned.trials) == (0, 0, 3 * 40 * 3)
    first, second = given.pairs()
    rows = linkage.templates(given.vectors, linkage.UNTURNED)
    middle = float(np.median([Cohort().score(rows[i], rows[j]) for i, j in zip(first, second, strict=True)]))
    at_it = linkage.changed(given, Cohort(), middle, keys=3)
    assert 0 < at_it.turned.rate < 0.2
    assert 0 < at_it.renewed.rate < 0.2
    assert 0 < at_it.turned_and_rounded.rate < 0.2
    assert (at_it.rounded.trials, at_it.turned_and_rounded.trials) == (120, 360)


def test_the_cohort_is_turned_with_the_templates() -> None:
    """Otherwise decisions of people in a crowd would change."""
    given = made(30, 2, noise=0.6)
    centres = np.stack([rounded(v) for v in given.vectors[::2]])
    cohort = Cohort(centres, 1, 0.2)
    rows = linkage.templates(given.vectors, linkage.UNTURNED)
    first, second = given.pairs()
    scores = sorted(cohort.score(rows[i], rows[j]) for i, j in zip(first, second, strict=True))
    gap = max(range(len(scores) - 1), key=lambda k: scores[k + 1] - scores[k])
    found = linkage.changed(given, cohort, (scores[gap] + scores[gap + 1]) / 2, keys=3)
    assert found.turned.errors == found.renewed.errors == 0


def test_nobody_is_found_across_two_matrices() -> None:
    given = made(200, 1)
    rate = linkage.across(given, 100, keys=5)
    assert rate.trials == 500
    assert rate.low <= 1 / 100 <= rate.high
    rows = linkage.templates(given.vectors, linkage.UNTURNED)
    assert linkage.nearest_is_own(rows, rows).all()


def test_a_matrix_is_recovered_by_whoever_knows_enough_faces() -> None:
    found = linkage.table(made(200, 2), 200, (8, 32, 160, 180), keys=2)
    same = {r.known: r for r in found["same_pictures"]}
    assert sorted(same) == [8, 32, 160], "with 180 known too few are left"
    assert same[8].found < 0.3
    assert same[160].found > 0.95
    assert (same[160].among, same[160].most) == (40, 1.0)
    others = {r.known: r for r in found["other_pictures"]}
    assert others[32].found <= same[32].found
    assert others[160].most > 0.9


def test_procrustes_finds_the_matrix_itself() -> None:
    given = made(300, 1)
    (turning,) = linkage.matrices(D, 1, seed=7)
    guess = linkage.procrustes(given.vectors, linkage.templates(given.vectors, turning))
    assert np.allclose(guess @ guess.T, np.eye(D), atol=1e-6)
    probe = made(1, 1, seed=9).vectors[0]
    right = turning.vector(probe)
    assert float(guess @ probe @ right) / float(right @ right) > 0.99


def test_people_and_pictures_are_counted_by_their_names() -> None:
    class Samples:
        def __init__(self) -> None:
            self.names = ["a/Eve_0001.png", "a/Ada_0001.png", "a/Ada_0002.png", "list.txt", "a/None_0001.png"]

        def read(self, name: str) -> bytes:
            import cv2

            shade = {"None_0001": 0}.get(name[2:-4], 10 + self.names.index(name))
            return bytes(cv2.imencode(".png", np.full((8, 8, 3), shade, np.uint8))[1])

    class Networks:
        model_id = "m"

        def detect(self, image: Image) -> list[Face]:
            return [Face(Box(0, 0, 8, 8), ((0.0, 0.0),) * 5, 0.9)] if image.any() else []

        def embed(self, image: Image, _face: Face) -> Embedding:
            return Embedding(np.full(D, float(image[0, 0, 0]), np.float32))

    samples, networks = Samples(), Networks()
    given = linkage.faces(samples, networks, networks, linkage.named_pictures(samples))
    assert given.people.tolist() == [0, 1, 1]
    assert given.vectors[:, 0].tolist() == [10, 11, 12]
    assert given.first(1, 9).tolist() == [[0], [1]]
    assert given.first(2, 9).tolist() == [[1, 2]]
    assert [p.tolist() for p in given.pairs()] == [[1], [2]]


def test_without_pictures_or_pairs_it_says_so() -> None:
    class Nothing:
        def __init__(self) -> None:
            self.names = ["list.txt"]

        def read(self, name: str) -> bytes:
            raise AssertionError(name)

    with pytest.raises(SampleError, match="no pictures"):
        linkage.named_pictures(Nothing())
    with pytest.raises(SampleError, match="nobody has two pictures"):
        linkage.changed(made(3, 1), Cohort(), 0.5)
    empty: Vectors = np.empty(0, np.float32)
    with pytest.raises(SampleError, match="nobody has two pictures"):
        linkage.changed(Faces(empty, np.empty(0, np.int64)), Cohort(), 0.5)


def test_the_same_figures_come_again() -> None:
    a: Rows
    a, b = (linkage.templates(made(2, 1).vectors, linkage.matrices(D, 2, seed=5)[1]) for _ in range(2))
    assert np.array_equal(a, b)
