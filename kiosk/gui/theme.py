"""Colours and font. Light on dark. The tones differ in lightness and hue for colour-blind people too."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from PySide6.QtGui import QColor, QFont, QFontMetrics

from kiosk.domain.plain_text import JOINERS
from kiosk.gui.state import Mode

FAMILIES = ("Kiosk Sans", "Kiosk Sans Arabic")
"""The shipped fonts. What the first lacks is drawn with the next."""
GROUND_TOP = QColor("#1a1e23")
GROUND_BOTTOM = QColor("#0d0f12")
PANEL = QColor("#20252b")
INK = QColor("#f4f6f8")
QUIET = QColor("#b9c2cb")
SOFT = QColor("#dde2e7")
BANNER_GROUND = QColor("#f5c400")
BANNER_INK = QColor("#15130a")
KEY = QColor("#2c333b")
KEY_PRESSED = QColor("#434e5a")
KEY_EDGE = QColor("#7d8995")
"""Edge of a key. It differs from the ground by 3:1, so that a key is seen where its colour is not."""
ACCENT = QColor("#63b8ff")
ACCENT_INK = QColor("#0b1116")
FOCUS = QColor("#ffd75e")
FIELD = QColor("#12161a")
WHITE = QColor("#ffffff")
"""The whole screen in the dark: it lights the face."""
WHITE_INK = QColor("#15181b")

_CALM = QColor("#c9d1d9")
_HELP = ACCENT
_GOOD = QColor("#3fdcab")
_STOP = QColor("#ff8a5c")
_BROKEN = QColor("#ffc94d")

TONES: dict[Mode, QColor] = {
    Mode.STARTING: _CALM,
    Mode.IDLE: _CALM,
    Mode.GUIDING: _HELP,
    Mode.CHECKING: _HELP,
    Mode.ASKING: _HELP,
    Mode.GRANTED: _GOOD,
    Mode.REFUSED: _STOP,
    Mode.FAULT: _BROKEN,
    Mode.NUMBER: _HELP,
    Mode.PIN: _HELP,
}
GLOWING = frozenset({Mode.GRANTED, Mode.REFUSED, Mode.FAULT})
"""Modes that tint the background."""


def glow(mode: Mode) -> Mode | None:
    """The mode whose tone tints the background in this one, if any does. Modes with the same share one picture."""
    return mode if mode in GLOWING else None


@dataclass(frozen=True)
class Inks:
    """What is written on the ground: the headline, the second line, the rest; a tone for each mode, or one for all."""

    ink: QColor
    soft: QColor
    quiet: QColor
    one_tone: QColor | None = None

    def tone(self, mode: Mode) -> QColor:
        """The colour of icon and ring."""
        return TONES[mode] if self.one_tone is None else self.one_tone


_DARK_GROUND = Inks(INK, SOFT, QUIET)
_WHITE_GROUND = Inks(WHITE_INK, WHITE_INK, WHITE_INK, WHITE_INK)


def inks(light: bool) -> Inks:
    """The colours of text; `light`: the ground is white, to light a face."""
    return _WHITE_GROUND if light else _DARK_GROUND


def type_face(pixels: float, bold: bool = False, figures: bool = False) -> QFont:
    """The shipped font. It looks the same on every machine: no hinting, no subpixel colours. With `figures` all digits
    have the same width, for a clock."""
    font = QFont()
    font.setFamilies(list(FAMILIES))
    font.setPixelSize(max(1, round(pixels)))
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    font.setStyleStrategy(QFont.StyleStrategy.NoSubpixelAntialias | QFont.StyleStrategy.PreferAntialias)
    if figures:
        # PySide6 6.8.0 cannot make a tag from a name. There the digits have different widths.
        with suppress(AttributeError, TypeError):
            font.setFeature(QFont.Tag("tnum"), 1)
    return font


def lacking(text: str) -> str:
    """Characters of `text` that no font of this machine draws, each once. Qt would draw a box for them."""
    metrics = QFontMetrics(type_face(32))
    return "".join(sorted({c for c in text if _shown(c) and not metrics.inFontUcs4(ord(c))}))


def _shown(character: str) -> bool:
    """Whether the character needs a glyph. White space, joiners and variation selectors need none."""
    return not (character.isspace() or character in JOINERS or 0xFE00 <= ord(character) <= 0xFE0F)


def faded(colour: QColor, alpha: float) -> QColor:
    """The colour with an opacity of 0..1."""
    paler = QColor(colour)
    paler.setAlphaF(alpha)
    return paler


def contrast(ink: QColor, ground: QColor) -> float:
    """The contrast of WCAG 2.2 between two opaque colours: 1 to 21. AA asks for 4.5, and for 3 in large letters."""
    lighter, darker = sorted((_luminance(ink), _luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: QColor) -> float:
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
