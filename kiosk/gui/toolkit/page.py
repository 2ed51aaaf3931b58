"""The frame of a page: what goes back, the title, what is done; below it the page's own parts. On a low screen the
page's own parts come first, and all of it lies in the lowest part of the screen."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from kiosk.gui import theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.toolkit.button import Button
from kiosk.gui.toolkit.fitting import Fitted
from kiosk.gui.words import Icon

LOW_MM = 300
"""A low page's height at most: what is higher on a tall screen is hard to reach for somebody who sits."""


class Label(QLabel):
    """The text of `key`, or a name or number that was given as `plain`. It takes as many lines as it needs."""

    def __init__(
        self, look: Look, key: str = "", *, plain: str = "", letters: Letters = Letters.NEAR, **values: object
    ) -> None:
        super().__init__(plain or (look.texts(key, **values) if key else ""))
        self._look = look
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setFont(theme.type_face(look.measures.font_px(letters), bold=letters is not Letters.NEAR))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.WindowText, theme.INK)
        self.setPalette(palette)

    def say(self, key: str, **values: object) -> None:
        """Changes the text."""
        self.setText(self._look.texts(key, **values) if key else "")


class Page(QWidget):
    """Back (or Cancel) at the start of the line, Done at its end where there is one: the first line, on a low screen
    (`Look.low`) the last one. Add to `body`.

    Escape is Back. The page does nothing by itself: who opened it closes it when `went_back` or `finished` is emitted.
    """

    went_back = Signal()
    finished = Signal()

    def __init__(
        self,
        look: Look,
        title: str,
        *,
        done: bool = False,
        back: str = "key.back",
        parent: QWidget | None = None,
        **values: object,
    ) -> None:
        """`title`, `back`: keys of texts. `values`: what stands in the title's {places}."""
        super().__init__(parent)
        self.look = look
        measures = look.measures
        self.back = Button(look, back, icon=Icon.BACK, bare=measures.width < 60 * measures.per_mm)
        self.back.clicked.connect(lambda *_: self.go_back())
        self.title = Fitted(measures.font_px(Letters.TITLE), look.texts(title, **values), bold=True)
        self.done = Button(look, "key.done", primary=True)
        self.done.clicked.connect(self.finished)
        # Kept in the line even where it is not shown, so that the title stands in the middle.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        policy = self.done.sizePolicy()
        policy.setRetainSizeWhenHidden(measures.width >= 80 * measures.per_mm)
        self.done.setSizePolicy(policy)
        self.done.setVisible(done)
        head = QHBoxLayout()
        head.setSpacing(2 * measures.gap)
        head.addWidget(self.back)
        head.addWidget(self.title, 1)
        head.addWidget(self.done)
        self.body = QVBoxLayout()
        self.body.setSpacing(measures.gap)
        outer = QVBoxLayout(self)
        margin = measures.gap // 2 if measures.short else measures.px(1.5)
        above = max(0, measures.height - round(LOW_MM * measures.per_mm)) if look.low else 0
        outer.setContentsMargins(margin, margin + above, margin, margin)
        outer.setSpacing(measures.gap)
        outer.addLayout(head)
        outer.insertLayout(0 if look.low else 1, self.body, 1)
        self.setLayoutDirection(
            Qt.LayoutDirection.RightToLeft if look.texts.right_to_left else Qt.LayoutDirection.LeftToRight
        )

    def go_back(self) -> None:
        """Back. A page that shows something in place of its first view goes back to that."""
        self.went_back.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Escape goes back."""
        if event.key() == Qt.Key.Key_Escape:
            self.go_back()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the ground."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.GROUND_BOTTOM)
        painter.end()
