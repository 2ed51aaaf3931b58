"""Nothing overlaps and nothing leaves the screen, whatever its size; and the guide is the place that the gate means."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.face import Box, Face
from kiosk.gui.layout import Layout, Mirror, Rect, arrange
from kiosk.gui.sizes import Measures
from kiosk.vision import quality
from tests.gui.kit import SIZES

SCREENS = st.builds(
    Measures, st.integers(240, 4000), st.integers(240, 4000), st.floats(50, 2500), st.floats(300, 5000), st.booleans()
)


def overlap(a: Rect, b: Rect) -> bool:
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


def measures(size: str, large: bool = False) -> Measures:
    return Measures(*SIZES[size], large)


@given(SCREENS, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_the_windows_parts_do_not_overlap_and_stay_inside(
    screen: Measures, banner: bool, preview: bool, buttons: bool, low: bool, right: bool
) -> None:
    layout = arrange(screen, banner=banner, preview=preview, buttons=buttons, low=low, right_to_left=right)
    parts = [layout.clock, layout.message, layout.privacy]
    parts += [layout.banner] * banner + [layout.preview] * preview + [layout.buttons] * buttons
    for part in (*parts, layout.corner):
        assert part.width > 0
        assert part.height > 0
        assert part.x >= 0
        assert part.y >= 0
        assert part.right <= screen.width
        assert part.bottom <= screen.height
    assert not any(overlap(a, b) for a, b in combinations(parts, 2))


@given(SCREENS, st.booleans(), st.booleans())
def test_right_to_left_is_the_mirror_image(screen: Measures, banner: bool, preview: bool) -> None:
    plain = arrange(screen, banner=banner, preview=preview, buttons=True)
    turned = arrange(screen, banner=banner, preview=preview, buttons=True, right_to_left=True)
    for part in fields(Layout):
        one, other = getattr(plain, part.name), getattr(turned, part.name)
        if isinstance(one, Rect):
            assert (other.x, other.width) == (screen.width - one.right, one.width), part.name


@pytest.mark.parametrize("size", SIZES)
def test_what_is_touched_is_as_large_as_a_finger(size: str) -> None:
    layout = arrange(measures(size), banner=True, preview=True, buttons=True)
    touch = measures(size).touch
    assert layout.buttons.height >= touch
    assert min(layout.corner.width, layout.corner.height) >= touch


@pytest.mark.parametrize("size", SIZES)
def test_low_means_that_the_picture_is_in_the_lower_half(size: str) -> None:
    low = arrange(measures(size), banner=False, preview=True, buttons=True, low=True)
    picture = Mirror(640, 480, low.preview, low=True).picture
    assert picture.y + picture.height / 2 > SIZES[size][1] * 0.45
    assert low.buttons.bottom > SIZES[size][1] * 0.95


@pytest.mark.parametrize("size", SIZES)
def test_without_a_picture_the_message_has_the_whole_width(size: str) -> None:
    layout = arrange(measures(size), banner=False, preview=False, buttons=True)
    assert layout.message.width > 0.9 * SIZES[size][0]
    assert layout.centred


AREAS = st.builds(Rect, st.integers(0, 50), st.integers(0, 50), st.integers(40, 2000), st.integers(40, 2000))
FRAMES = st.sampled_from([(640, 480), (480, 640), (1280, 720), (1920, 1080)])


@given(FRAMES, AREAS, st.floats(0.2, 1.0), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_the_guide_on_the_screen_is_where_the_gate_lets_a_face_count(
    frame: tuple[int, int], area: Rect, guide: float, across: float, down: float, low: bool
) -> None:
    """What the camera must see and what the screen shows as the place for the face are the same place."""
    mirror = Mirror(*frame, area, low)
    centre = frame[0] * across, frame[1] * down
    face = Face(Box(centre[0] - 40, centre[1] - 50, 80, 100), ((0.0, 0.0),) * 5, 1.0)
    picture = np.zeros((frame[1], frame[0], 3), np.uint8)
    x, y = mirror.point(*centre)
    left, top, wide, high = mirror.guide(guide)
    edge = 1e-6 * max(frame)
    if min(abs(x - left), abs(x - left - wide), abs(y - top), abs(y - top - high)) > edge:
        shown = left < x < left + wide and top < y < top + high
        assert shown is quality._in_guide(picture, face, guide)


@given(FRAMES, AREAS, st.booleans())
def test_the_whole_frame_is_seen_mirrored_and_in_shape(frame: tuple[int, int], area: Rect, low: bool) -> None:
    mirror = Mirror(*frame, area, low)
    picture = mirror.picture
    assert area.x <= picture.x
    assert picture.right <= area.right + 1
    assert area.y <= picture.y
    assert picture.bottom <= area.bottom + 1
    assert mirror.point(0, 0) == (picture.right, picture.y)
    assert mirror.point(*frame) == pytest.approx((picture.x, picture.bottom))
    if min(picture.width, picture.height) > 100:
        assert picture.width / picture.height == pytest.approx(frame[0] / frame[1], rel=0.03)


def test_a_box_keeps_its_place_beside_others() -> None:
    mirror = Mirror(640, 480, Rect(0, 0, 640, 480))
    assert mirror.box(Box(0, 10, 100, 50)) == pytest.approx((540, 10, 100, 50))
    lower = replace(mirror, area=Rect(0, 0, 640, 600), low=True)
    assert lower.picture.y == 120
