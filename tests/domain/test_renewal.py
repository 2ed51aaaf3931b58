from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kiosk.domain.matching import Cohort, cosine, finest, rounded
from kiosk.domain.people import Reference
from kiosk.domain.renewal import UNTURNED, TurnedMatrix, Turning, randomness

D = 128
SEEDS = st.integers(0, 2**32 - 1)


def turning(seed: int = 0, dimension: int = D) -> Turning:
    return Turning.made(np.random.default_rng(seed).bytes(randomness(dimension)), dimension)


def vectors(count: int, seed: int = 1) -> NDArray[np.float32]:
    """Scaled vectors as the shipped networks' are."""
    rows = np.random.default_rng(seed).normal(size=(count, D))
    return (317.5 * rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(SEEDS, SEEDS)
def test_angles_stay_what_they_are(key: int, seed: int) -> None:
    turn = turning(key)
    a, b = vectors(2, seed)
    b = (a + b).astype(np.float32) * np.float32(0.7)
    before = cosine(rounded(a), rounded(b))
    assert cosine(turn.template(a), turn.template(b)) == pytest.approx(before, abs=0.01)
    assert np.linalg.norm(turn.vector(a)) == pytest.approx(np.linalg.norm(a), rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(SEEDS, SEEDS)
def test_a_renewal_gives_what_an_enrolment_with_the_new_matrix_would_have_given(key: int, seed: int) -> None:
    old, new = turning(key), turning(key + 1)
    (vector,) = vectors(1, seed)
    step = old.onto(new)
    renewed = step.template(old.template(vector).astype(np.float32))
    assert cosine(renewed, new.template(vector)) > 0.999
    assert np.allclose(step.vector(old.vector(vector)), new.vector(vector), atol=1e-2)
    assert np.allclose(old.onto(UNTURNED).vector(old.vector(vector)), vector, atol=1e-2)
    assert np.array_equal(UNTURNED.onto(new).template(vector), new.template(vector))


def test_without_a_matrix_nothing_changes() -> None:
    (vector,) = vectors(1)
    assert np.array_equal(UNTURNED.template(vector), rounded(vector))
    cohort = Cohort(rounded(vectors(4)).reshape(4, D), 2, 0.1)
    assert UNTURNED.cohort(cohort) is cohort
    assert np.array_equal(UNTURNED.onto(UNTURNED).template(vector), rounded(vector))


def test_two_matrices_have_nothing_in_common() -> None:
    (vector,) = vectors(1)
    found = [cosine(turning(k).template(vector), turning(k + 1).template(vector)) for k in range(40)]
    assert abs(float(np.mean(found))) < 0.06
    assert max(map(abs, found)) < 0.45


def test_each_direction_is_as_likely_as_any_other() -> None:
    """The image of a fixed vector over many matrices has no mean and the covariance of a uniform direction."""
    images = np.array([turning(seed, 4).vector(np.array([1, 0, 0, 0], np.float32)) for seed in range(2000)])
    assert np.abs(images.mean(axis=0)).max() < 0.05
    assert np.allclose(images.T @ images / len(images), np.eye(4) / 4, atol=0.03)


def test_the_excess_over_strangers_stays_what_it_is() -> None:
    probes = vectors(50, 2)
    centres = rounded(probes[:8] + vectors(8, 3))
    cohort, turn = Cohort(centres, 2, 0.05), turning()
    turned = turn.cohort(cohort)
    assert turned.centres is not None
    assert np.abs(turned.centres).max() == finest(D) == 1023
    before = cohort.excess(rounded(probes))
    after = turned.excess(np.stack([turn.template(p) for p in probes]))
    assert (before > 0.05).any()
    assert np.allclose(before, after, atol=0.006)


def test_sums_with_turned_centres_are_exact() -> None:
    """Whole numbers below 2^24 at the worst, so that no order of summing changes a score."""
    assert 128 * finest(D) * D < 2**24
    worst = np.full((1, D), finest(D), np.int16)
    row = np.full((1, D), -128, np.int8)
    exact = int(row[0].astype(np.int64) @ worst[0].astype(np.int64))
    assert float((row.astype(np.float32) @ worst.astype(np.float32).T)[0, 0]) == exact
    with pytest.raises(ValueError, match="too large for exact sums"):
        Cohort(worst + np.int16(1))


def test_a_probe_is_turned_before_it_is_compared() -> None:
    rows, turn = vectors(20), turning()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    references = [Reference(f"r{i}", f"s{i}", "m", turn.template(v), 1.0, now) for i, v in enumerate(rows)]
    matrix = TurnedMatrix("m", D, Cohort(), turn, references)
    assert (len(matrix), matrix.sizes) == (20, {1: 20})
    found = matrix.search(rows[7], 0.9)
    assert (found.subject_id, found.score, found.mated) == ("s7", pytest.approx(1.0), True)
    assert not TurnedMatrix("m", D, Cohort(), turning(1), references).search(rows[7], 0.9).mated
    with pytest.raises(ValueError, match="128 numbers"):
        matrix.search(np.ones(5, np.float32), 0.9)


def test_the_matrix_is_in_no_text() -> None:
    assert (repr(turning()), str(turning()), repr(UNTURNED)) == ("Turning(secret)", "Turning(secret)", "Turning()")


def test_a_matrix_is_kept_byte_by_byte() -> None:
    turn = turning()
    assert len(turn.to_bytes()) == 4 * D * D
    assert Turning.of_bytes(turn.to_bytes()).to_bytes() == turn.to_bytes()
    with pytest.raises(ValueError, match="no matrix"):
        UNTURNED.to_bytes()


def test_only_an_orthogonal_matrix_turns() -> None:
    for wrong in (np.ones((D, D)), 1.1 * np.eye(D), np.eye(D)[:5], np.full((D, D), np.nan), np.zeros(D)):
        with pytest.raises(ValueError, match="orthogonal"):
            Turning(wrong.astype(np.float32))
    with pytest.raises(ValueError, match="random bytes"):
        Turning.made(bytes(5), D)


def test_an_odd_number_of_rows_is_turned_too() -> None:
    assert turning(dimension=3).vector(np.ones(3, np.float32)).shape == (3,)
    assert randomness(3) == 80


@pytest.mark.parametrize("number", [0.0, np.nan, np.inf])
def test_a_vector_without_a_direction_is_no_template(number: float) -> None:
    with pytest.raises(ValueError, match=r"no direction|not finite"):
        turning().template(np.full(D, number, np.float32))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([1e-3, 1.0, 40.0]))
def test_a_template_fills_its_bytes_and_so_is_nearer_than_one_that_is_not_turned(seed: int, factor: float) -> None:
    (vector,) = vectors(1, seed)
    turn = turning(seed + 1)
    template = turn.template(vector * np.float32(factor))
    assert np.abs(template.astype(int)).max() == 127
    back = turn.onto(UNTURNED).vector(template.astype(np.float32))
    lost = 1 - float(back @ vector) / float(np.linalg.norm(back) * np.linalg.norm(vector))
    plain = rounded(vector).astype(np.float32)
    assert lost < 1.2 * (1 - float(plain @ vector) / float(np.linalg.norm(plain) * np.linalg.norm(vector)))
