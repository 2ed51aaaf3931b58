"""The visitor's screen: ground, picture, message, keys. It draws the Screen that it is given and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QWidget

from kiosk.domain.entry import Means
from kiosk.domain.face import Image
from kiosk.gui import theme, words
from kiosk.gui.bar import Bar, Corner
from kiosk.gui.catalogue import Texts
from kiosk.gui.layout import Mirror, Rect, arrange
from kiosk.gui.look import Look
from kiosk.gui.preview import Preview
from kiosk.gui.setting import Setting
from kiosk.gui.sizes import Letters
from kiosk.gui.state import Mode, Screen
from kiosk.gui.widgets import Line, Message, ground


class Visitor(QWidget):
    """All parts of the screen, each in its place."""

    chosen = Signal(object)
    """A Means was touched."""
    cancelled = Signal()
    spoken = Signal(str)
    """A language was touched."""
    held = Signal()
    """The corner was held: staff is wanted."""

    def __init__(self, parent: QWidget, setting: Setting, languages: Sequence[Texts], look: Look) -> None:
        super().__init__(parent)
        self._setting, self._languages, self._look = setting, languages, look
        self._screen: Screen | None = None
        self._grounds: dict[tuple[Mode | None, bool], QPixmap] = {}
        self.preview = Preview(self, setting.guide)
        self.preview.reshaped.connect(self._reshaped)
        self.message = Message(self, look)
        self.banner = Line(self, theme.BANNER_INK, theme.BANNER_GROUND)
        self.time = Line(self, theme.QUIET)
        self.privacy = Line(self, theme.QUIET)
        self.bar = self._bar()
        self.corner = self._corner()

    def set_look(self, look: Look) -> None:
        """Takes language and sizes; makes the keys anew."""
        self._look = look
        for part in (self.bar, self.corner):
            part.hide()
            part.deleteLater()
        self.bar, self.corner = self._bar(), self._corner()
        self.message.set_look(look)
        setting = self._setting
        self.banner.set_text(words.banner(look.texts, setting.visitors, setting.lock, setting.staff))
        self.privacy.set_text(setting.screen.privacy or look.texts("privacy.notice"))
        for part in (self.bar, self.corner):
            part.show()
        screen, self._screen = self._screen, None
        if screen is not None:
            self.set_screen(screen)

    def set_screen(self, screen: Screen) -> None:
        """Shows this screen. Only what differs is drawn again."""
        before, self._screen = self._screen, screen
        if screen == before:
            return
        self.message.set_screen(screen)
        self.preview.set_screen(screen)
        self.bar.set_screen(screen)
        if before is None or before.preview != screen.preview:
            if not screen.preview:
                self.preview.clear()
            self._arrange(screen)
        if before is None or (before.mode, before.light) != (screen.mode, screen.light):
            inks = theme.inks(screen.light)
            self.time.set_colour(inks.quiet)
            self.privacy.set_colour(inks.quiet)
            self.corner.set_light(screen.light)
            self.update()

    def set_time(self, now: datetime) -> None:
        """Shows the time; on a screen with room the date too."""
        self.time.set_text(words.clock(self._look.texts, now, date=not self._look.measures.short))

    def set_image(self, image: Image) -> None:
        """Shows a picture of the camera, H x W x 3, BGR."""
        self.preview.set_image(image)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Forgets what was drawn for another size."""
        self._grounds.clear()
        if self._screen is not None:
            self._arrange(self._screen)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the ground."""
        if self._screen is None:
            return
        key = theme.glow(self._screen.mode), self._screen.light
        if key not in self._grounds:
            self._grounds[key] = ground(self.size(), self.devicePixelRatioF(), *key)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._grounds[key])
        painter.end()

    def _bar(self) -> Bar:
        means = [means for means in Means if means in self._setting.ways.means]
        bar = Bar(self, self._look, means, self._languages)
        bar.chosen.connect(self.chosen)
        bar.cancelled.connect(self.cancelled)
        bar.spoken.connect(self.spoken)
        return bar

    def _corner(self) -> Corner:
        corner = Corner(self, self._look)
        corner.held.connect(self.held)
        return corner

    def _reshaped(self) -> None:
        if self._screen is not None:
            self._arrange(self._screen)

    def _shaped(self, area: Rect) -> Rect:
        """The place of the picture within the one for it."""
        if not area.width or not area.height:
            return area
        frame = self.preview.frame
        return Mirror(frame.width(), frame.height(), area, self._setting.screen.low).picture

    def _arrange(self, screen: Screen) -> None:
        setting, measures = self._setting, self._look.measures
        right = self._look.texts.right_to_left
        layout = arrange(
            measures,
            banner=setting.visitors or setting.lock,
            preview=screen.preview,
            buttons=bool(setting.ways.means) or len(self._languages) > 1,
            low=setting.screen.low,
            right_to_left=right,
        )
        self.preview.setVisible(screen.preview)
        self.banner.setVisible(setting.visitors or setting.lock)
        for widget, place in (
            (self.banner, layout.banner),
            (self.preview, self._shaped(layout.preview)),
            (self.time, layout.clock),
            (self.message, layout.message),
            (self.privacy, layout.privacy),
            (self.bar, layout.buttons),
            (self.corner, layout.corner),
        ):
            widget.setGeometry(_qt(place))
        near = measures.font_px(Letters.NEAR)
        self.preview.set_unit(layout.unit)
        self.message.set_shape(layout.unit, layout.centred)
        self.banner.set_shape(near, Qt.AlignmentFlag.AlignHCenter)
        self.time.set_shape(near, Qt.AlignmentFlag.AlignLeading)
        self.privacy.set_shape(near, Qt.AlignmentFlag.AlignLeading)


def _qt(rect: Rect) -> QRect:
    return QRect(rect.x, rect.y, rect.width, rect.height)
