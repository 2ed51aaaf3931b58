"""The panel of a simulated door does what its buttons say, and shows how the door is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kiosk.domain.door.state import DoorState, DoorStatus, Hand, Leaf
from kiosk.domain.errors import DoorError

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

pytestmark = pytest.mark.qt


class Door:
    """Moved by hand; it can go away."""

    def __init__(self) -> None:
        self.hands: list[Hand] = []
        self.leaf, self.tamper, self.away = Leaf.CLOSED, False, False

    def move(self, hand: Hand) -> DoorStatus:
        self.hands.append(hand)
        if hand in {Hand.OPEN, Hand.CLOSE}:
            self.leaf = Leaf.OPEN if hand is Hand.OPEN else Leaf.CLOSED
        if hand in {Hand.TAMPER, Hand.RESTORE}:
            self.tamper = hand is Hand.TAMPER
        return self.look()

    def look(self) -> DoorStatus:
        if self.away:
            raise DoorError("kiosk-door cannot be reached")
        return DoorStatus(DoorState.SECURED, True, 0.0, leaf=self.leaf, tamper=self.tamper)


def test_each_button_is_a_hand(application: QApplication) -> None:
    from kiosk.gui.door_simulator import DoorSimulator

    door = Door()
    panel = DoorSimulator(door.move, door.look, lambda status: f"leaf {status.leaf}")
    assert panel.state.text() == "leaf closed"
    for button in (panel.leaf, panel.rex, panel.housing, panel.leaf, panel.housing):
        button.click()
    assert door.hands == [Hand.OPEN, Hand.REX, Hand.TAMPER, Hand.CLOSE, Hand.RESTORE]
    panel.close()


def test_it_shows_what_others_do_and_a_door_that_is_away(application: QApplication) -> None:
    from kiosk.gui.door_simulator import DoorSimulator

    door = Door()
    panel = DoorSimulator(door.move, door.look, lambda status: f"leaf {status.leaf}")
    door.leaf, door.tamper = Leaf.OPEN, True
    panel.refresh()
    assert (panel.state.text(), panel.leaf.isChecked(), panel.housing.isChecked()) == ("leaf open", True, True)
    door.away = True
    panel.refresh()
    assert "cannot be reached" in panel.state.text()
    panel.rex.click()
    assert "cannot be reached" in panel.state.text()
    panel.close()
