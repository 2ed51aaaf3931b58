"""The parts of the window. They draw what they are given and decide nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetrics,
    QImage,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QRadialGradient,
)
from PySide6.QtWidgets import QWidget

from kiosk.domain.face import Box
from kiosk.gui import icons, theme
from kiosk.gui.presenter import Mode, Screen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kiosk.domain.face import Image

_OVAL_HEIGHT = 0.78
"""Height of the oval as a share of the preview's height; a narrow preview makes it smaller."""
_OVAL_SHAPE = 0.76
"""Width of the oval divided by its height, the shape of a head with hair."""
_ANTIALIASING = QPainter.RenderHint.Antialiasing


class Preview(QWidget):
    """The camera's picture, mirrored, in a rounded panel, with an oval whose rim shows the progress."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._pixels: NDArray[np.uint8] | None = None
        self._picture: QImage | None = None
        self._veil: QPixmap | None = None
        self._crop = Box(0, 0, 1, 1)
        self._screen: Screen | None = None
        self._unit = 1.0

    def set_unit(self, unit: float) -> None:
        """Sets the size of a layout unit in pixels."""
        self._unit = unit
        self._veil = None

    def set_screen(self, screen: Screen) -> None:
        """Takes the progress, the tone and the boxes. Redraws at once only if the mode changed or there is no picture;
        otherwise they are drawn with the next picture, so that each frame is drawn once."""
        before, self._screen = self._screen, screen
        if self._picture is None or before is None or before.mode is not screen.mode:
            self.update()

    def set_image(self, image: Image) -> None:
        """Takes a picture (H x W x 3, BGR), crops it to the panel's shape, mirrors it and scales it to the panel's
        pixels."""
        if not self.isVisible() or image.size == 0:
            return
        size = self._device_size()
        height, width = image.shape[:2]
        scale = max(size.width() / width, size.height() / height)
        crop_w, crop_h = min(width, round(size.width() / scale)), min(height, round(size.height() / scale))
        x, y = (width - crop_w) // 2, (height - crop_h) // 2
        self._crop = Box(x, y, crop_w, crop_h)
        scaled = cv2.resize(image[y : y + crop_h, x : x + crop_w], (size.width(), size.height()))
        pixels = np.asarray(cv2.cvtColor(cv2.flip(scaled, 1), cv2.COLOR_BGR2BGRA), dtype=np.uint8)
        # QImage uses the array's memory, so the array must live as long as the QImage.
        self._pixels = pixels
        self._picture = QImage(
            pixels.data, size.width(), size.height(), int(pixels.strides[0]), QImage.Format.Format_RGB32
        )
        self.update()

    def clear(self) -> None:
        """Forgets the picture."""
        self._picture = self._pixels = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws picture, veil, rim and boxes."""
        painter = QPainter(self)
        painter.setRenderHint(_ANTIALIASING)
        self._paint_picture(painter)
        if self._veil is None or self._veil.size() != self._device_size():
            self._veil = self._paint_veil()
        painter.drawPixmap(0, 0, self._veil)
        if self._screen is not None:
            self._paint_rim(painter, self._screen)
            self._paint_boxes(painter, self._screen)
        painter.end()

    def _device_size(self) -> QSize:
        return (self.size() * self.devicePixelRatioF()).expandedTo(QSize(1, 1))

    def _oval(self) -> QRectF:
        height = min(self.height() * _OVAL_HEIGHT, self.width() * 0.86 / _OVAL_SHAPE)
        width = height * _OVAL_SHAPE
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def _paint_picture(self, painter: QPainter) -> None:
        radius = 22 * self._unit
        painter.setPen(Qt.PenStyle.NoPen)
        painter.save()
        if self._picture is None:
            painter.setBrush(theme.PANEL)
        else:
            ratio = self.width() / self._picture.width()
            painter.scale(ratio, ratio)
            radius /= ratio
            painter.setBrush(QBrush(self._picture))
        area = painter.transform().inverted()[0].mapRect(QRectF(self.rect()))
        painter.drawRoundedRect(area, radius, radius)
        painter.restore()

    def _paint_veil(self) -> QPixmap:
        """The veil that dims everything outside the oval, to show where the face should be."""
        veil = QPixmap(self._device_size())
        veil.setDevicePixelRatio(self.devicePixelRatioF())
        veil.fill(Qt.GlobalColor.transparent)
        painter = QPainter(veil)
        painter.setRenderHint(_ANTIALIASING)
        path = QPainterPath()
        path.addRoundedRect(QRectF(self.rect()), 22 * self._unit, 22 * self._unit)
        hole = QPainterPath()
        hole.addEllipse(self._oval())
        painter.fillPath(path.subtracted(hole), QColor(10, 12, 15, 132))
        painter.setPen(QPen(QColor(255, 255, 255, 96), 3 * self._unit))
        painter.drawEllipse(self._oval())
        painter.setPen(QPen(QColor(255, 255, 255, 26), 1.5 * self._unit))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 22 * self._unit, 22 * self._unit)
        painter.end()
        return veil

    def _paint_rim(self, painter: QPainter, screen: Screen) -> None:
        share = 1.0 if screen.mode in theme.GLOWING else screen.progress
        if share <= 0:
            return
        oval = self._oval()
        rim = QPainterPath()
        rim.arcMoveTo(oval, 90)
        rim.arcTo(oval, 90, -360 * share)
        tone = theme.TONES[screen.mode]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for width, colour in ((16 * self._unit, theme.faded(tone, 0.25)), (7 * self._unit, tone)):
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPath(rim)

    def _paint_boxes(self, painter: QPainter, screen: Screen) -> None:
        scale = self.width() / self._crop.width
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.TONES[screen.mode], 4 * self._unit))
        for box in screen.boxes:
            mirrored = self._crop.x + self._crop.width - box.x - box.width
            place = QRectF(mirrored * scale, (box.y - self._crop.y) * scale, box.width * scale, box.height * scale)
            painter.drawRoundedRect(place, 14 * self._unit, 14 * self._unit)


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
