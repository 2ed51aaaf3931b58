"""Staff's pages of what happened, why somebody is refused, and the door."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from kiosk.domain.staff_views import QUALITY_LIMIT, DoorIs, EventRow, Events, WhyRefused
from kiosk.domain.staffing import NotMe, SetVerify
from kiosk.gui import theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.staff.parts import Ask, Bar, Mirror, key, minute, said
from kiosk.gui.toolkit.fitting import Fitted
from kiosk.gui.toolkit.listing import Row, TouchList
from kiosk.gui.toolkit.page import Label, Page


class EventsPage(Page):
    """The newest events; a touch shows one with what can be done about it."""

    def __init__(self, look: Look, view: Events, ask: Ask) -> None:
        super().__init__(look, "office.events")
        self._ask = ask
        self._parts: list[QWidget] = []
        """What is shown of one event, in place of the list."""
        self._rows = {str(row.id): row for row in view.rows}
        self.events = TouchList(look)
        self.events.show_rows(Row(str(row.id), _title(look, row), _detail(look, row)) for row in view.rows)
        self.events.chosen.connect(self._show)
        self.body.addWidget(self.events, 1)
        if view.noted is not None and str(view.noted) in self._rows:
            self._show(str(view.noted), noted=True)

    def go_back(self) -> None:
        """From one event to the list."""
        if not self._parts:
            super().go_back()
            return
        for part in self._parts:
            part.hide()
            self.body.removeWidget(part)
        self._parts = []
        self.title.set_text(self.look.texts("office.events"))
        self.events.show()

    def _show(self, event: str, noted: bool = False) -> None:
        """One event in place of the list."""
        row, look = self._rows[event], self.look
        self.title.set_text(look.texts("office.event"))
        self.events.hide()
        lines = [_title(look, row), _detail(look, row)] + [look.texts("office.noted")] * noted
        self.one = Label(look, plain="\n\n".join(lines), letters=Letters.TITLE)
        self.one.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeading)
        self.body.addWidget(self.one, 1)
        self._parts = [self.one]
        who = row.subject_id
        if row.granted is None or who is None:
            return
        if noted:
            self.act = key(look, "office.face_and_number", lambda: self._ask(SetVerify(who, verify=True)), primary=True)
        else:
            self.act = key(look, "office.not_me", lambda: self._ask(NotMe(row.id)))
        self.body.addWidget(self.act)
        self._parts.append(self.act)


def _title(look: Look, row: EventRow) -> str:
    what = said(look.texts, "event", row.reason)
    return f"{what}: {row.name}" if row.name else what


def _detail(look: Look, row: EventRow) -> str:
    return minute(row.at) + (f" · {said(look.texts, 'event', row.outcome)}" if row.outcome else "")


class WhyPage(Page):
    """Three bars beside the live picture, and the one thing to change."""

    def __init__(self, look: Look, view: WhyRefused) -> None:
        super().__init__(look, "office.why")
        self.mirror = Mirror(look)
        self.quality, self.live, self.score = (
            Bar(look, name) for name in ("office.why_quality", "office.why_live", "office.why_score")
        )
        self.change = Fitted(look.measures.font_px(Letters.SECOND), bold=True, ink=theme.FOCUS)
        bars = QVBoxLayout()
        for bar in (self.quality, self.live, self.score):
            bars.addWidget(bar, 2)
        bars.addWidget(self.change, 3)
        wide = not look.measures.portrait
        split = QBoxLayout(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        split.addWidget(self.mirror, 1)
        split.addLayout(bars, 1)
        self.body.addLayout(split, 1)
        self.show_view(view)

    def show_view(self, view: WhyRefused) -> None:
        """Takes the next state."""
        bars, texts = view.bars, self.look.texts
        self.quality.show_value(bars.quality, QUALITY_LIMIT)
        self.live.show_value(bars.pad, bars.pad_limit)
        self.score.show_value(bars.score, bars.score_limit)
        if bars.trouble is not None:
            self.change.set_text(said(texts, "trouble", bars.trouble))
        elif view.name is not None:
            self.change.set_text(texts("office.why_known", name=view.name))
        else:
            self.change.set_text(texts("office.why_nobody") if bars.score is not None else "")


class DoorPage(Page):
    """The door's state."""

    def __init__(self, look: Look, view: DoorIs) -> None:
        super().__init__(look, "office.door")
        self.state = Fitted(
            look.measures.font_px(Letters.SECOND),
            look.texts("office.door_unknown") if view.state is None else said(look.texts, "door_is", view.state),
            bold=True,
        )
        self.body.addWidget(self.state, 1)
