"""What is planted into a gallery, and how the findings are counted."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

from kiosk.domain.clusters import Duplicate, Findings, Mixture
from models.train.embedder.planted import (
    PEOPLE,
    PLANTED,
    Gallery,
    Seen,
    counted,
    planted,
    references,
    strangers,
)

pytestmark = pytest.mark.train


def unit(*numbers: float) -> np.ndarray:
    v = np.zeros(8, np.float32)
    v[: len(numbers)] = numbers
    return v / np.linalg.norm(v)


def seen(vectors: dict[int, np.ndarray]) -> Seen:
    return Seen(vectors, (vectors, vectors))


def test_a_gallery_has_the_planted_faults_and_no_picture_twice() -> None:
    people = {f"person {k}": list(range(10 * k, 10 * k + 8)) for k in range(250)}
    gallery = planted(people, range(5000, 9000), np.random.default_rng(0))
    assert len(gallery.subjects) == PEOPLE
    assert (len(gallery.twice), len(gallery.mixed)) == (PLANTED, PLANTED)
    assert not gallery.mixed & {who for pair in gallery.twice for who in pair}
    of = [i for pictures in gallery.subjects.values() for i in set(pictures)]
    assert len(of) == len(set(of))
    for who in gallery.mixed:
        assert [i >= 5000 for i in gallery.subjects[who]] == [False, False, True]
    for first, second in map(sorted, gallery.twice):
        assert {i // 10 for i in gallery.subjects[first]} == {i // 10 for i in gallery.subjects[second]}


def test_a_single_picture_gives_three_references_that_are_alike_and_not_the_same() -> None:
    rng = np.random.default_rng(0)
    gallery = Gallery({"a": (1, 1, 1), "b": (2, 3, 4)}, frozenset(), frozenset())
    own = {i: (v := rng.normal(0, 1, 128).astype(np.float32)) / np.linalg.norm(v) for i in range(1, 5)}
    a, b, c, *others = (r.template.astype(np.float64) for r in references(gallery, seen(own), "m", 317.5, rng))
    for x, y in ((a, b), (a, c), (b, c)):
        assert 0.5 < x @ y / np.linalg.norm(x) / np.linalg.norm(y) < 0.8
    assert all(t @ own[i] / np.linalg.norm(t) > 0.999 for t, i in zip(others, (2, 3, 4), strict=True))


def test_what_a_label_denies_and_both_teachers_see_is_no_false_alarm() -> None:
    gallery = Gallery(
        {"a": (1, 2), "a again": (3, 4), "b": (5, 6), "c": (7, 8), "d": (9, 10), "e": (11, 12)},
        frozenset({frozenset({"a", "a again"})}),
        frozenset({"b"}),
    )
    vectors = {i: unit(1) for i in range(1, 13)} | {6: unit(0, 1), 8: unit(0, 1), 10: unit(1, 0.2), 12: unit(0, 0, 1)}
    found = Findings(
        6,
        12,
        [Mixture(who, ((f"{who}/0",), (f"{who}/1",)), 0.1) for who in ("b", "c", "d")],
        [Duplicate(("a", "a again"), 0.9), Duplicate(("d", "e"), 0.7)],
    )
    figures, doubtful = counted(found, gallery, seen(vectors))
    assert (figures.twice, figures.mixed, figures.false_twice, figures.false_mixed) == (1, 1, 1, 2)
    assert figures.by_teachers == 1, "d: its pictures are one person's"
    assert [m.subject_id for m in doubtful] == ["c", "d"]


def test_nobody_is_a_stranger_of_whom_there_is_a_picture_already() -> None:
    vectors = {1: unit(1), 2: unit(1), 3: unit(0, 1), 4: unit(0, 0, 1), 9: unit(0, 1)}
    assert strangers([1, 2, 3, 4], [9], seen(vectors)) == [1, 4]
