"""The kinds of distortion after which a picture is no upright, natural face."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.evaluation.ruin_kinds import QUARTERS, RUINS, UPRIGHT, Ruin

PICTURE = np.random.default_rng(3).integers(0, 256, (120, 96, 3), np.uint8)


@pytest.mark.parametrize("ruin", RUINS, ids=lambda r: r.name)
def test_each_kind_changes_the_picture_alike_each_time_and_leaves_the_one_it_was_given(ruin: Ruin) -> None:
    given = PICTURE.copy()
    once, again = ruin.change(given), ruin.change(given)
    np.testing.assert_array_equal(given, PICTURE)
    np.testing.assert_array_equal(once, again)
    assert (once.dtype, once.ndim, once.shape[2]) == (np.uint8, 3, 3)
    assert once.flags.c_contiguous
    assert once.shape != given.shape or not np.array_equal(once, given)


def test_the_kinds_have_names_of_their_own_and_some_are_kept_out() -> None:
    assert len({r.name for r in RUINS}) == len(RUINS)
    assert UPRIGHT not in RUINS
    assert set(QUARTERS) < set(RUINS)
    assert not any(r.kept_out for r in QUARTERS)
    assert sum(r.kept_out for r in RUINS) >= 10
