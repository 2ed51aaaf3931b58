"""The parts of the window. They draw what they are given and decide nothing."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QRadialGradient,
)
from PySide6.QtWidgets import QWidget

from kiosk.gui import icons, theme
from kiosk.gui.presenter import Mode, Screen

_ANTIALIASING = QPainter.RenderHint.Antialiasing


class Message(QWidget):
    """Icon, headline and detail. The countdown is drawn around the icon."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._screen: Screen | None = None
        self._unit = 1.0
        self._centred = False

    def set_shape(self, unit: float, centred: bool) -> None:
        """Sets the size of a layout unit in pixels, and whether the text is centred."""
        self._unit, self._centred = unit, centred
        self.update()

    def set_screen(self, screen: Screen) -> None:
        """Takes the screen whose icon and words are drawn."""
        self._screen = screen
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws icon, headline, detail and code as one block, vertically centred."""
        screen = self._screen
        if screen is None:
            return
        unit, width = self._unit, self.width()
        flags = Qt.TextFlag.TextWordWrap | (
            Qt.AlignmentFlag.AlignHCenter if self._centred else Qt.AlignmentFlag.AlignLeft
        )
        badge, gap = (90 if screen.preview else 136) * unit, 14 * unit
        room = self.height() - badge - 2 * gap
        headline_size, detail_size, headline_height, detail_height = self._fit(
            screen.headline, screen.detail, int(flags), room
        )
        painter = QPainter(self)
        painter.setRenderHint(_ANTIALIASING)
        total = badge + gap + headline_height + (gap + detail_height if screen.detail else 0)
        y = max(0.0, (self.height() - total) / 2)
        middle = width / 2 if self._centred else badge / 2
        self._paint_badge(painter, screen, QPointF(middle, y + badge / 2), badge)
        y += badge + gap
        painter.setFont(theme.type_face(headline_size, bold=True))
        painter.setPen(theme.INK)
        painter.drawText(QRectF(0, y, width, headline_height), int(flags), screen.headline)
        y += headline_height + gap * 0.7
        painter.setFont(theme.type_face(detail_size))
        painter.setPen(theme.SOFT)
        painter.drawText(QRectF(0, y, width, detail_height), int(flags), screen.detail)
        if screen.code:
            painter.setFont(theme.type_face(16 * unit))
            painter.setPen(theme.faded(theme.QUIET, 0.7))
            across = Qt.AlignmentFlag.AlignHCenter if self._centred else Qt.AlignmentFlag.AlignLeft
            painter.drawText(self.rect(), across | Qt.AlignmentFlag.AlignBottom, f"For staff: {screen.code}")
        painter.end()

    def _fit(self, upper: str, lower: str, flags: int, room: float) -> tuple[float, float, float, float]:
        """The largest font sizes at which headline and detail fit, and the heights of both texts."""
        scale = 1.0
        while True:
            headline, detail = 53 * self._unit * scale, 31 * self._unit * max(scale, 0.75)
            above = self._extent(upper, headline, True, flags)
            below = self._extent(lower, detail, False, flags)
            if (above.width() <= self.width() and above.height() + below.height() <= room) or scale < 0.35:
                return headline, detail, float(above.height()), float(below.height())
            scale *= 0.95

    def _extent(self, text: str, pixels: float, bold: bool, flags: int) -> QRect:
        if not text:
            return QRect()
        metrics = QFontMetrics(theme.type_face(pixels, bold))
        return metrics.boundingRect(QRect(0, 0, self.width(), 10_000), flags, text)

    def _paint_badge(self, painter: QPainter, screen: Screen, centre: QPointF, size: float) -> None:
        tone, ring = theme.TONES[screen.mode], 6 * self._unit
        disc = size / 2 - ring / 2
        solid = screen.mode is Mode.GRANTED
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tone if solid else theme.faded(tone, 0.16))
        inner = disc - 1.5 * ring if screen.countdown is not None else disc
        painter.drawEllipse(centre, inner, inner)
        ink, weight = (theme.GROUND_BOTTOM, 1.7) if solid else (tone, 1.15)
        icons.draw(painter, screen.icon, centre, inner * 1.2, ink, weight=weight)
        if screen.countdown is None:
            return
        around = QRectF(centre.x() - disc, centre.y() - disc, 2 * disc, 2 * disc)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.faded(tone, 0.22), ring))
        painter.drawEllipse(around)
        painter.setPen(QPen(tone, ring, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawArc(around, 90 * 16, round(360 * 16 * screen.countdown.share))


class Line(QWidget):
    """One line of text. It is drawn smaller if there is not enough room."""

    def __init__(self, parent: QWidget, units: float, colour: QColor, ground: QColor | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._units = units
        self._unit = 1.0
        self._colour = colour
        self._ground = ground
        self._alignment = Qt.AlignmentFlag.AlignLeft

    def set_shape(self, unit: float, alignment: Qt.AlignmentFlag) -> None:
        """Sets the size of a layout unit in pixels, and the alignment of the text."""
        self._unit, self._alignment = unit, alignment
        self.update()

    def set_text(self, text: str) -> None:
        """Sets the text."""
        if text != self._text:
            self._text = text
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws background and text."""
        painter = QPainter(self)
        if self._ground is not None:
            painter.fillRect(self.rect(), self._ground)
        bold = self._ground is not None
        font = theme.type_face(self._units * self._unit, bold, figures=True)
        wide = QFontMetrics(font).horizontalAdvance(self._text)
        if wide > self.width() * 0.96:
            font = theme.type_face(self._units * self._unit * self.width() * 0.96 / wide, bold, figures=True)
        elif self._ground is not None:
            self._paint_hazard(painter, (self.width() - wide) / 2 - 24 * self._unit)
        painter.setFont(font)
        painter.setPen(self._colour)
        painter.drawText(self.rect(), self._alignment | Qt.AlignmentFlag.AlignVCenter, self._text)
        painter.end()

    def _paint_hazard(self, painter: QPainter, room: float) -> None:
        """Draws slanted stripes, as on a barrier, in the `room` at both ends."""
        painter.setRenderHint(_ANTIALIASING)
        painter.setPen(QPen(self._colour, self.height() * 0.36))
        pitch, height = self.height() * 0.9, self.height()
        for side in (0.0, self.width() - room):
            painter.setClipRect(QRectF(side, 0, room, height))
            for step in range(-1, int(room / pitch) + 2):
                x = side + step * pitch
                painter.drawLine(QPointF(x - height * 0.2, height * 1.2), QPointF(x + height * 1.2, -height * 0.2))
        painter.setClipping(False)


def ground(size: QSize, ratio: float, mode: Mode) -> QPixmap:
    """The window's background: nearly black, with a glow in the mode's tone for the modes in GLOWING."""
    pixmap = QPixmap((size * ratio).expandedTo(QSize(1, 1)))
    pixmap.setDevicePixelRatio(ratio)
    painter = QPainter(pixmap)
    area = QRectF(0, 0, size.width(), size.height())
    glow = QRadialGradient(area.width() * 0.7, area.height() * 0.35, max(area.width(), area.height()))
    glow.setColorAt(0, theme.GROUND_TOP)
    glow.setColorAt(1, theme.GROUND_BOTTOM)
    painter.fillRect(area, glow)
    if mode in theme.GLOWING:
        tint = QRadialGradient(area.width() * 0.5, area.height() * 1.1, max(area.width(), area.height()) * 0.95)
        tint.setColorAt(0, theme.faded(theme.TONES[mode], 0.34))
        tint.setColorAt(1, theme.faded(theme.TONES[mode], 0.03))
        painter.fillRect(area, tint)
    painter.end()
    return pixmap
