"""One line of text, typed on the on-screen keyboard or a real one. Nothing else gets into it or out of it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPalette
from PySide6.QtWidgets import QLineEdit, QWidget

from kiosk.gui import theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.toolkit.pace import Pace
from kiosk.system.clock import boottime

_COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier


class Field(QLineEdit):
    """No menu, no clipboard, no dragging, no undo: `longest` characters, and what was typed is forgotten with it. No
    scanner types into it (toolkit.pace): what came in a burst is taken out again, and its Enter does nothing."""

    def __init__(
        self,
        look: Look,
        *,
        longest: int = 80,
        clock: Callable[[], float] = boottime,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._clock, self._pace = clock, Pace()
        self._before = ""
        """What stood here before the last key that counted."""
        self.setMaxLength(longest)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setDragEnabled(False)
        self.setAcceptDrops(False)
        self.setMinimumHeight(look.measures.touch)
        self.setFont(theme.type_face(look.measures.font_px(Letters.TITLE)))
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, theme.FIELD)
        palette.setColor(QPalette.ColorRole.Text, theme.INK)
        palette.setColor(QPalette.ColorRole.Highlight, theme.ACCENT)
        palette.setColor(QPalette.ColorRole.HighlightedText, theme.ACCENT_INK)
        self.setPalette(palette)
        line, edge = max(1, look.measures.px(0.3)), theme.KEY_EDGE.name()
        self.setStyleSheet(
            f"QLineEdit {{ border: {line}px solid {edge}; border-radius: {look.measures.px(1.6)}px; "
            f"padding: 0 {look.measures.px(2)}px; background: {theme.FIELD.name()}; color: {theme.INK.name()}; }}"
            f"QLineEdit:focus {{ border-color: {theme.FOCUS.name()}; }}"
        )

    def event(self, event: QEvent) -> bool:
        """Takes no shortcut for itself: copy, paste, undo and the like stay unused."""
        if event.type() is QEvent.Type.ShortcutOverride and _commands(event):
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Letters, Backspace, arrows; no commands."""
        if _commands(event) or event.key() in {Qt.Key.Key_Paste, Qt.Key.Key_Copy, Qt.Key.Key_Cut, Qt.Key.Key_Insert}:
            event.ignore()
            return
        if event.text() and not self._counts(event):
            return
        super().keyPressEvent(event)

    def _counts(self, event: QKeyEvent) -> bool:
        """Whether a key that types, erases or confirms was pressed by a person."""
        if event.isAutoRepeat():
            return event.key() in {Qt.Key.Key_Backspace, Qt.Key.Key_Delete}
        if not self._pace.key(self._clock()):
            self.setText(self._before)
            return False
        self._before = self.text()
        return True

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """The middle button would paste what another window has marked."""
        if event.button() is Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """See mousePressEvent: Qt pastes when the middle button is released."""
        if event.button() is Qt.MouseButton.LeftButton:
            super().mouseReleaseEvent(event)


def _commands(event: QEvent) -> bool:
    """Whether a key is held that makes a command of a letter. AltGr, which types letters, is Control and Alt."""
    if not isinstance(event, QKeyEvent):
        return False
    held = event.modifiers() & _COMMANDS
    altgr = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    return bool(held) and not (held == altgr and event.text().isprintable() and event.text() != "")
