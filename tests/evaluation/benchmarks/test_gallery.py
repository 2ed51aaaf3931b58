"""`kiosk bench --gallery`: loading and searching random references."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from kiosk.domain.matching import Cohort
from kiosk.evaluation.benchmarks import gallery
from kiosk.evaluation.benchmarks.gallery import EACH, FAISS, NUMPY, OURS, measure, templates

CENTRES = np.concatenate(list(templates(30, None, seed=9)))
COHORT = Cohort(CENTRES, nearest=2, usual=0.2)


def test_references_go_through_a_sealed_gallery_and_are_searched_in_turns() -> None:
    found = measure(3 * EACH + 1, 5, COHORT)
    assert found.references == 3 * EACH + 1
    assert found.load is not None
    assert found.load > 0
    assert found.peak >= found.memory
    assert {OURS, NUMPY} <= set(found.searches) <= {OURS, NUMPY, FAISS}
    assert all(0 < t.p50 <= t.p99 for t in found.searches.values())
    ours, numpy = found.searches[OURS].p50, found.searches[NUMPY].p50
    assert found.ratio(NUMPY) == pytest.approx(ours / numpy)


def test_more_references_than_are_sealed_have_no_time_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "SEALED", 5)
    assert measure(6, 2, Cohort()).load is None


def test_beside_faiss_where_it_is_there() -> None:
    rows: list[np.ndarray] = []
    seen: list[np.ndarray] = []
    index = SimpleNamespace(add=rows.append, search=lambda probe, _: seen.append(probe))
    faiss = SimpleNamespace(
        omp_set_num_threads=lambda _: None,
        IndexScalarQuantizer=lambda *_: index,
        ScalarQuantizer=SimpleNamespace(QT_8bit_direct_signed=0),
        METRIC_INNER_PRODUCT=0,
    )
    with mock.patch.dict(sys.modules, {"faiss": faiss}):
        found = measure(7, 2, COHORT)
    assert np.concatenate(rows).shape == (7, 128)
    assert len(seen) == 4, "two that are not counted, two that are"
    assert found.ratio(FAISS) is not None
    with mock.patch.dict(sys.modules, {"faiss": None}):
        assert measure(7, 2, COHORT).ratio(FAISS) is None


def test_random_templates_lie_near_the_cohort_and_are_the_same_again() -> None:
    rows = np.concatenate(list(templates(500, CENTRES)))
    assert (rows == np.concatenate(list(templates(500, CENTRES)))).all()
    assert rows.shape == (500, 128)
    assert rows.dtype == np.int8
    far = np.concatenate(list(templates(500, None)))
    assert (COHORT.excess(rows) > 0).mean() > 0.9 > (COHORT.excess(far) > 0).mean()
