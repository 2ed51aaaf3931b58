"""A list that is moved with the finger, and chosen from by a tap, or by arrows and Enter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPalette, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QScrollBar,
    QScroller,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from kiosk.gui import theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters

_ID = Qt.ItemDataRole.UserRole
_DETAIL = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Row:
    """One entry: its id is what `TouchList.chosen` tells. `detail` is the smaller line below."""

    id: str
    title: str
    detail: str = ""


def scroll_bar(bar: QScrollBar, look: Look) -> None:
    """Gives a list or a long text a bar of the kiosk's own colours, which only shows where one is."""
    bar.setStyleSheet(
        f"QScrollBar {{ background: {theme.PANEL.name()}; width: {look.measures.px(2)}px; }}"
        f"QScrollBar::handle {{ background: {theme.KEY_EDGE.name()}; }}"
        "QScrollBar::add-line{height:0}QScrollBar::sub-line{height:0}"
    )


class TouchList(QListWidget):
    """Emits `chosen` with the id of a row. A finger that moves the list chooses nothing."""

    chosen = Signal(str)

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setItemDelegate(_Painted(look, self))
        scroll_bar(self.verticalScrollBar(), look)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragDropMode(QAbstractItemView.DragDropMode.NoDragDrop)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        QScroller.grabGesture(self.viewport(), QScroller.ScrollerGestureType.LeftMouseButtonGesture)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, theme.FIELD)
        self.setPalette(palette)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.itemClicked.connect(self._choose)

    def show_rows(self, rows: Iterable[Row]) -> None:
        """Replaces what is listed."""
        self.clear()
        for row in rows:
            item = QListWidgetItem(row.title)
            item.setData(_ID, row.id)
            item.setData(_DETAIL, row.detail)
            self.addItem(item)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Enter and the space bar choose."""
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space}:
            item = self.currentItem()
            if item is not None:
                self._choose(item)
            return
        super().keyPressEvent(event)

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(str(item.data(_ID)))


class _Painted(QStyledItemDelegate):
    """Draws a row of at least a finger's height: title, and the detail in quieter letters."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(parent)
        self._look = look
        self._title = theme.type_face(look.measures.font_px(Letters.NEAR), bold=True)
        self._detail = theme.type_face(look.measures.font_px(Letters.NEAR))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: N802
        """A finger's height, or two lines."""
        lines = QFontMetricsF(self._title).height()
        if index.data(_DETAIL):
            lines += QFontMetricsF(self._detail).height()
        return QSize(1, max(self._look.measures.touch, round(lines + 2 * self._look.measures.per_mm)))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draws ground, focus, title and detail."""
        per_mm = self._look.measures.per_mm
        state = option.state
        area = QRectF(option.rect).adjusted(per_mm / 2, per_mm / 4, -per_mm / 2, -per_mm / 4)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        painter.setPen(QPen(theme.FOCUS if focused else theme.KEY, max(1.0, 0.5 * per_mm if focused else 1.0)))
        painter.setBrush(theme.KEY_PRESSED if state & QStyle.StateFlag.State_Selected else theme.KEY)
        painter.drawRoundedRect(area, per_mm, per_mm)
        inside = area.adjusted(2 * per_mm, 0, -2 * per_mm, 0)
        detail = str(index.data(_DETAIL) or "")
        upper = inside.adjusted(0, 0, 0, -inside.height() / 2) if detail else inside
        start = Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter
        for font, ink, place, text in (
            (self._title, theme.INK, upper, str(index.data())),
            (self._detail, theme.QUIET, inside.adjusted(0, inside.height() / 2, 0, 0), detail),
        ):
            painter.setFont(font)
            painter.setPen(ink)
            shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, start, shown)
        painter.restore()
