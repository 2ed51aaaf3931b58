"""Dot products of bytes: every kernel gives the same whole numbers."""

from __future__ import annotations

import importlib
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import products
from kiosk.domain.products import PACKED, STEP, WIDEST, kernel_for, kernels


@st.composite
def rows_and_probe(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count, width = draw(st.integers(1, 40)), draw(st.sampled_from([1, 7, 64, 128, 512]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        return random.integers(-128, 128, (count, width), np.int8), random.integers(-128, 128, width, np.int8)
    ends = np.array([-128, 127], np.int8)
    return random.choice(ends, (count, width)), random.choice(ends, width)


@given(rows_and_probe())
def test_every_kernel_gives_the_plain_sums(both: tuple[np.ndarray, np.ndarray]) -> None:
    rows, probe = both
    wanted = [sum(a * b for a, b in zip(row, probe.tolist(), strict=True)) for row in rows.tolist()]
    for kernel in kernels():
        found = kernel(rows)(probe)
        assert found.dtype == np.float32
        assert found.tolist() == wanted, kernel.__name__


@pytest.mark.parametrize("value", [-128, 127])
def test_the_largest_sums_are_exact(value: int) -> None:
    rows = np.full((3, WIDEST), value, np.int8)
    rows[1, 0] -= np.int8(1) if value > 0 else np.int8(-1)
    probe = np.full(WIDEST, -128, np.int8)
    wanted = (rows.astype(int) @ probe.astype(int)).tolist()
    for kernel in kernels():
        assert kernel(rows)(probe).tolist() == wanted, kernel.__name__


@pytest.mark.parametrize("count", [STEP - 1, STEP, STEP + 1, 3 * STEP + 5])
def test_no_row_is_left_out(count: int) -> None:
    random = np.random.default_rng(count)
    rows, probe = random.integers(-128, 128, (count, 128), np.int8), random.integers(-128, 128, 128, np.int8)
    wanted = rows.astype(np.int64) @ probe.astype(np.int64)
    for kernel in kernels():
        assert (kernel(rows)(probe) == wanted).all(), kernel.__name__


def test_without_numkong_numpy_does_it() -> None:
    try:
        with mock.patch.dict(sys.modules, {"numkong": None}):
            importlib.reload(products)
            assert products.kernels() == (products.plain,)
            assert products.kernel_for(1) is products.plain
    finally:
        importlib.reload(products)


def test_with_numkong_a_small_gallery_is_packed_and_a_large_one_is_not() -> None:
    pytest.importorskip("numkong", reason="numkong has no wheel for this processor")
    assert {k.__name__ for k in kernels()} == {"plain", "unpacked", "packed"}
    assert kernel_for(PACKED).__name__ == "packed"
    assert kernel_for(PACKED + 1).__name__ == "unpacked"
