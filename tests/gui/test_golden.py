"""Each state at three sizes and upright, against pictures that a person has looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from tests.gui.kit import SIZES, STATES, Kit, frame, screenful

pytestmark = pytest.mark.qt

GOLDEN = Path(__file__).parent / "golden"
LOOKED_AT = ("480x320", "800x480", "1920x1080", "480x800")
WIDE = 240
"""Width of the kept pictures: what lies elsewhere or has another colour is seen, and the repository stays small."""


def figures_have_one_width() -> bool:
    from PySide6.QtGui import QFont

    try:
        QFont.Tag("tnum")
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("size", LOOKED_AT)
def test_pictures_look_as_they_did(make: Callable[..., Kit], size: str, tmp_path: Path) -> None:
    """To renew some, look at the pictures that the failure names and copy them there."""
    if not figures_have_one_width():
        pytest.skip("PySide6 6.8.0 cannot give figures one width: the lines lie a little differently")
    width, height, diagonal, distance = SIZES[size]
    config = screenful(width, height, diagonal, distance, ("en", "de")).config
    different: list[Path] = []
    for state, events in STATES.items():
        kit = make(screen=config, simulated=True)
        kit.show(width, height, events)
        kit.wait(1.4)
        kit.bridge.show_frame(frame())
        kit.application.processEvents()
        shown = cv2.resize(kit.grab(), (WIDE, round(WIDE * height / width)), interpolation=cv2.INTER_AREA)
        found = tmp_path / f"{state}-{size}.png"
        cv2.imwrite(str(found), shown, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        wanted = cv2.imread(str(GOLDEN / found.name))
        if wanted is None or wanted.shape != shown.shape:
            different.append(found)
            continue
        apart = cv2.absdiff(shown, wanted)
        if apart.mean() >= 0.5 or (apart.max(axis=2) > 40).mean() >= 0.001:
            different.append(found)
    assert different == []


def test_no_picture_is_kept_that_nothing_is_compared_with() -> None:
    wanted = {f"{state}-{size}.png" for state in STATES for size in LOOKED_AT}
    assert {path.name for path in GOLDEN.iterdir()} == wanted
