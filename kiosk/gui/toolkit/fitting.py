"""Text that fits its place: drawn smaller where there is not enough room, never cut off."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from kiosk.gui import theme

_STEP, _LEAST = 0.95, 0.35


def fitted(text: str, pixels: float, bold: bool, width: float, height: float, flags: int) -> tuple[QFont, float]:
    """The largest font of at most `pixels` with which `text` fits into width x height, and the height that it takes."""
    size = pixels
    while True:
        area = extent(text, size, bold, width, flags)
        if (area.width() <= width and area.height() <= height) or size <= pixels * _LEAST:
            return theme.type_face(size, bold, figures=True), area.height()
        size *= _STEP


def extent(text: str, pixels: float, bold: bool, width: float, flags: int) -> QRectF:
    """The room that a text takes, broken into lines of `width`. A long word may be wider."""
    if not text:
        return QRectF()
    metrics = QFontMetricsF(theme.type_face(pixels, bold, figures=True))
    return metrics.boundingRect(QRectF(0, 0, width, 10_000), flags, text)


class Fitted(QWidget):
    """A text in the middle of its place, in as many lines as it needs. It asks for no height of its own."""

    def __init__(self, pixels: float, text: str = "", bold: bool = False, ink: QColor | None = None) -> None:
        super().__init__()
        self._pixels, self._text, self._bold, self._ink = pixels, text, bold, ink or theme.INK
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setAccessibleName(text)

    def text(self) -> str:
        """What it shows."""
        return self._text

    def set_text(self, text: str) -> None:
        """Changes the text."""
        if text != self._text:
            self._text = text
            self.setAccessibleName(text)
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Nothing: it takes what is left."""
        return QSize(0, 0)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the text."""
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        font, _ = fitted(self._text, self._pixels, self._bold, self.width(), self.height(), flags)
        painter = QPainter(self)
        painter.setFont(font)
        painter.setPen(self._ink)
        painter.drawText(QRectF(self.rect()), flags, self._text)
        painter.end()
