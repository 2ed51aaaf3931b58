"""Byte templates and the search over them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from kiosk.domain.matching import Cohort, ReferenceMatrix, cosine, quantize
from kiosk.domain.people import Reference

SCALE = 127 / 0.4
VECTORS = nps.arrays(np.float32, 128, elements=st.floats(-10, 10, width=32)).filter(lambda v: np.linalg.norm(v) > 0.1)


def reference(subject: str, template: np.ndarray, model_id: str = "m-1") -> Reference:
    return Reference(f"ref-{subject}", subject, model_id, template, 1.0, datetime(2026, 1, 1, tzinfo=UTC))


def unit(seed: int) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return v / np.linalg.norm(v)


CENTRES = np.stack([quantize(unit(i), SCALE) for i in range(40)])
COHORT = Cohort(CENTRES, nearest=3, usual=0.15)


@given(VECTORS)
def test_a_template_is_128_signed_bytes_whatever_the_length_of_the_vector(vector: np.ndarray) -> None:
    template = quantize(vector, SCALE)
    assert template.dtype == np.int8
    assert template.shape == (128,)
    assert template.min() >= -127
    assert np.abs(quantize(vector * 7, SCALE).astype(int) - template).max() <= 1


@pytest.mark.parametrize("bad", [np.zeros(128), np.full(128, np.nan), np.full(128, np.inf)])
def test_a_vector_without_direction_is_never_a_template(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="feature vector"):
        quantize(bad.astype(np.float32), SCALE)


@given(VECTORS, VECTORS)
def test_cosine_is_symmetric_and_bounded(a: np.ndarray, b: np.ndarray) -> None:
    x, y = quantize(a, SCALE), quantize(b, SCALE)
    assert cosine(x, y) == cosine(y, x)
    assert -1.000001 <= cosine(x, y) <= 1.000001
    assert cosine(x, x) == pytest.approx(1)


def test_bytes_keep_the_cosine_of_typical_vectors() -> None:
    for seed in range(50):
        a, b = unit(seed), unit(seed + 1000)
        mixed = a + 0.6 * b
        exact = float(a @ mixed / np.linalg.norm(mixed))
        assert cosine(quantize(a, SCALE), quantize(mixed, SCALE)) == pytest.approx(exact, abs=0.01)


def test_the_search_finds_the_nearest_and_says_whether_it_is_near_enough() -> None:
    people = {f"s{i}": quantize(unit(i), SCALE) for i in range(20)}
    matrix = ReferenceMatrix("m-1", 128, Cohort(), [reference(s, t) for s, t in people.items()])
    for subject, template in people.items():
        found = matrix.search(template, 0.5)
        assert (found.subject_id, found.mated) == (subject, True)
        assert found.score == pytest.approx(1)
    stranger = matrix.search(quantize(unit(777), SCALE), 0.5)
    assert not stranger.mated
    assert stranger.score == pytest.approx(max(cosine(quantize(unit(777), SCALE), t) for t in people.values()))


def test_an_empty_gallery_knows_nobody() -> None:
    for empty in (ReferenceMatrix("m-1", 128, c) for c in (Cohort(), COHORT)):
        found = empty.search(quantize(unit(1), SCALE), 0.1)
        assert found.subject_id is None
        assert not found.mated


def test_references_of_another_model_are_never_compared() -> None:
    with pytest.raises(ValueError, match="model m-2, not m-1"):
        ReferenceMatrix("m-1", 128, Cohort(), [reference("s", quantize(unit(1), SCALE), "m-2")])


@pytest.mark.parametrize("template", [np.zeros(128, np.int8), np.ones(64, np.int8)])
def test_a_broken_reference_is_refused(template: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not a template"):
        ReferenceMatrix("m-1", 128, Cohort(), [reference("s", template)])


@pytest.mark.parametrize("probe", [np.zeros(128, np.int8), np.ones(64, np.int8), np.ones(128, np.float32)])
def test_a_broken_probe_is_refused(probe: np.ndarray) -> None:
    matrix = ReferenceMatrix("m-1", 128, Cohort(), [reference("s", quantize(unit(1), SCALE))])
    with pytest.raises(ValueError, match="probe"):
        matrix.search(probe, 0.1)


@given(VECTORS, VECTORS)
def test_a_cohort_never_raises_a_score(a: np.ndarray, b: np.ndarray) -> None:
    x, y = quantize(a, SCALE), quantize(b, SCALE)
    score = COHORT.score(x, y)
    assert -1 <= score <= max(-1.0, cosine(x, y)) + 1e-9
    assert score == COHORT.score(y, x)
    assert COHORT.score(x, x) == pytest.approx(1)


@given(VECTORS)
def test_the_excess_is_what_the_nearest_centres_are_nearer_than_usual(vector: np.ndarray) -> None:
    template = quantize(vector, SCALE)
    nearest = sorted(cosine(template, c) for c in CENTRES)[-3:]
    assert COHORT.excess(template[np.newaxis])[0] == pytest.approx(max(0.0, sum(nearest) / 3 - 0.15))


def test_a_search_gives_the_score_of_a_pair() -> None:
    # Two of them lie near a centre, as small children do: with the cohort they are told apart, without it not.
    crowd = [quantize(unit(5) + 0.4 * unit(k), SCALE) for k in (901, 902)]
    far = quantize(unit(903), SCALE)
    people = {"crowded": crowd[0], "far": far}
    references = [reference(s, t) for s, t in people.items()]
    cohort = Cohort(CENTRES, nearest=1, usual=0.55)
    plain, corrected = (ReferenceMatrix("m-1", 128, c, references) for c in (Cohort(), cohort))
    assert plain.search(crowd[1], 0.6).mated
    found = corrected.search(crowd[1], 0.6)
    assert (found.subject_id, found.mated) == ("crowded", False)
    assert found.score == pytest.approx(cohort.score(crowd[0], crowd[1]), abs=1e-12)
    assert corrected.scores(far) == pytest.approx([cohort.score(t, far) for t in people.values()], abs=1e-12)
    assert corrected.search(crowd[0], 0.6).score == pytest.approx(1)


def test_without_a_cohort_the_score_is_the_cosine() -> None:
    a, b = quantize(unit(1), SCALE), quantize(unit(1) + 0.3 * unit(2), SCALE)
    assert Cohort().score(a, b) == cosine(a, b)


@pytest.mark.parametrize(
    ("centres", "nearest"),
    [(CENTRES, 41), (CENTRES, 0), (CENTRES.astype(np.float32), 3), (CENTRES[0], 1), (CENTRES * np.int8(0), 3)],
)
def test_what_is_no_cohort_is_refused(centres: np.ndarray, nearest: int) -> None:
    with pytest.raises(ValueError, match="cohort"):
        Cohort(centres, nearest, 0.2)


def test_a_template_of_another_length_has_no_excess() -> None:
    with pytest.raises(ValueError, match="128 bytes"):
        COHORT.excess(np.ones((1, 64), np.int8))
