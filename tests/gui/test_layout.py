"""Nothing overlaps and nothing leaves the screen, whatever its size."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.gui.layout import Rect, arrange

SIZES = [(800, 480), (1024, 600), (1280, 800), (480, 800), (600, 1024)]


def overlap(a: Rect, b: Rect) -> bool:
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


@given(st.integers(240, 4000), st.integers(240, 4000), st.booleans(), st.booleans())
def test_the_windows_parts_do_not_overlap_and_stay_inside(width: int, height: int, banner: bool, preview: bool) -> None:
    layout = arrange(width, height, banner, preview)
    parts = [layout.clock, layout.message, layout.privacy]
    parts += [layout.banner] * banner + [layout.preview] * preview
    for part in parts:
        assert part.width > 0
        assert part.height > 0
        assert part.x >= 0
        assert part.y >= 0
        assert part.right <= width
        assert part.bottom <= height
    assert not any(overlap(a, b) for a, b in combinations(parts, 2))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_message_has_room_for_sign_two_lines_and_detail(width: int, height: int) -> None:
    layout = arrange(width, height, banner=True, preview=True)
    assert layout.message.height >= (90 + 2 * 60 + 60) * layout.unit
    assert layout.preview.height >= 0.35 * height


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_without_a_picture_the_message_has_the_whole_width(width: int, height: int) -> None:
    layout = arrange(width, height, banner=False, preview=False)
    assert layout.message.width > 0.9 * width
    assert layout.centred
