"""The keys of the visitor's screen: the other ways in, cancel, the next language; and the corner that calls staff."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPointF, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from kiosk.domain.entry import Means
from kiosk.gui import icons, theme, words
from kiosk.gui.catalogue import Texts
from kiosk.gui.look import Look
from kiosk.gui.state import PAGES, Mode, Screen
from kiosk.gui.toolkit.button import Button
from kiosk.gui.words import Icon

HOLD_MS = 3000
"""How long the corner is held to call staff."""


class Bar(QWidget):
    """Shows the keys that a Screen asks for."""

    chosen = Signal(object)
    """A Means."""
    cancelled = Signal()
    spoken = Signal(str)
    """A language."""

    def __init__(self, parent: QWidget, look: Look, means: Sequence[Means], languages: Sequence[Texts]) -> None:
        super().__init__(parent)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(2 * look.measures.gap)
        line.addStretch(1)
        self.keys: dict[str, Button] = {}
        """By Means, "cancel", or language."""
        for other in languages:
            if other.language != look.texts.language:
                name = other.language.upper() if look.measures.short else other("language.name")
                key = self._add(line, other.language, Button(look, glyph=name))
                key.clicked.connect(partial(self.spoken.emit, other.language))
        for way in means:
            if way in words.BUTTONS:
                name, icon = words.BUTTONS[way]
                key = self._add(
                    line, way.value, Button(look, name, icon=None if look.measures.short else icon, primary=True)
                )
                key.clicked.connect(partial(self.chosen.emit, way))
        self._add(line, "cancel", Button(look, "cancel.key", icon=Icon.BACK)).clicked.connect(self.cancelled)
        self._languages = [other.language for other in languages]

    def set_screen(self, screen: Screen) -> None:
        """Shows the keys of this screen, and no other."""
        calm = screen.mode in {Mode.STARTING, Mode.IDLE, Mode.GUIDING, Mode.CHECKING, Mode.FAULT, Mode.REFUSED}
        for name, key in self.keys.items():
            if name == "cancel":
                shown = screen.cancel and screen.mode not in PAGES
            elif name in self._languages:
                shown = calm and not screen.cancel
            else:
                shown = Means(name) in screen.ways
            key.setVisible(shown)

    def _add(self, line: QHBoxLayout, name: str, key: Button) -> Button:
        line.addWidget(key)
        self.keys[name] = key
        return key


class Corner(Button):
    """A small sign that is held for three seconds, by finger, mouse or space bar. Then it emits `held`."""

    held = Signal()

    def __init__(self, parent: QWidget, look: Look) -> None:
        super().__init__(look, "corner.name", bare=True, parent=parent)
        self._look = look
        self._light = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HOLD_MS)
        self._timer.timeout.connect(self._over)
        self.pressed.connect(self._timer.start)
        self.released.connect(self._released)

    def set_light(self, light: bool) -> None:
        """Whether the ground is white."""
        self._light = light
        self.update()

    def _released(self) -> None:
        # A key that repeats is released and pressed again without being let go.
        if not self.isDown():
            self._timer.stop()

    def _over(self) -> None:
        if self.isDown():
            self.setDown(False)
            self.held.emit()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the sign, quietly; the focus loudly."""
        painter = QPainter(self)
        inks = theme.inks(self._light)
        ink = theme.FOCUS if self.hasFocus() and not self._light else inks.quiet if self.isDown() else theme.KEY_EDGE
        side = 4.5 * self._look.measures.per_mm
        icons.draw(painter, Icon.FACE, QPointF(self.width() / 2, side * 0.6), side, ink)
        painter.end()
