"""A window that operates a simulated door: buttons for its contact, its exit button and its tamper switch."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from kiosk.domain.door.state import DoorStatus, Hand, Leaf
from kiosk.domain.errors import KioskError

LOOK_MILLISECONDS = 300


class DoorSimulator(QWidget):
    """`move` operates the door, `look` reads its status, `say` makes a text of a status. Shows their errors."""

    def __init__(
        self,
        move: Callable[[Hand], DoorStatus],
        look: Callable[[], DoorStatus],
        say: Callable[[DoorStatus], str],
    ) -> None:
        super().__init__()
        self.setWindowTitle("A simulated door")
        self._move = move
        self._look = look
        self._say = say
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.leaf = self._switch("Door open", Hand.OPEN, Hand.CLOSE)
        self.rex = QPushButton("Press the exit button")
        self.rex.clicked.connect(lambda: self._do(Hand.REX))
        self.housing = self._switch("Housing open", Hand.TAMPER, Hand.RESTORE)
        layout = QVBoxLayout(self)
        for part in (self.state, self.leaf, self.rex, self.housing):
            layout.addWidget(part)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(LOOK_MILLISECONDS)
        self.refresh()

    def refresh(self) -> None:
        """Shows the door's present status."""
        try:
            status = self._look()
        except KioskError as error:
            self.state.setText(str(error))
            return
        self.state.setText(self._say(status))
        if status.leaf is not Leaf.UNKNOWN:
            self.leaf.setChecked(status.leaf is Leaf.OPEN)
        self.housing.setChecked(status.tamper)

    def _switch(self, text: str, on: Hand, off: Hand) -> QPushButton:
        button = QPushButton(text)
        button.setCheckable(True)
        button.clicked.connect(lambda checked: self._do(on if checked else off))
        return button

    def _do(self, hand: Hand) -> None:
        try:
            self._move(hand)
        except KioskError as error:
            self.state.setText(str(error))
