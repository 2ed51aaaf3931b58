"""The window. It connects presenter, bridge and widgets, and owns no camera, gallery or door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QRect, QSize, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QWidget

from kiosk.domain.face import Frame
from kiosk.domain.updates import Update
from kiosk.gui import theme, words
from kiosk.gui.bridge import Bridge
from kiosk.gui.layout import Rect, arrange
from kiosk.gui.presenter import Mode, Presenter, Screen
from kiosk.gui.preview import Preview
from kiosk.gui.widgets import Line, Message, ground
from kiosk.system.clock import boottime

TICK_MS = 100


def local_time() -> datetime:
    """The wall clock in the machine's time zone."""
    return datetime.now().astimezone()


def _drawable(name: str | None) -> str | None:
    """The name; None if the fonts cannot draw it: "Welcome" alone is better than boxes."""
    return name if name is not None and not theme.lacking(name) else None


class KioskWindow(QWidget):
    """The window that a visitor sees.

    `name_of` gives a subject's name and must return at once. `banner` is the text of the strip on top (words.banner);
    it is empty on a real kiosk. `beat` is called on every tick, for the watchdog. `timer` triggers the ticks, by
    default every 100 ms; a test gives a stopped timer and calls `tick`.
    """

    def __init__(
        self,
        bridge: Bridge,
        name_of: Callable[[str], str | None],
        *,
        banner: str = "",
        clock: Callable[[], float] = boottime,
        wall_clock: Callable[[], datetime] = local_time,
        beat: Callable[[], None] | None = None,
        timer: QTimer | None = None,
    ) -> None:
        super().__init__()
        self._presenter = Presenter(lambda subject_id: _drawable(name_of(subject_id)))
        self._clock = clock
        self._wall_clock = wall_clock
        self._beat = beat
        self._screen: Screen | None = None
        self._grounds: dict[Mode, QPixmap] = {}

        self._preview = Preview(self)
        self._message = Message(self)
        self._banner = Line(self, 19, theme.BANNER_INK, theme.BANNER_GROUND)
        self._time = Line(self, 24, theme.QUIET)
        self._privacy = Line(self, 18, theme.QUIET)
        self._banner.set_text(banner)
        self._banner.setVisible(bool(banner))
        self._has_banner = bool(banner)
        self._privacy.set_text(words.PRIVACY)
        self.setWindowTitle("Kiosk")
        self.resize(QSize(1024, 600))

        bridge.event_arrived.connect(self._take_event)
        bridge.frame_arrived.connect(self._take_frame)
        self._timer = timer if timer is not None else self._ticking()
        self._timer.timeout.connect(self.tick)
        self.tick()

    @property
    def screen_state(self) -> Screen:
        """The screen that is shown now."""
        return self._screen if self._screen is not None else self._presenter.screen(self._clock())

    def tick(self) -> None:
        """Updates clock, countdown and screen."""
        if self._beat is not None:
            self._beat()
        self._time.set_text(words.clock(self._wall_clock()))
        self._refresh()

    def show_full_screen(self) -> None:
        """Fills the screen and hides the pointer."""
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.showFullScreen()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Escape closes the window, but not in full screen: at a door nobody may close it."""
        if event.key() == Qt.Key.Key_Escape and not self.isFullScreen():
            self.close()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Lays out all parts again."""
        self._grounds.clear()
        self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the background."""
        mode = self.screen_state.mode
        if mode not in self._grounds:
            self._grounds[mode] = ground(self.size(), self.devicePixelRatioF(), mode)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._grounds[mode])
        painter.end()

    def _ticking(self) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(TICK_MS)
        timer.start()
        return timer

    def _take_event(self, event: Update, at: float) -> None:
        self._presenter.handle(event, at)
        self._refresh()

    def _take_frame(self, frame: Frame, at: float) -> None:
        self._presenter.frame_shown(at)
        self._refresh()
        self._preview.set_image(frame.image)

    def _refresh(self) -> None:
        screen = self._presenter.screen(self._clock())
        before, self._screen = self._screen, screen
        if screen == before:
            return
        self._message.set_screen(screen)
        self._preview.set_screen(screen)
        if before is None or before.preview != screen.preview:
            if not screen.preview:
                self._preview.clear()
            self._arrange()
        if before is None or before.mode is not screen.mode:
            self.update()

    def _arrange(self) -> None:
        shown = self.screen_state.preview
        layout = arrange(self.width(), self.height(), banner=self._has_banner, preview=shown)
        self._preview.setVisible(shown)
        for widget, place in (
            (self._banner, layout.banner),
            (self._preview, layout.preview),
            (self._time, layout.clock),
            (self._message, layout.message),
            (self._privacy, layout.privacy),
        ):
            widget.setGeometry(_qt(place))
        side = Qt.AlignmentFlag.AlignHCenter if layout.centred else Qt.AlignmentFlag.AlignLeft
        self._preview.set_unit(layout.unit)
        self._message.set_shape(layout.unit, layout.centred)
        self._banner.set_shape(layout.unit, Qt.AlignmentFlag.AlignHCenter)
        self._time.set_shape(layout.unit, side)
        self._privacy.set_shape(layout.unit, side)


def _qt(rect: Rect) -> QRect:
    return QRect(rect.x, rect.y, rect.width, rect.height)
