"""The camera's picture in the window: whole, mirrored, with the place in which a face counts. It decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from kiosk.gui import theme
from kiosk.gui.layout import Mirror, Rect
from kiosk.gui.state import Screen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kiosk.domain.face import Image

_ANTIALIASING = QPainter.RenderHint.Antialiasing
_BRACKET = 0.22
"""Length of the guide's corners, as a share of its shorter side."""


class Preview(QWidget):
    """Picture, guide, ring and boxes. It has the picture's shape, so that nothing behind it is drawn with each frame.
    `guide`: share of the frame in which a face's centre counts ([quality] guide)."""

    reshaped = Signal()
    """The frames have another shape than before."""

    def __init__(self, parent: QWidget, guide: float) -> None:
        super().__init__(parent)
        self._guide = guide
        self._pixels: NDArray[np.uint8] | None = None
        self._picture: QImage | None = None
        self._veil: QPixmap | None = None
        self.frame = QSize(4, 3)
        """The shape of the camera's frames."""
        self._screen: Screen | None = None
        self._unit = 1.0
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def set_unit(self, unit: float) -> None:
        """Sets the size of a layout unit in pixels."""
        self._unit = unit
        self._veil = None

    def set_screen(self, screen: Screen) -> None:
        """Takes the progress, the tone and the boxes. Redraws at once only if the mode changed or there is no picture;
        otherwise they are drawn with the next picture, so that each frame is drawn once."""
        before, self._screen = self._screen, screen
        if self._picture is None or before is None or (before.mode, before.light) != (screen.mode, screen.light):
            self._veil = self._veil if before is not None and before.light is screen.light else None
            self.update()

    def set_image(self, image: Image) -> None:
        """Takes a picture (H x W x 3, BGR), mirrors it and scales it to the pixels that it has on the screen."""
        if not self.isVisible() or image.size == 0:
            return
        frame = QSize(image.shape[1], image.shape[0])
        if frame != self.frame:
            self.frame, self._veil = frame, None
            self.reshaped.emit()
        ratio = self.devicePixelRatioF()
        size = (max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        # Every second or third pixel is enough of a large frame; the rest is linear: this is done with each frame.
        step = max(1, frame.width() // (2 * size[0]))
        image = image[::step, ::step]
        pixels = np.asarray(cv2.cvtColor(cv2.flip(cv2.resize(image, size), 1), cv2.COLOR_BGR2BGRA), np.uint8)
        # QImage uses the array's memory, so the array must live as long as the QImage.
        self._pixels = pixels
        self._picture = QImage(pixels.data, *size, int(pixels.strides[0]), QImage.Format.Format_RGB32)
        self.update()

    def clear(self) -> None:
        """Forgets the picture."""
        self._picture = self._pixels = None
        self.update()

    def mirror(self) -> Mirror:
        """Where the frame is on this widget."""
        return Mirror(self.frame.width(), self.frame.height(), Rect(0, 0, self.width(), self.height()))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws picture, guide, ring and boxes."""
        painter = QPainter(self)
        if self._picture is None:
            painter.fillRect(self.rect(), theme.PANEL)
        else:
            painter.drawImage(QRectF(self.rect()), self._picture)
        if self._veil is None or self._veil.size() != self._device_size():
            self._veil = self._paint_veil()
        self._draw_veil(painter, self._veil)
        painter.setRenderHint(_ANTIALIASING)
        if self._screen is not None:
            self._paint_ring(painter, self._screen)
            self._paint_boxes(painter, self._screen)
        painter.end()

    def _draw_veil(self, painter: QPainter, veil: QPixmap) -> None:
        """Draws the four sides of the veil. Its middle is empty, and would cost as much."""
        x, y, wide, high = self.mirror().guide(self._guide)
        inner = 8 * self._unit
        left, top = max(0, round(x + inner)), max(0, round(y + inner))
        right, bottom = min(self.width(), round(x + wide - inner)), min(self.height(), round(y + high - inner))
        for at_x, at_y, across, down in (
            (0, 0, self.width(), top),
            (0, bottom, self.width(), self.height() - bottom),
            (0, top, left, bottom - top),
            (right, top, self.width() - right, bottom - top),
        ):
            if across > 0 and down > 0:
                ratio = veil.devicePixelRatio()
                source = QRectF(at_x * ratio, at_y * ratio, across * ratio, down * ratio)
                painter.drawPixmap(QRectF(at_x, at_y, across, down), veil, source)

    def _device_size(self) -> QSize:
        return (self.size() * self.devicePixelRatioF()).expandedTo(QSize(1, 1))

    def _outline(self) -> QPainterPath:
        """The edge of the guide, clockwise from the middle of its upper side. Its corners are cut only as far as its
        line is broad, so that what is inside counts, and what is outside does not."""
        x, y, wide, high = self.mirror().guide(self._guide)
        radius = min(10 * self._unit, wide / 2, high / 2)
        path = QPainterPath()
        path.moveTo(x + wide / 2, y)
        path.lineTo(x + wide - radius, y)
        path.arcTo(x + wide - 2 * radius, y, 2 * radius, 2 * radius, 90, -90)
        path.lineTo(x + wide, y + high - radius)
        path.arcTo(x + wide - 2 * radius, y + high - 2 * radius, 2 * radius, 2 * radius, 0, -90)
        path.lineTo(x + radius, y + high)
        path.arcTo(x, y + high - 2 * radius, 2 * radius, 2 * radius, 270, -90)
        path.lineTo(x, y + radius)
        path.arcTo(x, y, 2 * radius, 2 * radius, 180, -90)
        path.closeSubpath()
        return path

    def _paint_veil(self) -> QPixmap:
        """What is outside the guide is dimmed; in the light of the white screen, whitened. The guide has four corners,
        as the icon has."""
        veil = QPixmap(self._device_size())
        veil.setDevicePixelRatio(self.devicePixelRatioF())
        veil.fill(Qt.GlobalColor.transparent)
        painter = QPainter(veil)
        painter.setRenderHint(_ANTIALIASING)
        light = self._screen is not None and self._screen.light
        around = QPainterPath()
        around.addRect(QRectF(self.rect()))
        guide = self._outline()
        painter.fillPath(around.subtracted(guide), QColor(255, 255, 255, 215) if light else QColor(10, 12, 15, 140))
        painter.setPen(QPen(QColor(0, 0, 0, 120), 7 * self._unit, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        self._paint_corners(painter, guide)
        painter.setPen(QPen(theme.WHITE, 4 * self._unit, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        self._paint_corners(painter, guide)
        painter.end()
        return veil

    def _paint_corners(self, painter: QPainter, guide: QPainterPath) -> None:
        """Draws the parts of the outline that are near its corners."""
        x, y, wide, high = self.mirror().guide(self._guide)
        length = _BRACKET * min(wide, high)
        clip = QPainterPath()
        margin = 6 * self._unit
        for left in (x - margin, x + wide - length):
            for top in (y - margin, y + high - length):
                clip.addRect(left, top, length + margin, length + margin)
        painter.save()
        painter.setClipPath(clip)
        painter.drawPath(guide)
        painter.restore()

    def _paint_ring(self, painter: QPainter, screen: Screen) -> None:
        """Draws along the guide how many frames agree: the ring is closed when the door is asked."""
        share = 1.0 if screen.mode in theme.GLOWING else screen.progress
        if share <= 0:
            return
        outline = self._outline()
        tone = theme.TONES[screen.mode]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        width = 8 * self._unit
        pen = QPen(tone, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
        if share < 1:
            # Lengths of a dash are counted in widths of the pen.
            pen.setDashPattern([outline.length() * share / width, outline.length() / width])
        painter.setPen(pen)
        painter.drawPath(outline)

    def _paint_boxes(self, painter: QPainter, screen: Screen) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.TONES[screen.mode], 4 * self._unit))
        for box in screen.boxes:
            painter.drawRoundedRect(QRectF(*self.mirror().box(box)), 14 * self._unit, 14 * self._unit)
