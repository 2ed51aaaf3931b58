"""At a door nothing leaves the application: driven with real key, mouse and close events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from kiosk.domain.entry import GaveUp, PinTyped, Step
from kiosk.domain.updates import EntryChanged
from kiosk.gui.state import Mode
from tests.gui.kit import STATES, Kit

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

pytestmark = pytest.mark.qt


def full(make: Callable[..., Kit]) -> Kit:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    kit.window.show_full_screen()
    kit.application.processEvents()
    return kit


def test_a_window_that_fills_the_screen_is_not_closed_by_anybody(make: Callable[..., Kit]) -> None:
    kit = full(make)
    assert not kit.window.close()
    assert kit.window.isVisible()
    kit.application.closeAllWindows()
    assert kit.window.isVisible()
    kit.window.stop()
    assert kit.window.close()


def test_a_window_on_a_desktop_is_closed_as_ever(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    assert kit.window.close()


def test_no_key_with_a_command_reaches_anything(make: Callable[..., Kit]) -> None:
    from PySide6.QtCore import QEvent, QObject, Qt
    from PySide6.QtTest import QTest

    kit = full(make)
    came: list[int] = []

    class Ear(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() is QEvent.Type.KeyPress:
                came.append(event.key())  # type: ignore[attr-defined]
            return False

    ear = Ear()
    kit.window.installEventFilter(ear)
    control, alt, meta = (
        Qt.KeyboardModifier.ControlModifier,
        Qt.KeyboardModifier.AltModifier,
        Qt.KeyboardModifier.MetaModifier,
    )
    for key, held in (
        (Qt.Key.Key_F4, alt),
        (Qt.Key.Key_Tab, alt),
        (Qt.Key.Key_Escape, control),
        (Qt.Key.Key_Delete, control | alt),
        (Qt.Key.Key_Q, control),
        (Qt.Key.Key_V, control),
        (Qt.Key.Key_L, meta),
        (Qt.Key.Key_F1, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_F11, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Menu, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Print, Qt.KeyboardModifier.NoModifier),
    ):
        kit.now += 1
        QTest.keyClick(kit.window, key, held)
    assert came == []
    kit.now += 1
    QTest.keyClick(kit.window, Qt.Key.Key_A)
    assert came == [Qt.Key.Key_A]
    assert kit.window.isVisible()
    assert kit.window.isFullScreen()


def test_menus_and_drops_are_refused(make: Callable[..., Kit]) -> None:
    from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
    from PySide6.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent

    kit = full(make)
    data = QMimeData()
    data.setText("204060")
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for event in (
        QContextMenuEvent(QContextMenuEvent.Reason.Mouse, QPoint(5, 5), QPoint(5, 5)),
        QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, left, none),
        QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, left, none),
    ):
        event.setAccepted(False)
        kit.application.sendEvent(kit.window, event)
        assert not event.isAccepted()


def test_escape_ends_what_was_begun_and_closes_a_desktops_window_only(make: Callable[..., Kit]) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    kit = full(make)
    QTest.keyClick(kit.window, Qt.Key.Key_Escape)
    assert kit.window.isVisible()
    kit.bridge.publish(EntryChanged(Step.FACE))
    kit.application.processEvents()
    QTest.keyClick(kit.window, Qt.Key.Key_Escape)
    assert kit.asked == [GaveUp()]
    kit.window.showNormal()
    QTest.keyClick(kit.window, Qt.Key.Key_Escape)
    assert not kit.window.isVisible()


def test_a_scan_opens_no_page_presses_no_key_and_types_no_pin(make: Callable[..., Kit]) -> None:
    """A reader that pretends to be a keyboard: a burst of keys with Enter at the end, on every page."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    kit = full(make)
    screen = kit.window.windowHandle()
    for state in ("idle", "pin"):
        for event in STATES[state]:
            kit.bridge.publish(event)
        kit.wait(1)
        if state == "idle":
            QTest.keyClick(screen, Qt.Key.Key_Tab)
        mode = kit.window.screen_state.mode
        kit.wait(1)
        for digit in "204060204060":
            kit.now += 0.003
            QTest.keyClick(screen, Qt.Key(ord(digit)))
        kit.now += 0.003
        QTest.keyClick(screen, Qt.Key.Key_Return)
        assert kit.asked == []
        assert kit.window.screen_state.mode is mode
    assert kit.window.screen_state.mode is Mode.PIN
    kit.wait(1)
    for digit in "204060":
        kit.now += 0.2
        QTest.keyClick(screen, Qt.Key(ord(digit)))
    kit.now += 0.2
    QTest.keyClick(screen, Qt.Key.Key_Return)
    assert kit.asked == [PinTyped("204060")], "the keys of a person do reach the page"


@pytest.mark.parametrize(
    ("text", "held", "good"),
    [("@", "altgr", True), ("ł", "altgr", True), ("", "altgr", False), ("v", "control", False), ("ä", "none", True)],
)
def test_altgr_types_letters_and_is_no_command(application: QApplication, text: str, held: str, good: bool) -> None:
    from PySide6.QtCore import Qt

    from kiosk.gui.guard import harmless

    modifiers = {
        "none": Qt.KeyboardModifier.NoModifier,
        "control": Qt.KeyboardModifier.ControlModifier,
        "altgr": Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier,
    }
    assert harmless(int(Qt.Key.Key_unknown), modifiers[held], text) is good
