"""Parts of staff's pages: what is said about a view, a column of keys, a text that is moved with the finger, the live
picture, a bar with its limit, a QR code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import cv2
import numpy as np
import segno
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QScrollArea, QScroller, QSizePolicy, QWidget

from kiosk.domain.staffing import StaffRequest
from kiosk.gui import icons, theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.toolkit.button import Button
from kiosk.gui.toolkit.listing import scroll_bar
from kiosk.gui.toolkit.page import Label
from kiosk.gui.words import Icon

if TYPE_CHECKING:
    from kiosk.domain.face import Image
    from kiosk.gui.catalogue import Texts


Ask = Callable[[StaffRequest], None]
"""Takes what the page asks for, and returns at once."""


def said(texts: Texts, section: str, word: StrEnum | str, **values: object) -> str:
    """What is said for a word of an enum; the word itself where nothing is, as for a reason that is newer than this."""
    key = f"{section}.{word}"
    return texts(key, **values) if key in texts else str(word).replace("_", " ")


def day(moment: datetime) -> str:
    """A day as everybody reads it: 2026-12-31, in this time zone."""
    return f"{moment.astimezone():%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """The same with the time."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def key(look: Look, text: str, act: Callable[[], object], *, primary: bool = False, icon: Icon | None = None) -> Button:
    """A key that does something, as wide as there is room."""
    made = Button(look, text, primary=primary, icon=icon)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    made.clicked.connect(lambda *_: act())
    return made


def scrolled(look: Look, text: str) -> QScrollArea:
    """A long text that the finger, arrows and Page Down move."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))  # its lines are the file's
    label = Label(look, plain="\n\n".join(paragraphs))
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeading)
    area = QScrollArea()
    area.setWidget(label)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    palette = area.palette()
    palette.setColor(area.backgroundRole(), theme.GROUND_BOTTOM)
    area.setPalette(palette)
    scroll_bar(area.verticalScrollBar(), look)
    QScroller.grabGesture(area.viewport(), QScroller.ScrollerGestureType.LeftMouseButtonGesture)
    return area


class Mirror(QWidget):
    """The camera's picture, mirrored, as large as there is room, with a ring that fills: `share` 0..1."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._picture: QImage | None = None
        self._share = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(look.measures.px(25), look.measures.px(25))

    def set_image(self, image: Image) -> None:
        """Takes a picture, H x W x 3, BGR."""
        if not self.isVisible() or image.size == 0:
            return
        height, width = image.shape[:2]
        scale = max(self.width() / width, self.height() / height)
        across, down = min(width, round(self.width() / scale)), min(height, round(self.height() / scale))
        x, y = (width - across) // 2, (height - down) // 2
        part = cv2.resize(image[y : y + down, x : x + across], (max(1, self.width()), max(1, self.height())))
        pixels = np.ascontiguousarray(cv2.flip(part, 1))
        made = QImage(pixels.data, part.shape[1], part.shape[0], pixels.strides[0], QImage.Format.Format_BGR888)
        self._picture = made.copy()
        self.update()

    def set_share(self, share: float) -> None:
        """How much of the ring is full."""
        if share != self._share:
            self._share = share
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws picture and ring."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect())
        painter.fillRect(area, theme.PANEL)
        if self._picture is not None:
            painter.drawImage(area, self._picture)
        side = min(area.width() * 0.95, area.height() * 0.9 * 0.76)
        oval = QRectF(0, 0, side, side / 0.76)
        oval.moveCenter(area.center())
        line = 0.8 * self._look.measures.per_mm
        painter.setPen(QPen(theme.faded(theme.WHITE, 0.5), line))
        painter.drawEllipse(oval)
        if self._share > 0:
            painter.setPen(QPen(theme.ACCENT, 2 * line, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawArc(oval, 90 * 16, round(-360 * 16 * self._share))
        painter.end()


class Bar(QWidget):
    """A number between 0 and 1 as a bar, its limit as a line across it, and its name. What reaches the limit is also
    told by a tick, not by colour alone."""

    def __init__(self, look: Look, name: str) -> None:
        super().__init__()
        self._look, self._name = look, look.texts(name)
        self.value: float | None = None
        self.limit = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self._name)

    @property
    def reached(self) -> bool:
        """Whether the limit is reached."""
        return self.value is not None and self.value >= self.limit

    def show_value(self, value: float | None, limit: float) -> None:
        """Takes the number (None: not measured) and its limit."""
        self.value, self.limit = value, limit
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws name, bar and limit."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        per_mm = self._look.measures.per_mm
        area = QRectF(self.rect())
        painter.setFont(theme.type_face(self._look.measures.font_px(Letters.NEAR), bold=True))
        painter.setPen(theme.INK)
        half = area.height() / 2
        upper = area.adjusted(0, 0, 0, -half)
        painter.drawText(upper, Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignBottom, self._name)
        if self.value is not None:
            side = min(half, 6 * per_mm)
            place = QPointF(upper.right() - side / 2, upper.bottom() - side / 2)
            icons.draw(painter, Icon.TICK if self.reached else Icon.CROSS, place, side, theme.INK)
        bar = area.adjusted(0, half + per_mm, 0, -per_mm / 2)
        painter.setPen(QPen(theme.KEY_EDGE, max(1.0, 0.2 * per_mm)))
        painter.setBrush(theme.FIELD)
        painter.drawRect(bar)
        if self.value is not None:
            full = bar.adjusted(0, 0, -bar.width() * (1 - min(1.0, max(0.0, self.value))), 0)
            painter.fillRect(full, theme.ACCENT if self.reached else theme.FOCUS)
        x = bar.left() + bar.width() * min(1.0, max(0.0, self.limit))
        painter.setPen(QPen(theme.WHITE, max(2.0, 0.5 * per_mm)))
        painter.drawLine(round(x), round(bar.top() - per_mm), round(x), round(bar.bottom() + per_mm / 2))
        painter.end()


class Code(QWidget):
    """A QR code, black on white, with its quiet zone."""

    def __init__(self, look: Look, text: str) -> None:
        super().__init__()
        self._rows = [bytes(row) for row in segno.make_qr(text, error="m").matrix]
        side = look.measures.px(30)
        self.setMinimumSize(side, side)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the modules."""
        painter = QPainter(self)
        count = len(self._rows) + 8
        pitch = min(self.width(), self.height()) // count
        left, top = (self.width() - pitch * count) // 2, (self.height() - pitch * count) // 2
        painter.fillRect(left, top, pitch * count, pitch * count, theme.WHITE)
        for y, row in enumerate(self._rows):
            for x, dark in enumerate(row):
                if dark:
                    painter.fillRect(left + (x + 4) * pitch, top + (y + 4) * pitch, pitch, pitch, theme.WHITE_INK)
        painter.end()


class Sign(QWidget):
    """An icon as large as there is room."""

    def __init__(self, look: Look, icon: Icon) -> None:
        super().__init__()
        self._icon = icon
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the icon."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height()) * 0.9
        icons.draw(painter, self._icon, QPointF(self.width() / 2, self.height() / 2), side, theme.INK)
        painter.end()
