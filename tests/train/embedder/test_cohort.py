"""The centres among strangers that a network's scores are corrected by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

from models.train.embedder.cohort import centres_of
from models.train.embedder.measure import cosines, scores_of, templates

pytestmark = pytest.mark.train


def strangers(spread: float, count: int, seed: int) -> np.ndarray:
    """Templates around one direction: the smaller the spread, the closer together."""
    rng = np.random.default_rng(seed)
    rows = np.eye(128)[0] + spread * rng.normal(size=(count, 128))
    return templates((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


def test_whoever_lies_close_together_loses_and_half_of_the_rest_does_not() -> None:
    adults, children = strangers(3.0, 900, 1), strangers(0.08, 100, 2)
    cohort = centres_of(np.concatenate([adults, children]), count=60).cohort()
    excess_a, excess_c = (cohort.excess(strangers(s, 200, seed)) for s, seed in ((3.0, 5), (0.08, 6)))
    assert (excess_a == 0).mean() > 0.4
    assert excess_c.min() > np.quantile(excess_a, 0.95)


def test_the_scores_are_the_doors() -> None:
    t = strangers(1.0, 30, 3)
    cohort = centres_of(strangers(1.0, 200, 4), count=40).cohort()
    scores = scores_of(cohort, t)
    assert scores[3, 7] == pytest.approx(cohort.score(t[3], t[7]), abs=1e-6)
    assert (scores <= cosines(t)).all()
    assert scores_of(cohort, t[:5], t[5:9]).shape == (5, 4)


def test_the_same_faces_give_the_same_centres(tmp_path: Path) -> None:
    faces = strangers(1.0, 200, 4)
    first, second = (centres_of(faces, count=20) for _ in range(2))
    assert (first.rows == second.rows).all()
    assert first.usual == second.usual
    first.write(tmp_path / "centres.npy")
    assert np.load(tmp_path / "centres.npy", allow_pickle=False).dtype == np.int8
