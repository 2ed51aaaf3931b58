"""The camera's picture in the window, with an oval that shows where the face should be. It decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QImage,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QWidget

from kiosk.domain.face import Box
from kiosk.gui import theme
from kiosk.gui.presenter import Screen

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
