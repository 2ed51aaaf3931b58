"""Keeps a kiosk's window a kiosk: nothing by touch, gesture or keyboard leaves the application. It sees every touch.

Consoles and SysRq belong to the machine (deploy/operating.md): no application can refuse them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent

from kiosk.gui.toolkit.pace import BURST_SECONDS

_REFUSED = frozenset(
    {
        QEvent.Type.ContextMenu,
        QEvent.Type.DragEnter,
        QEvent.Type.DragMove,
        QEvent.Type.Drop,
        QEvent.Type.WhatsThis,
        QEvent.Type.WhatsThisClicked,
        QEvent.Type.HelpRequest,
        QEvent.Type.ToolTip,
    }
)
_TOUCHES = frozenset(
    {
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseButtonRelease,
        QEvent.Type.TouchBegin,
        QEvent.Type.TouchUpdate,
        QEvent.Type.TouchEnd,
        QEvent.Type.KeyPress,
    }
)
_COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
_ALTGR = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
_PRESSING = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space})
_PLAIN = frozenset(
    {
        Qt.Key.Key_Escape,
        Qt.Key.Key_Tab,
        Qt.Key.Key_Backtab,
        Qt.Key.Key_Backspace,
        Qt.Key.Key_Delete,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Shift,
        *_PRESSING,
    }
)


class Guard(QObject):
    """An event filter for the whole application. `strict`: whether the window fills the screen. `touched` is called
    with each touch and each key."""

    def __init__(self, strict: Callable[[], bool], touched: Callable[[], None], clock: Callable[[], float]) -> None:
        super().__init__()
        self._strict, self._touched, self._clock = strict, touched, clock
        self._key_at = -math.inf

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """True for what is swallowed."""
        kind = event.type()
        if kind in _TOUCHES and watched.isWindowType():
            self._touched()
        if kind is QEvent.Type.KeyPress and watched.isWindowType() and isinstance(event, QKeyEvent):
            now = self._clock()
            burst, self._key_at = now - self._key_at < BURST_SECONDS, now
            # The end of a scan must press no button.
            if burst and event.key() in _PRESSING:
                return True
        if not self._strict():
            return False
        return kind in _REFUSED or (
            kind in {QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride, QEvent.Type.Shortcut}
            and isinstance(event, QKeyEvent)
            and not harmless(event.key(), event.modifiers(), event.text())
        )


def harmless(key: int, modifiers: Qt.KeyboardModifier, text: str) -> bool:
    """Whether a key only types or moves within the application."""
    held = modifiers & _COMMANDS
    types = text != "" and text.isprintable()
    if held == _ALTGR and types:
        return True  # AltGr types letters of many languages
    return not held and (types or key in _PLAIN)
