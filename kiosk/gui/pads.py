"""The pages on which a visitor types: a personal number, a PIN."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal

from kiosk.domain import number, pin
from kiosk.gui.look import Look
from kiosk.gui.state import Mode, Screen
from kiosk.gui.toolkit.keypad import Keypad
from kiosk.gui.toolkit.page import Page


class Pad(Page):
    """A keypad with its title. `entered` gives all digits at once."""

    entered = Signal(str)

    def __init__(self, look: Look, mode: Mode, clock: Callable[[], float]) -> None:
        hidden = mode is Mode.PIN
        super().__init__(look, "pin.title" if hidden else "number.title", back="cancel.key")
        self.mode = mode
        self.keypad = Keypad(
            look,
            hidden=hidden,
            shortest=pin.SHORTEST if hidden else number.SHORTEST,
            longest=pin.LONGEST if hidden else number.LONGEST,
            clock=clock,
        )
        self.keypad.entered.connect(self.entered)
        self.body.addWidget(self.keypad)
        self.setFocusProxy(self.keypad)

    def set_screen(self, screen: Screen) -> None:
        """Shows the title, and whether digits are taken now."""
        self.title.set_text(screen.headline)
        if self.keypad.isEnabled() is (screen.wait > 0):
            self.keypad.clear()
            self.keypad.setEnabled(screen.wait == 0)
            if self.keypad.isEnabled():
                self.keypad.setFocus()
