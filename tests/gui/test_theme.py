"""Contrast of every text with its ground (WCAG 2.2, AA)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kiosk.gui.state import Mode

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

pytestmark = pytest.mark.qt


def test_contrast_is_that_of_wcag(application: QApplication) -> None:
    from PySide6.QtGui import QColor

    from kiosk.gui.theme import contrast

    assert contrast(QColor("#ffffff"), QColor("#000000")) == pytest.approx(21)
    assert contrast(QColor("#777777"), QColor("#ffffff")) == pytest.approx(4.48, abs=0.01)


def test_every_text_has_the_contrast_of_aa_on_its_ground(application: QApplication) -> None:
    from PySide6.QtCore import QSize

    from kiosk.gui import theme
    from kiosk.gui.widgets import ground

    pairs = {
        "banner": (theme.BANNER_INK, theme.BANNER_GROUND),
        "key": (theme.INK, theme.KEY),
        "pressed key": (theme.INK, theme.KEY_PRESSED),
        "key that does nothing now": (theme.QUIET, theme.KEY),
        "first key": (theme.ACCENT_INK, theme.ACCENT),
        "field": (theme.INK, theme.FIELD),
        "page": (theme.INK, theme.GROUND_BOTTOM),
        "row's detail": (theme.QUIET, theme.KEY),
        "chosen row": (theme.QUIET, theme.KEY_PRESSED),
    }
    for mode in Mode:
        for light in (False, True):
            picture = ground(QSize(80, 48), 1.0, theme.glow(mode), light).toImage()
            inks = theme.inks(light)
            for x in range(0, 80, 8):
                for y in range(0, 48, 8):
                    for name in ("ink", "soft", "quiet"):
                        pairs[f"{name} {mode} {light} {x} {y}"] = getattr(inks, name), picture.pixelColor(x, y)
    weak = {name: theme.contrast(*pair) for name, pair in pairs.items() if theme.contrast(*pair) < 4.5}
    assert weak == {}


def test_what_is_drawn_has_three_to_one(application: QApplication) -> None:
    """WCAG 1.4.11: icons, edges of keys, the focus."""
    from PySide6.QtCore import QSize

    from kiosk.gui import theme
    from kiosk.gui.widgets import ground

    assert theme.contrast(theme.FOCUS, theme.GROUND_BOTTOM) >= 3
    assert theme.contrast(theme.KEY_EDGE, theme.GROUND_BOTTOM) >= 3
    for mode in Mode:
        for light in (False, True):
            picture = ground(QSize(80, 48), 1.0, theme.glow(mode), light).toImage()
            worst = min(
                theme.contrast(theme.inks(light).tone(mode), picture.pixelColor(x, y))
                for x in range(0, 80, 8)
                for y in range(0, 48, 8)
            )
            assert worst >= 3, (mode, light)
