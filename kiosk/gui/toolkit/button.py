"""A button that fingers hit: at least 9 mm, the same for mouse, touch and keyboard, its focus visible."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from kiosk.gui import icons, theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.words import Icon

_SMALLEST = 0.4
"""A text that does not fit its button is drawn smaller, but not below this share."""


class Button(QAbstractButton):
    """Shows the text of `key`, or `glyph` where there is nothing to translate (a digit, a letter). `bare`: the icon
    alone; the text of `key` is its name for a screen reader. `primary`: the one that goes on. `quiet`: pressing it
    changes nothing of its look (the keys of a PIN)."""

    def __init__(
        self,
        look: Look,
        key: str = "",
        *,
        glyph: str = "",
        icon: Icon | None = None,
        bare: bool = False,
        primary: bool = False,
        quiet: bool = False,
        letters: Letters = Letters.NEAR,
        parent: QWidget | None = None,
        **values: object,
    ) -> None:
        super().__init__(parent)
        self._look, self._icon, self._primary, self._quiet = look, icon, primary, quiet
        self._letters = letters
        said = glyph or (look.texts(key, **values) if key else "")
        self.setText("" if bare else said)
        self.setAccessibleName(said)
        # By keys alone: a finger leaves no frame behind that tells what was touched last.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setMinimumSize(look.measures.touch, look.measures.touch)

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as its text, and at least as large as a finger needs."""
        measures = self._look.measures
        wide = QFontMetricsF(self._font()).horizontalAdvance(self.text()) + 2 * self._padding()
        if self._icon is not None:
            wide += measures.touch * 0.6
        return QSize(max(measures.touch, round(wide)), measures.touch)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Enter presses it too, as the space bar does."""
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and not event.isAutoRepeat():
            self.click()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws key, focus, icon and text."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = max(1.0, 0.35 * self._look.measures.per_mm)
        area = QRectF(self.rect()).adjusted(line, line, -line, -line)
        lit = (self.isDown() or self.isChecked()) and not self._quiet
        ground = theme.ACCENT if self._primary and self.isEnabled() else theme.KEY_PRESSED if lit else theme.KEY
        ink = theme.ACCENT_INK if self._primary and self.isEnabled() else theme.INK
        if not self.isEnabled():
            ink = theme.QUIET
        painter.setBrush(ground)
        edge = theme.FOCUS if self.hasFocus() else theme.INK if lit else theme.KEY_EDGE
        painter.setPen(QPen(edge, line * (2 if self.hasFocus() else 0.6)))
        radius = 1.6 * self._look.measures.per_mm
        painter.drawRoundedRect(area, radius, radius)
        inside = area.adjusted(self._padding() / 2, 0, -self._padding() / 2, 0)
        if self._icon is not None:
            side = min(inside.height() * 0.5, inside.width())
            alone = not self.text()
            right = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
            x = inside.center().x() if alone else (inside.right() - side / 2 if right else inside.left() + side / 2)
            icons.draw(painter, self._icon, QPointF(x, inside.center().y()), side, ink)
            gone = 1.1 * side
            inside = inside.adjusted(0, 0, -gone, 0) if right else inside.adjusted(gone, 0, 0, 0)
        font = self._font()
        wide = QFontMetricsF(font).horizontalAdvance(self.text())
        if wide > inside.width() > 0:
            font.setPixelSize(max(1, int(font.pixelSize() * max(_SMALLEST, inside.width() / wide))))
        painter.setFont(font)
        painter.setPen(ink)
        painter.drawText(inside, Qt.AlignmentFlag.AlignCenter, self.text())
        painter.end()

    def _font(self) -> QFont:
        return theme.type_face(self._look.measures.font_px(self._letters), bold=True)

    def _padding(self) -> float:
        return 2 * self._look.measures.per_mm
