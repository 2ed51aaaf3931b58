"""Brings events and pictures from the pipeline's thread to the window: all events in order, only the newest picture."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot

from kiosk.domain.face import Frame
from kiosk.domain.updates import Observed, Update, Waiting
from kiosk.system.clock import boottime

_EVENTS_AT_MOST = 1000
"""Most events waiting. A window that hangs must not fill the memory; the oldest events are dropped."""


class Bridge(QObject):
    """Any thread may call `publish` and `show_frame`; they return at once. The signals arrive in the thread that made
    the bridge. At most one wake-up is pending at a time, so a slow window gets no backlog.

    Each event gets the time when it was published, so that an event that waited long counts as old.
    """

    event_arrived = Signal(object, float)
    """An event, and when it was published in seconds of CLOCK_BOOTTIME."""
    frame_arrived = Signal(object, float)
    """The newest frame, and when it was published in seconds of CLOCK_BOOTTIME."""
    _wake = Signal()

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        super().__init__()
        self._clock = clock
        self._mutex = threading.Lock()
        self._events: deque[tuple[Update, float]] = deque(maxlen=_EVENTS_AT_MOST)
        self._frame: tuple[Frame, float] | None = None
        self._awake = False
        self._closed = False
        self._wake.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def publish(self, event: Update) -> None:
        """Hands an event to the window. An event that only describes the present picture (Waiting, Observed) replaces
        the last waiting event if that is also one."""
        with self._mutex:
            if self._closed:
                return
            passing = isinstance(event, Waiting | Observed)
            if passing and self._events and isinstance(self._events[-1][0], Waiting | Observed):
                self._events.pop()
            self._events.append((event, self._clock()))
            self._rouse()

    def show_frame(self, frame: Frame) -> None:
        """Hands a picture to the window. It replaces a waiting one. Its pixels must not change afterwards."""
        with self._mutex:
            if self._closed:
                return
            self._frame = frame, self._clock()
            self._rouse()

    def close(self) -> None:
        """Drops everything from now on. Call it before the window is destroyed."""
        with self._mutex:
            self._closed = True
            self._events.clear()
            self._frame = None

    def _rouse(self) -> None:
        if not self._awake:
            self._awake = True
            self._wake.emit()

    @Slot()
    def _deliver(self) -> None:
        with self._mutex:
            events = list(self._events)
            frame = self._frame
            self._events.clear()
            self._frame = None
            self._awake = False
        for event, at in events:
            self.event_arrived.emit(event, at)
        if frame is not None:
            self.frame_arrived.emit(*frame)
