"""The icons, drawn with strokes on a grid of 24 x 24 units."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from kiosk.gui.words import Icon

_GRID = 24.0
_STROKE = 2.0


def _lines(path: QPainterPath, *strokes: tuple[tuple[float, float], ...]) -> None:
    for first, *rest in strokes:
        path.moveTo(*first)
        for point in rest:
            path.lineTo(*point)


def _arc(path: QPainterPath, centre: tuple[float, float], radius: float, start: float, sweep: float) -> None:
    """`start` and `sweep` in degrees, counterclockwise from three o'clock."""
    around = QRectF(centre[0] - radius, centre[1] - radius, 2 * radius, 2 * radius)
    path.arcMoveTo(around, start)
    path.arcTo(around, start, sweep)


def _dot(path: QPainterPath, x: float, y: float) -> None:
    _lines(path, ((x, y), (x, y + 0.01)))


def _face(path: QPainterPath) -> None:
    _corners(path)
    _lines(path, ((9, 9), (9, 10.2)), ((15, 9), (15, 10.2)))
    _arc(path, (12, 12.6), 4, 215, 110)


def _corners(path: QPainterPath) -> None:
    for sx, sy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        _lines(path, tuple((12 + sx * dx, 12 + sy * dy) for dx, dy in ((-9, -5), (-9, -9), (-5, -9))))


def _closer(path: QPainterPath) -> None:
    for sx, sy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        _lines(path, tuple((12 + sx * dx, 12 + sy * dy) for dx, dy in ((3, 3), (8.5, 8.5))))
        _lines(path, tuple((12 + sx * dx, 12 + sy * dy) for dx, dy in ((4, 8.5), (8.5, 8.5), (8.5, 4))))


def _backward(path: QPainterPath) -> None:
    for sx, sy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        _lines(path, tuple((12 + sx * dx, 12 + sy * dy) for dx, dy in ((3.5, 3.5), (9, 9))))
        _lines(path, tuple((12 + sx * dx, 12 + sy * dy) for dx, dy in ((3, 7.5), (3, 3), (7.5, 3))))


def _centre(path: QPainterPath) -> None:
    path.addEllipse(QPointF(12, 12), 5.5, 7)
    _lines(path, ((0.5, 12), (4, 12)), ((20, 12), (23.5, 12)), ((12, 0.5), (12, 2.5)), ((12, 21.5), (12, 23.5)))
    _dot(path, 12, 12)


def _still(path: QPainterPath) -> None:
    path.addEllipse(QPointF(12, 12), 9, 9)
    path.addEllipse(QPointF(12, 12), 4, 4)
    _dot(path, 12, 12)


def _dark(path: QPainterPath) -> None:
    moon = QPainterPath()
    moon.addEllipse(QPointF(11.5, 12.5), 9, 9)
    bite = QPainterPath()
    bite.addEllipse(QPointF(16, 8), 7.5, 7.5)
    path.addPath(moon.subtracted(bite))


def _bright(path: QPainterPath) -> None:
    path.addEllipse(QPointF(12, 12), 4.5, 4.5)
    for step in range(8):
        c, s = math.cos(step * math.pi / 4), math.sin(step * math.pi / 4)
        _lines(path, ((12 + 7.7 * c, 12 + 7.7 * s), (12 + 10.5 * c, 12 + 10.5 * s)))


def _mask(path: QPainterPath) -> None:
    _lines(path, ((6, 10), (12, 8), (18, 10), (18, 16), (12, 19), (6, 16), (6, 10)))
    _lines(path, ((2, 8), (6, 10.5)), ((22, 8), (18, 10.5)), ((9, 12.2), (15, 12.2)), ((9, 15), (15, 15)))


def _glasses(path: QPainterPath) -> None:
    for x in (6.5, 17.5):
        path.addEllipse(QPointF(x, 13), 4.5, 4.5)
    _arc(path, (12, 13), 2, 30, 120)
    _lines(path, ((2, 12), (3.5, 7)), ((22, 12), (20.5, 7)))


def _people(path: QPainterPath) -> None:
    path.addEllipse(QPointF(8.5, 8), 3.7, 3.7)
    _arc(path, (8.5, 21), 6.5, 0, 180)
    _arc(path, (15.5, 8), 3.7, 80, -165)
    _arc(path, (15, 21), 7, 62, -62)


def _wait(path: QPainterPath) -> None:
    for x in (5.5, 12, 18.5):
        path.addEllipse(QPointF(x, 12), 0.8, 0.8)


def _tick(path: QPainterPath) -> None:
    _lines(path, ((4, 12.8), (9.7, 18.5), (20.5, 6.3)))


def _cross(path: QPainterPath) -> None:
    _lines(path, ((5.5, 5.5), (18.5, 18.5)), ((18.5, 5.5), (5.5, 18.5)))


def _again(path: QPainterPath) -> None:
    _arc(path, (12, 12.5), 8.5, 55, -310)
    _lines(path, ((17.4, 1.6), (17.2, 5.9), (12.9, 5.6)))


def _warning(path: QPainterPath) -> None:
    _lines(path, ((12, 3), (22, 20.5), (2, 20.5), (12, 3)), ((12, 9.5), (12, 14)))
    _dot(path, 12, 17.3)


def _camera_off(path: QPainterPath) -> None:
    path.addRoundedRect(QRectF(2, 6, 13.5, 12), 2.5, 2.5)
    _lines(path, ((15.5, 11), (22, 7), (22, 17), (15.5, 13)), ((2.5, 2.5), (21.5, 21.5)))


def _back(path: QPainterPath) -> None:
    _lines(path, ((15, 4.5), (7.5, 12), (15, 19.5)))


def _erase(path: QPainterPath) -> None:
    _lines(
        path,
        ((8, 5), (21.5, 5), (21.5, 19), (8, 19), (2, 12), (8, 5)),
        ((11.5, 9), (17.5, 15)),
        ((17.5, 9), (11.5, 15)),
    )


def _shift(path: QPainterPath) -> None:
    _lines(path, ((12, 3), (20.5, 11.5), (16, 11.5), (16, 20), (8, 20), (8, 11.5), (3.5, 11.5), (12, 3)))


def _number(path: QPainterPath) -> None:
    for x in (6, 12, 18):
        for y in (4.5, 10, 15.5):
            path.addEllipse(QPointF(x, y), 1.1, 1.1)
    path.addEllipse(QPointF(12, 21), 1.1, 1.1)


def _code(path: QPainterPath) -> None:
    for x, y in ((3, 3), (14.5, 3), (3, 14.5)):
        path.addRect(QRectF(x, y, 6.5, 6.5))
    _lines(
        path,
        ((14.5, 14.5), (14.5, 17)),
        ((18, 14.5), (21, 14.5)),
        ((21, 17.5), (21, 21), (14.5, 21)),
        ((17.8, 17.6), (17.8, 17.7)),
    )


def _door(path: QPainterPath) -> None:
    _lines(path, ((5, 21), (5, 3), (15, 3), (15, 6)), ((2, 21), (13, 21)), ((9, 6), (19, 9), (19, 23), (9, 21), (9, 6)))
    _dot(path, 12.5, 14)


_DRAWN: dict[Icon, Callable[[QPainterPath], None]] = {
    Icon.FACE: _face,
    Icon.CLOSER: _closer,
    Icon.BACKWARD: _backward,
    Icon.CENTRE: _centre,
    Icon.STILL: _still,
    Icon.DARK: _dark,
    Icon.BRIGHT: _bright,
    Icon.MASK: _mask,
    Icon.GLASSES: _glasses,
    Icon.PEOPLE: _people,
    Icon.WAIT: _wait,
    Icon.TICK: _tick,
    Icon.CROSS: _cross,
    Icon.AGAIN: _again,
    Icon.WARNING: _warning,
    Icon.CAMERA_OFF: _camera_off,
    Icon.BACK: _back,
    Icon.ERASE: _erase,
    Icon.SHIFT: _shift,
    Icon.NUMBER: _number,
    Icon.CODE: _code,
    Icon.DOOR: _door,
}


def draw(painter: QPainter, icon: Icon, centre: QPointF, size: float, colour: QColor, *, weight: float = 1.0) -> None:
    """Draws an icon of `size` pixels around `centre`. `weight` scales the width of its strokes."""
    path = QPainterPath()
    _DRAWN[icon](path)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(centre)
    painter.scale(size / _GRID, size / _GRID)
    painter.translate(-_GRID / 2, -_GRID / 2)
    pen = QPen(colour, _STROKE * weight)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    painter.restore()
