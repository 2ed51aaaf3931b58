"""The table of thresholds that an embedder's measurement gives the manifest."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

from kiosk.vision.manifest import EmbedderEntry
from models.train.embedder.cohort import centres_of
from models.train.embedder.false_matches import FMRS, Fmr, source_thresholds, worst
from models.train.embedder.manifest import fragment, threshold_line
from models.train.embedder.measure import Measured, cohort_file

pytestmark = pytest.mark.train


def row(source: str, fmr: float, score: float, pairs: int = 3_000_000) -> Fmr:
    return Fmr(source, fmr, score, pairs, int(fmr * pairs), score - 0.01, score + 0.01)


def scores_of(people: int, seed: int = 3) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(people, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found: np.ndarray = rows @ rows.T
    return found


def test_each_score_is_reached_by_at_most_its_share_of_the_pairs() -> None:
    people = np.arange(400)
    rows, removed = source_thresholds("aaf", scores_of(400), people, None)
    i, j = np.triu_indices(400, 1)
    scores = scores_of(400)[i, j]
    assert removed == 0
    assert [r.fmr for r in rows] == list(FMRS)
    for r in rows:
        assert r.pairs == scores.size
        assert r.false_matches == (scores >= r.score).sum() <= r.fmr * r.pairs
        assert r.low <= r.score <= r.high
        assert r.extrapolated == (r.false_matches < 10)


def test_pairs_of_one_person_are_not_counted() -> None:
    people = np.repeat(np.arange(200), 2)
    scores = scores_of(400)
    same = scores > 0.6
    rows, removed = source_thresholds("utkface", scores, people, same)
    i, j = np.triu_indices(400, 1)
    different = people[i] != people[j]
    assert removed == (different & same[i, j]).sum() > 0
    assert rows[0].pairs == (different & ~same[i, j]).sum()


def test_the_table_is_of_the_worst_source_and_never_falls() -> None:
    rates = (1e-3, 1e-4, 1e-5, 1e-6)
    rows = [row("aaf", f, s) for f, s in zip(rates, (0.4, 0.5, 0.6, 0.7), strict=True)]
    rows += [row("celeba", f, s, 2_000_000) for f, s in zip(rates, (0.3, 0.55, 0.75, 0.9), strict=True)]
    table = worst(rows)
    # Nobody has pairs enough for 1e-6 to rely on; what is left there is the highest.
    assert [(r.source, r.score) for r in table] == [("aaf", 0.4), ("celeba", 0.55), ("celeba", 0.75), ("celeba", 0.9)]
    rows[3] = row("aaf", 1e-6, 0.7, 20_000_000)
    # The one that can be relied on is lower than what 1e-5 asks for: the table ends.
    assert [(r.source, r.score) for r in worst(rows)] == [("aaf", 0.4), ("celeba", 0.55), ("celeba", 0.75)]


def test_the_manifest_reads_what_is_written(tmp_path: Path) -> None:
    model = tmp_path / "network.onnx"
    model.write_bytes(b"weights")
    rows = [row("aaf", f, 0.41234 + n / 20) for n, f in enumerate(FMRS)]
    rows[0] = replace(rows[0], growth=(1.0, 1.9))
    centres = centres_of(np.random.default_rng(1).integers(-90, 91, (60, 128), np.int8), count=20)
    centres.write(cohort_file(model))
    (entry,) = tomllib.loads(fragment(model, "kiosk-test-1", Measured(rows, centres)))["model"]
    read = EmbedderEntry.model_validate(entry)
    assert [t.source for t in read.thresholds] == ["aaf"] * len(FMRS)
    assert [t.extrapolated for t in read.thresholds] == [False] * 5 + [True] * 2
    assert all(t.interval and t.squared_l2 for t in read.thresholds)
    assert [t.growth for t in read.thresholds][:2] == [(1.0, 1.9), ()]
    assert read.mirrored
    assert read.cohort is not None
    content = (tmp_path / read.cohort.file).read_bytes()
    assert (read.cohort.sha256, read.cohort.usual) == (hashlib.sha256(content).hexdigest(), centres.usual)
    assert "squared_l2 = 1.0000" in threshold_line(row("aaf", 1e-3, 0.5))
