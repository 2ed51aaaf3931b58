"""The parts of the visitor's screen. They draw what they are given and decide nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap, QRadialGradient
from PySide6.QtWidgets import QWidget

from kiosk.gui import icons, theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.state import Mode, Screen
from kiosk.gui.toolkit.fitting import extent, fitted

_ANTIALIASING = QPainter.RenderHint.Antialiasing
HEADLINE, DETAIL, BADGE = 53.0, 31.0, 100.0
"""Sizes in layout units, on a screen that has more room than the reading distance asks for."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Sizes at which a message fits: the badge, both fonts, and the heights of both texts, in pixels."""

    badge: float
    headline: float
    detail: float
    above: float
    below: float


class Message(QWidget):
    """Icon, headline and detail. The countdown is drawn around the icon."""

    def __init__(self, parent: QWidget, look: Look) -> None:
        super().__init__(parent)
        self._look = look
        self._screen: Screen | None = None
        self._unit = 1.0
        self._centred = False

    def set_look(self, look: Look) -> None:
        """Takes language and sizes."""
        self._look = look
        self.update()

    def set_shape(self, unit: float, centred: bool) -> None:
        """Sets the size of a layout unit in pixels, and whether the text is centred."""
        self._unit, self._centred = unit, centred
        self.update()

    def set_screen(self, screen: Screen) -> None:
        """Takes the screen whose icon and words are drawn. What belongs to the picture alone draws nothing here."""
        before, self._screen = self._screen, screen
        if before is None or replace(before, progress=screen.progress, boxes=screen.boxes, ways=screen.ways) != screen:
            self.setAccessibleName(f"{screen.headline} {screen.detail}")
            self.update()

    def fit(self, headline: str, detail: str, code: bool = False) -> Fit:
        """The largest sizes at which icon, headline and detail fit. First the letters shrink to what the reading
        distance asks for, then the icon, and only then the letters again."""
        room = self._room(code)
        flags, fit = self._flags(), Fit(0, 0, 0, 0, 0)
        for badge, above, below in self._tries():
            upper = extent(headline, above, True, self.width(), flags)
            lower = extent(detail, below, False, self.width(), flags)
            fit = Fit(badge, above, below, upper.height(), lower.height())
            wide = max(upper.width(), lower.width())
            if wide <= self.width() and badge + fit.above + fit.below + self._gap(badge, detail) <= room:
                break
        return fit

    def _room(self, code: bool) -> float:
        """The height that is left above the code for staff."""
        return self.height() - (1.6 * self._look.measures.plain.font_px(Letters.NEAR) if code else 0)

    def _tries(self) -> Iterator[tuple[float, float, float]]:
        """Sizes of badge, headline and detail, from the largest to what always fits."""
        measures, unit = self._look.measures, self._unit
        plain = measures.plain
        least = plain.font_px(Letters.INSTRUCTION), plain.font_px(Letters.SECOND)
        above = max(HEADLINE * unit, measures.font_px(Letters.INSTRUCTION))
        below = max(DETAIL * unit, measures.font_px(Letters.SECOND))
        badge = BADGE * unit
        while above > least[0] or below > least[1]:
            yield badge, above, below
            above, below = max(above * 0.95, least[0]), max(below * 0.95, least[1])
        for share in (1.0, 0.75, 0.5, 0.35):
            yield share * badge, *least
        for step in range(1, 30):
            yield 0.35 * badge, least[0] * 0.95**step, least[1] * 0.95**step

    def _gap(self, badge: float, detail: str) -> float:
        """Height of what is between the parts."""
        return (0.15 + (0.1 if detail else 0)) * max(badge, 40 * self._unit)

    def _flags(self) -> int:
        across = Qt.AlignmentFlag.AlignHCenter if self._centred else Qt.AlignmentFlag.AlignLeading
        return int(Qt.TextFlag.TextWordWrap) | int(across)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws icon, headline, detail and code as one block, vertically centred."""
        screen = self._screen
        if screen is None:
            return
        fit, flags, width = self.fit(screen.headline, screen.detail, bool(screen.code)), self._flags(), self.width()
        inks = theme.inks(screen.light)
        painter = QPainter(self)
        painter.setRenderHint(_ANTIALIASING)
        painter.setLayoutDirection(self.layoutDirection())
        gap = self._gap(fit.badge, "")
        y = max(
            0.0,
            (self._room(bool(screen.code)) - fit.badge - fit.above - fit.below - self._gap(fit.badge, screen.detail))
            / 2,
        )
        right = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
        middle = width / 2 if self._centred else width - fit.badge / 2 if right else fit.badge / 2
        self._paint_badge(painter, screen, QPointF(middle, y + fit.badge / 2), fit.badge)
        y += fit.badge + gap
        painter.setFont(theme.type_face(fit.headline, bold=True, figures=True))
        painter.setPen(inks.ink)
        painter.drawText(QRectF(0, y, width, fit.above + 1), flags, screen.headline)
        y += fit.above + 0.66 * gap
        painter.setFont(theme.type_face(fit.detail, figures=True))
        painter.setPen(inks.soft)
        painter.drawText(QRectF(0, y, width, fit.below + 1), flags, screen.detail)
        if screen.code:
            said = self._look.texts("staff.code", code=screen.code)
            font, _ = fitted(said, self._look.measures.plain.font_px(Letters.NEAR), False, width, self.height(), flags)
            painter.setFont(font)
            painter.setPen(inks.quiet)
            painter.drawText(QRectF(self.rect()), flags | int(Qt.AlignmentFlag.AlignBottom), said)
        painter.end()

    def _paint_badge(self, painter: QPainter, screen: Screen, centre: QPointF, size: float) -> None:
        tone, ring = theme.inks(screen.light).tone(screen.mode), 0.06 * size
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
    """A text that is read from near, in as many lines as its place has. It is drawn smaller if it does not fit."""

    def __init__(self, parent: QWidget, colour: QColor, ground: QColor | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._pixels = 20.0
        self._colour = colour
        self._ground = ground
        self._across = Qt.AlignmentFlag.AlignLeading

    def set_shape(self, pixels: float, across: Qt.AlignmentFlag) -> None:
        """Sets the size of the letters in pixels, and the alignment."""
        self._pixels, self._across = pixels, across
        self.update()

    def set_colour(self, colour: QColor) -> None:
        """Sets the colour of the text."""
        if colour != self._colour:
            self._colour = colour
            self.update()

    def set_text(self, text: str) -> None:
        """Sets the text."""
        if text != self._text:
            self._text = text
            self.setAccessibleName(text)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws ground and text."""
        painter = QPainter(self)
        painter.setLayoutDirection(self.layoutDirection())
        flags = int(self._across) | int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextWordWrap)
        bold = self._ground is not None
        font, _ = fitted(self._text, self._pixels, bold, self.width(), self.height(), flags)
        if self._ground is not None:
            painter.fillRect(self.rect(), self._ground)
            wide = extent(self._text, font.pixelSize(), bold, self.width(), flags).width()
            self._paint_hazard(painter, (self.width() - wide) / 2 - self.height())
        painter.setFont(font)
        painter.setPen(self._colour)
        painter.drawText(QRectF(self.rect()), flags, self._text)
        painter.end()

    def _paint_hazard(self, painter: QPainter, room: float) -> None:
        """Draws slanted stripes, as on a barrier, in the `room` at both ends."""
        if room <= 0:
            return
        painter.setRenderHint(_ANTIALIASING)
        painter.setPen(QPen(self._colour, self.height() * 0.36))
        pitch, height = self.height() * 0.9, self.height()
        for side in (0.0, self.width() - room):
            painter.setClipRect(QRectF(side, 0, room, height))
            for step in range(-1, int(room / pitch) + 2):
                x = side + step * pitch
                painter.drawLine(QPointF(x - height * 0.2, height * 1.2), QPointF(x + height * 1.2, -height * 0.2))
        painter.setClipping(False)


def ground(size: QSize, ratio: float, glow: Mode | None, light: bool) -> QPixmap:
    """The window's background: nearly black, with a glow in the tone of this mode. White to light a face."""
    pixmap = QPixmap((size * ratio).expandedTo(QSize(1, 1)))
    pixmap.setDevicePixelRatio(ratio)
    painter = QPainter(pixmap)
    area = QRectF(0, 0, size.width(), size.height())
    if light:
        painter.fillRect(area, theme.WHITE)
        painter.end()
        return pixmap
    dark = QRadialGradient(area.width() * 0.7, area.height() * 0.35, max(area.width(), area.height()))
    dark.setColorAt(0, theme.GROUND_TOP)
    dark.setColorAt(1, theme.GROUND_BOTTOM)
    painter.fillRect(area, dark)
    if glow is not None:
        tint = QRadialGradient(area.width() * 0.5, area.height() * 1.1, max(area.width(), area.height()) * 0.95)
        tint.setColorAt(0, theme.faded(theme.TONES[glow], 0.34))
        tint.setColorAt(1, theme.faded(theme.TONES[glow], 0.03))
        painter.fillRect(area, tint)
    painter.end()
    return pixmap
