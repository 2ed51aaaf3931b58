"""Staff's pages about people: the list, one person, what is erased."""

from __future__ import annotations

from datetime import timedelta

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from kiosk.domain.staff_views import Erased, People, Person, PersonRow
from kiosk.domain.staffing import AddPictures, Choose, Remove, Renew, Search, SetDisabled, SetUntil, SetVerify
from kiosk.gui.certificate import sentences
from kiosk.gui.look import Look
from kiosk.gui.staff.enrol_pages import end_of, spans
from kiosk.gui.staff.parts import Ask, day, key, minute, said, scrolled
from kiosk.gui.toolkit.field import Field
from kiosk.gui.toolkit.keyboard import Keyboard
from kiosk.gui.toolkit.listing import Row, TouchList
from kiosk.gui.toolkit.page import Label, Page


class PeoplePage(Page):
    """The list, and a keyboard to search in it."""

    def __init__(self, look: Look, view: People, ask: Ask) -> None:
        super().__init__(look, "office.people")
        self.field = Field(look, longest=100)
        self.field.setText(view.text)
        self.search = key(look, "office.search", self._search)
        self.search.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        line = QHBoxLayout()
        line.addWidget(self.field, 1)
        line.addWidget(self.search)
        self.count = Label(look, "office.found", shown=len(view.rows), found=view.found)
        self.people = TouchList(look)
        self.people.show_rows(_row(look, row) for row in view.rows)
        self.people.chosen.connect(lambda subject_id: ask(Choose(subject_id)))
        self.keyboard = Keyboard(look, look.keyboards, self.field)
        self.keyboard.entered.connect(lambda: ask(Search(self.field.text())))
        self.field.returnPressed.connect(lambda: ask(Search(self.field.text())))
        self.body.addLayout(line)
        self.body.addWidget(self.people, 1)
        self.body.addWidget(self.count)
        self.body.addWidget(self.keyboard, 1)
        self.keyboard.hide()

    def go_back(self) -> None:
        """From the keyboard to the list."""
        if self.keyboard.isHidden():
            super().go_back()
            return
        self.keyboard.hide()
        self.people.show()
        self.count.show()

    def _search(self) -> None:
        """Shows the keyboard in place of the list."""
        self.keyboard.show()
        self.people.hide()
        self.count.hide()
        self.field.setFocus()


def _row(look: Look, row: PersonRow) -> Row:
    notes = [row.number or ""]
    notes += [look.texts("office.until_day", day=day(row.until))] if row.until else []
    notes += [look.texts("office.shut_out")] if row.disabled else []
    notes += [look.texts("office.one_light")] if row.one_light else []
    return Row(row.subject_id, row.name, " · ".join(note for note in notes if note))


class PersonPage(Page):
    """One person, and what may be done."""

    def __init__(self, look: Look, view: Person, ask: Ask) -> None:
        super().__init__(look, "office.people")
        row, texts = view.row, look.texts
        self.title.set_text(row.name)
        detail = _row(look, row).detail
        since = texts("office.since", day=day(view.enrolled))
        wrong = said(texts, "problem", view.problem) if view.problem else ""
        self.note = Label(look, plain="\n".join(line for line in (wrong, detail, since) if line))
        self.switch = key(
            look,
            "office.enable" if row.disabled else "office.disable",
            lambda: ask(SetDisabled(row.subject_id, not row.disabled)),
        )
        self.verify = key(
            look,
            "office.face_alone" if view.verify else "office.face_and_number",
            lambda: ask(SetVerify(row.subject_id, not view.verify)),
        )
        self.until = key(look, "office.change_until", self._ask_until)
        self.renew = key(look, "office.renew", lambda: ask(Renew(row.subject_id)))
        self.add = key(look, "office.add", lambda: ask(AddPictures(row.subject_id)))
        self.erase = key(look, "office.erase", self._ask_erase)
        self._ask, self._row = ask, row
        self._part: QWidget | None = None
        """A question in place of the keys."""
        self.keys = QWidget()
        grid = QGridLayout(self.keys)
        for place, (button, may) in enumerate(
            (
                (self.switch, view.may_switch),
                (self.verify, view.may_switch),
                (self.until, view.may_switch),
                (self.add, view.may_renew),
                (self.renew, view.may_renew),
                (self.erase, view.may_erase),
            )
        ):
            button.setEnabled(may)
            columns = 1 if look.measures.portrait else 2
            grid.addWidget(button, place // columns, place % columns)
            grid.setColumnStretch(place % columns, 1)
        self.body.addWidget(self.note)
        self.body.addWidget(self.keys, 1)

    def go_back(self) -> None:
        """From a question to the person."""
        if self._part is None:
            super().go_back()
            return
        self._part.hide()
        self.body.removeWidget(self._part)
        self._part = None
        self.title.set_text(self._row.name)
        self.note.show()
        self.keys.show()

    def _ask_until(self) -> None:
        self.spans = QWidget()
        self.spans.setLayout(spans(self.look, self._ended))
        self._instead(self.look.texts("office.who_until"), self.spans)

    def _ended(self, span: timedelta | None) -> None:
        self._ask(SetUntil(self._row.subject_id, end_of(span)))

    def _ask_erase(self) -> None:
        """A second touch, elsewhere: nobody is erased by one."""
        self.sure = QWidget()
        lines = QGridLayout(self.sure)
        who = self._row.subject_id
        self.asked = key(self.look, "office.erase_asked", lambda: self._ask(Remove(who)))
        self.withdrawn = key(self.look, "office.erase_withdrawn", lambda: self._ask(Remove(who, withdrawn=True)))
        lines.addWidget(Label(self.look, "office.erase_detail"), 0, 0)
        lines.addWidget(self.withdrawn, 1, 0)
        lines.addWidget(self.asked, 2, 0)
        self._instead(self.look.texts("office.erase_ask", name=self._row.name), self.sure)

    def _instead(self, title: str, part: QWidget) -> None:
        self.title.set_text(title)
        self.note.hide()
        self.keys.hide()
        self._part = part
        self.body.addWidget(part, 1)


class ErasedPage(Page):
    """The certificate, to be shown or copied by hand."""

    def __init__(self, look: Look, view: Erased) -> None:
        super().__init__(look, "office.erased", done=True)
        first = look.texts(
            "office.erased_detail",
            subject=view.subject_id,
            references=view.references,
            backups=view.backups,
            day=minute(view.at),
        )
        rest = (sentences(look.texts, remains) for remains in view.remains)
        self.text = "\n\n".join([first, *(f"{what}: {ends}" for what, ends in rest)])
        self.body.addWidget(scrolled(look, self.text), 1)
