"""The pages of an enrolment: consent, who it is, poses, checks and coming back, ways in, done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from PySide6.QtWidgets import QBoxLayout, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from kiosk.domain.number import LONGEST, SHORTEST
from kiosk.domain.pin import LONGEST as LONGEST_PIN
from kiosk.domain.pin import SHORTEST as SHORTEST_PIN
from kiosk.domain.staff_views import (
    ConsentText,
    Declined,
    Done,
    NotEnrolled,
    WaysIn,
    WhoIsIt,
)
from kiosk.domain.staffing import About, Answered, Finish, ReadIn
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.staff.parts import Ask, Code, Sign, day, key, said, scrolled
from kiosk.gui.toolkit.button import Button
from kiosk.gui.toolkit.field import Field
from kiosk.gui.toolkit.fitting import Fitted
from kiosk.gui.toolkit.keyboard import Keyboard
from kiosk.gui.toolkit.keypad import Keypad
from kiosk.gui.toolkit.page import Label, Page
from kiosk.gui.words import Icon
from kiosk.keeping import ConsentConfig

SPANS = {
    "office.one_day": timedelta(days=1),
    "office.one_week": timedelta(days=7),
    "office.one_month": timedelta(days=31),
    "office.one_year": timedelta(days=366),
}
"""What can be chosen for the end of somebody's access: until midnight after so long."""


def end_of(span: timedelta | None, now: datetime | None = None) -> datetime | None:
    """The last midnight, in this time zone, of an access that begins now; None: without end."""
    if span is None:
        return None
    later = (now or datetime.now(UTC)).astimezone() + span
    return later.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def spans(look: Look, chosen: Callable[[timedelta | None], None]) -> QGridLayout:
    """A key for each span, and one for no end."""
    keys = QGridLayout()
    columns = 2 if look.measures.short else 1
    keys.addWidget(key(look, "office.no_end", partial(chosen, None), primary=True), 0, 0, 1, columns)
    for at, (text, span) in enumerate(SPANS.items()):
        keys.addWidget(key(look, text, partial(chosen, span)), 1 + at // columns, at % columns)
    return keys


class ConsentPage(Page):
    """The text, in each language that there is; yes or no."""

    def __init__(self, look: Look, view: ConsentText, ask: Ask) -> None:
        super().__init__(look, "office.consent")
        self.body.addWidget(scrolled(look, view.text), 1)
        languages = QHBoxLayout()
        self.languages: dict[str, Button] = {}
        for language in view.languages:
            if language != view.language and len(view.languages) > 1:
                other = Button(look, glyph=language.upper())
                other.clicked.connect(lambda *_, to=language: ask(ReadIn(to)))
                self.languages[language] = other
                languages.addWidget(other)
        self.no = key(look, "office.disagree", lambda: ask(Answered(agreed=False)))
        self.yes = key(look, "office.agree", lambda: ask(Answered(agreed=True)), primary=True)
        languages.addWidget(self.no, 1)
        languages.addWidget(self.yes, 1)
        self.body.addLayout(languages)


class MessagePage(Page):
    """One thing that has happened, and what follows."""

    def __init__(
        self, look: Look, title: str, headline: str, detail: str, icon: Icon, code: QWidget | None = None
    ) -> None:
        """`code`: stands beside the words in place of the icon."""
        super().__init__(look, title, done=True)
        self.headline = Fitted(look.measures.font_px(Letters.SECOND), headline, bold=True)
        self.detail = Fitted(look.measures.font_px(Letters.TITLE), detail)
        words = QVBoxLayout()
        if code is None:
            words.addWidget(Sign(look, icon), 2)
        words.addWidget(self.headline, 2)
        words.addWidget(self.detail, 2)
        wide = not look.measures.portrait
        split = QBoxLayout(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        if code is not None:
            split.addWidget(code, 1)
        split.addLayout(words, 1)
        self.body.addLayout(split, 1)


def declined(look: Look, view: Declined) -> Page:
    """The other way in is named: in the screen's language, unless the operator has words of their own."""
    own = view.alternative != ConsentConfig.model_fields["alternative"].default
    alternative = view.alternative if own else look.texts("office.alternative")
    detail = look.texts("office.declined_detail", alternative=alternative)
    return MessagePage(look, "place.enrol", look.texts("office.declined"), detail, Icon.TICK)


def not_enrolled(look: Look, view: NotEnrolled) -> Page:
    """Why nothing was written."""
    texts = look.texts
    detail = texts("office.twin_named", name=view.name) if view.name else ""
    if not detail and view.problem is not None:
        detail = said(texts, "problem", view.problem, seconds=0)
    if view.failure is not None:
        detail = said(texts, "failure", view.failure)
    return MessagePage(look, "place.enrol", texts("office.not_enrolled"), detail, Icon.CROSS)


class WhoPage(Page):
    """Name, number and end, one after another. What was typed before comes back with what is wrong."""

    def __init__(self, look: Look, view: WhoIsIt, ask: Ask) -> None:
        super().__init__(look, "office.who_name")
        self._ask = ask
        about = view.about
        self._number: str | None = None
        self.field = Field(look, longest=100)
        self.field.setText("" if about is None else about.name)
        self.problem = Label(look, plain="" if view.problem is None else said(look.texts, "problem", view.problem))
        self.keyboard = Keyboard(look, look.keyboards, self.field)
        self.keyboard.entered.connect(self._named)
        self.field.returnPressed.connect(self._named)
        self.choose = key(look, "office.choose_number", lambda: self._numbered(None), primary=True)
        self.keypad = Keypad(look, hidden=False, shortest=SHORTEST, longest=LONGEST, around=(self.choose,))
        self.keypad.entered.connect(self._numbered)
        self.keypad.hide()
        self._parts: list[QWidget] = []
        self._show([self.problem, self.field, self.keyboard])
        if not self.problem.text():
            self.problem.hide()
        self.field.setFocus()

    def _named(self) -> None:
        if not self.field.text().strip():
            return
        self.title.set_text(self.look.texts("office.who_number"))
        self._show([self.keypad])
        self.keypad.setFocus()

    def _numbered(self, number: str | None) -> None:
        self._number = number
        self.title.set_text(self.look.texts("office.who_until"))
        self.until = QWidget()
        self.until.setLayout(spans(self.look, self._ended))
        self._show([self.until])

    def _ended(self, span: timedelta | None) -> None:
        self._ask(About(self.field.text(), self._number, None, end_of(span)))

    def _show(self, parts: list[QWidget]) -> None:
        for part in self._parts:
            part.hide()
            self.body.removeWidget(part)
        for part in parts:
            self.body.addWidget(part, 1 if isinstance(part, Keyboard | Keypad) else 0)
            part.show()
        self._parts = parts


class WaysPage(Page):
    """A PIN, typed twice by the person, and a QR code if they want one."""

    def __init__(self, look: Look, view: WaysIn, ask: Ask) -> None:
        super().__init__(look, "office.ways")
        self._ask, self._first, self._wanted = ask, "", False
        self.note = Label(look)
        if look.measures.short:
            self.note.hide()
        if view.problem is not None:
            self._say(said(look.texts, "problem", view.problem))
        else:
            long = "office.ways_short" if look.measures.short else "office.ways_detail"
            self._say(look.texts(long, name=view.name, number=view.number))
        self.code = key(look, "office.with_code", self._toggle)
        self.coded = key(look, "office.with_code", self._toggle, icon=Icon.TICK)
        self.coded.hide()
        self.without = key(look, "office.no_pin", lambda: ask(Finish(qr=self._wanted)))
        around = (self.note, self.code, self.coded, self.without)
        self.keypad = Keypad(look, hidden=True, shortest=SHORTEST_PIN, longest=LONGEST_PIN, around=around)
        self.keypad.entered.connect(self._typed)
        self.body.addWidget(self.keypad, 1)
        self.keypad.setFocus()

    def _say(self, text: str) -> None:
        """Beside the keys; on the smallest screens there is room for it in the title's place alone."""
        self.note.setText(text)
        if self.look.measures.short:
            self.title.set_text(text)

    def _toggle(self) -> None:
        """A tick stands beside what was chosen."""
        self._wanted = not self._wanted
        self.code.setVisible(not self._wanted)
        self.coded.setVisible(self._wanted)

    def _typed(self, pin: str) -> None:
        if not self._first:
            self._first = pin
            self._say(self.look.texts("office.same_pin"))
        elif pin == self._first:
            self._ask(Finish(pin, qr=self._wanted))
        else:
            self._first = ""
            self._say(self.look.texts("office.pins_differ"))


def done(look: Look, view: Done) -> Page:
    """It is written. The QR code is shown this once."""
    texts = look.texts
    later = view.valid_from is not None and view.valid_from > datetime.now(UTC)
    if view.renewed:
        headline = texts("office.renewed", name=view.name)
    elif view.added:
        headline = texts("office.added", name=view.name)
    elif later and view.valid_from is not None:
        headline = texts("office.written_later", name=view.name, day=day(view.valid_from))
    else:
        headline = texts("office.written", name=view.name)
    lines = [] if view.number is None else [texts("office.number_is", number=view.number)]
    lines += [texts("office.must_say")] * view.verify
    lines += [texts("office.code_once")] * (view.qr is not None)
    code = None if view.qr is None else Code(look, view.qr)
    return MessagePage(look, "place.enrol", headline, "\n".join(lines), Icon.TICK, code)
