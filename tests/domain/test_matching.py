"""Byte templates and the search over them."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from datetime import UTC, datetime
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from kiosk.domain import matching
from kiosk.domain.matching import BLOCK, Cohort, ReferenceMatrix, cosine, quantize
from kiosk.domain.people import Reference
from kiosk.domain.products import Kernel, kernels

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


@pytest.mark.parametrize("template", [np.zeros(128, np.int8), np.ones(64, np.int8), np.ones(128, np.int16)])
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
    assert corrected.search(crowd[0], 0.6).score == pytest.approx(1)


def plainly(references: list[Reference], cohort: Cohort, probe: np.ndarray) -> tuple[str | None, float]:
    """The search as it is defined: float64 over all references at once, from whole numbers."""
    if not references:
        return None, -1.0
    rows = np.stack([r.template for r in references]).astype(np.int64)
    p = probe.astype(np.int64)
    lengths = np.sqrt((rows * rows).sum(axis=1).astype(np.float64))
    cosines = (rows @ p) / (lengths * float(np.sqrt(float(p @ p))))
    first, second = cohort.excess(rows.astype(np.int8)), cohort.excess(probe[np.newaxis])
    e = np.minimum(2 * np.sqrt(first * second), 0.95)
    scores = np.maximum((cosines - e) / (1 - e), -1)
    best = int(np.argmax(scores))
    return references[best].subject_id, float(scores[best])


@st.composite
def galleries(draw: st.DrawFn) -> tuple[list[Reference], np.ndarray]:
    """Few bytes and few rows, so that scores are often equal; some of the cohort's centres, whose excess is large."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = draw(st.sampled_from([(-128, 128), (-1, 2), (0, 2)]))
    count = draw(st.integers(1, 8))
    templates = random.integers(low, high, (count, 128), np.int8)
    templates[:, 0] |= 1
    choices = [*templates, *CENTRES[: draw(st.integers(0, 5))]]
    chosen = draw(st.lists(st.integers(0, len(choices) - 1), max_size=30))
    references = [reference(f"s{k % 11}", choices[i]) for k, i in enumerate(chosen)]
    probe = choices[draw(st.integers(0, len(choices) - 1))]
    return references, draw(st.sampled_from([probe, -np.maximum(probe, -127), np.roll(probe, 1)]))


@pytest.mark.parametrize("kernel", kernels(), ids=lambda k: k.__name__)
@pytest.mark.parametrize("cohort", [Cohort(), COHORT, Cohort(CENTRES, nearest=1, usual=0.0)], ids=["none", "3", "1"])
@given(gallery=galleries())
def test_every_kernel_finds_what_the_formula_says_bit_for_bit(
    kernel: Kernel, cohort: Cohort, gallery: tuple[list[Reference], np.ndarray]
) -> None:
    references, probe = gallery
    with mock.patch.object(matching, "BLOCK", 7):
        matrix = ReferenceMatrix("m-1", 128, cohort, iter(references), kernel)
    found = matrix.search(probe, 0.5)
    assert (found.subject_id, found.score) == plainly(references, cohort, probe)
    assert len(matrix) == len(references)
    assert matrix.sizes == Counter(Counter(r.subject_id for r in references).values())


@pytest.mark.parametrize("usual", [0.0, 0.3])
def test_a_large_gallery_has_the_scores_of_the_formula(usual: float) -> None:
    rows = np.random.default_rng(7).integers(-60, 61, (BLOCK + 100, 128), np.int8)
    rows[:, :20] = np.abs(rows[:, :20])
    references = [reference(f"s{i}", row) for i, row in enumerate(rows)]
    cohort = Cohort(CENTRES, nearest=2, usual=usual)
    matrices = [ReferenceMatrix("m-1", 128, cohort, references, kernel) for kernel in kernels()]
    for probe in (rows[-1], CENTRES[3], *rows[:3] // 2 + rows[5:8] // 2):
        wanted = plainly(references, cohort, probe)
        for matrix in matrices:
            found = matrix.search(probe, 0.5)
            assert (found.subject_id, found.score) == wanted


def test_a_kernel_at_fault_raises_no_score() -> None:
    """It says of everybody that they are the probe: they are looked at, and have the scores that they have. One that
    says nothing finds nobody."""
    people = [quantize(unit(i), SCALE) for i in range(20)]
    probe = quantize(unit(777), SCALE)
    square = float(probe.astype(int) @ probe.astype(int))
    wrong = ReferenceMatrix(
        "m-1",
        128,
        Cohort(),
        [reference(f"s{i}", t) for i, t in enumerate(people)],
        lambda rows: lambda _: np.full(len(rows), square, np.float32),
    )
    assert wrong.search(probe, 0.5).score <= max(cosine(probe, t) for t in people)
    silent = ReferenceMatrix(
        "m-1", 128, Cohort(), [reference("s", people[0])], lambda rows: lambda _: np.full(len(rows), np.nan, np.float32)
    )
    assert not silent.search(people[0], 0.5).mated


def test_no_reference_is_kept() -> None:
    references = [reference(f"s{i}", quantize(unit(i), SCALE)) for i in range(3)]
    watched = [weakref.ref(r.template) for r in references]
    matrix = ReferenceMatrix("m-1", 128, Cohort(), (references.pop(0) for _ in range(3)))
    assert len(matrix) == 3
    gc.collect()
    assert [w() for w in watched] == [None] * 3


def test_a_template_that_is_too_wide_for_exact_sums_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 1024 bytes"):
        ReferenceMatrix("m-1", 1025, Cohort())


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
