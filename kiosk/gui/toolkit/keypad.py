"""Digits, for a personal number or a PIN. Every key looks and sounds the same; of a PIN only dots are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QBoxLayout, QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from kiosk.gui import theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.toolkit.button import Button
from kiosk.gui.toolkit.pace import Pace
from kiosk.system.clock import boottime

_ROWS = ("123", "456", "789")


class Shown(QWidget):
    """What was typed so far: digits, or a dot for each."""

    def __init__(self, look: Look, hidden: bool) -> None:
        super().__init__()
        self._look, self._hidden, self._text = look, hidden, ""
        self.setMinimumHeight(look.measures.touch)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str) -> None:
        """Takes all that was typed."""
        self._text = text
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the field, and in it digits or dots."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        per_mm = self._look.measures.per_mm
        painter.setBrush(theme.FIELD)
        painter.setPen(QPen(theme.KEY_EDGE, max(1.0, 0.2 * per_mm)))
        painter.drawRoundedRect(area, 1.6 * per_mm, 1.6 * per_mm)
        if self._hidden:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.INK)
            pitch = min(4.0 * per_mm, area.width() / (len(self._text) + 1))
            start = area.center().x() - pitch * (len(self._text) - 1) / 2
            for place in range(len(self._text)):
                painter.drawEllipse(QPointF(start + place * pitch, area.center().y()), 0.3 * pitch, 0.3 * pitch)
        else:
            painter.setFont(theme.type_face(self._look.measures.font_px(Letters.TITLE), bold=True, figures=True))
            painter.setPen(theme.INK)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._text)
        painter.end()


class Keypad(QWidget):
    """Emits `entered` with `shortest` to `longest` digits, when OK or Enter is pressed; then it is empty again.

    `hidden`: a PIN. A keyboard may type into it too, but no scanner (toolkit.pace): what came in a burst is dropped.
    `changed` tells after each key how many digits there are, for time-outs, and never which.
    """

    entered = Signal(str)
    changed = Signal(int)

    def __init__(
        self,
        look: Look,
        *,
        hidden: bool,
        shortest: int,
        longest: int,
        clock: Callable[[], float] = boottime,
        around: Sequence[QWidget] = (),
        parent: QWidget | None = None,
    ) -> None:
        """`around`: what stands beside the digits, above and below what was typed: the first above, the rest below."""
        super().__init__(parent)
        self._shortest, self._longest, self._clock = shortest, longest, clock
        self._typed = ""
        self._pace = Pace()
        self.shown = Shown(look, hidden)
        self.keys: dict[str, Button] = {}
        grid = QGridLayout()
        grid.setSpacing(look.measures.gap)
        for row, digits in enumerate(_ROWS):
            for column, digit in enumerate(digits):
                grid.addWidget(self._key(look, digit, hidden), row, column)
        self.erase = Button(look, "key.erase", quiet=hidden)
        self.erase.clicked.connect(self._erase)
        self.enter = Button(look, "key.enter", primary=True, quiet=hidden)
        self.enter.clicked.connect(self._enter)
        grid.addWidget(self.erase, len(_ROWS), 0)
        grid.addWidget(self._key(look, "0", hidden), len(_ROWS), 1)
        grid.addWidget(self.enter, len(_ROWS), 2)
        for line in range(len(_ROWS) + 1):
            grid.setRowStretch(line, 1)
        for column in range(3):
            grid.setColumnStretch(column, 1)
        # Digits stand in the same order in every language.
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        beside = not look.measures.portrait
        outer = QBoxLayout(QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom, self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(2 * look.measures.gap)
        aside = QVBoxLayout()
        aside.setSpacing(look.measures.gap)
        for part in (*around[:1], self.shown, *around[1:]):
            aside.addWidget(part)
        if around:
            aside.insertStretch(0, 1)
            aside.addStretch(1)
        outer.addLayout(aside, 2 if beside else 0)
        outer.addLayout(grid, 3)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for key in self.keys.values():
            key.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        for other in (self.erase, self.enter):
            other.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._show()

    def clear(self) -> None:
        """Forgets what was typed."""
        self._typed = ""
        self._show()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Takes digits, Backspace and Enter of a keyboard; the rest goes on to the page."""
        text, key = event.text(), event.key()
        confirms = key in {Qt.Key.Key_Return, Qt.Key.Key_Enter}
        if not (confirms or key == Qt.Key.Key_Backspace or (text.isascii() and text.isdigit())):
            event.ignore()
            return
        if event.isAutoRepeat():
            return
        if not self._pace.key(self._clock()):
            self.clear()
        elif confirms:
            self._enter()
        elif key == Qt.Key.Key_Backspace:
            self._erase()
        else:
            self._digit(text)

    def _key(self, look: Look, digit: str, hidden: bool) -> Button:
        key = Button(look, glyph=digit, quiet=hidden, letters=Letters.TITLE)
        key.clicked.connect(lambda: self._digit(digit))
        self.keys[digit] = key
        return key

    def _digit(self, digit: str) -> None:
        if len(self._typed) < self._longest:
            self._typed += digit
        self._show()

    def _erase(self) -> None:
        self._typed = self._typed[:-1]
        self._show()

    def _enter(self) -> None:
        if len(self._typed) < self._shortest:
            return
        typed, self._typed = self._typed, ""
        self._show()
        self.entered.emit(typed)

    def _show(self) -> None:
        self.shown.show_text(self._typed)
        self.enter.setEnabled(len(self._typed) >= self._shortest)
        self.changed.emit(len(self._typed))
