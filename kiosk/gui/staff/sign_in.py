"""Signing in as staff, and the first page."""

from __future__ import annotations

import math
from functools import partial

from PySide6.QtWidgets import QGridLayout

from kiosk.domain.number import LONGEST, SHORTEST
from kiosk.domain.pin import LONGEST as LONGEST_PIN
from kiosk.domain.pin import SHORTEST as SHORTEST_PIN
from kiosk.domain.staff_views import Closed, Home
from kiosk.domain.staffing import Open, SignIn
from kiosk.gui.look import Look
from kiosk.gui.staff.parts import Ask, key, said
from kiosk.gui.toolkit.button import Button
from kiosk.gui.toolkit.keypad import Keypad
from kiosk.gui.toolkit.page import Label, Page


class SignInPage(Page):
    """Number, then PIN. The station says nothing of which was wrong."""

    def __init__(self, look: Look, view: Closed, ask: Ask) -> None:
        super().__init__(look, "office.sign_in_number")
        self._ask = ask
        self.note = Label(look, plain=_problem(look, view))
        self.number = Keypad(look, hidden=False, shortest=SHORTEST, longest=LONGEST)
        self.pin = Keypad(look, hidden=True, shortest=SHORTEST_PIN, longest=LONGEST_PIN)
        self.number.entered.connect(self._numbered)
        self.body.addWidget(self.note)
        self.note.setVisible(bool(self.note.text()))
        self.body.addWidget(self.number, 1)
        self.body.addWidget(self.pin, 1)
        self.pin.hide()
        self.number.setFocus()

    def _numbered(self, number: str) -> None:
        self.title.set_text(self.look.texts("office.sign_in_pin"))
        self.note.hide()
        self.number.hide()
        self.pin.show()
        self.pin.setFocus()
        self.pin.entered.connect(lambda pin: self._ask(SignIn(number, pin)))


def _problem(look: Look, view: Closed) -> str:
    if view.failure is not None:
        return said(look.texts, "failure", view.failure)
    return said(look.texts, "problem", view.problem, seconds=math.ceil(view.wait)) if view.problem else ""


class HomePage(Page):
    """What whoever is signed in may do. Back signs out."""

    def __init__(self, look: Look, view: Home, ask: Ask) -> None:
        super().__init__(look, "office.home", back="office.sign_out", name=view.name)
        notes = [look.texts("office.poster")] * view.lingering
        notes += [said(look.texts, "problem", view.problem)] if view.problem else []
        self.note = Label(look, plain="\n".join(notes))
        self.body.addWidget(self.note)
        self.note.setVisible(bool(notes))
        grid = QGridLayout()
        self.places: dict[str, Button] = {}
        columns = 1 if look.measures.portrait else 3 if look.measures.short and notes else 2
        for at, place in enumerate(view.pages):
            made = key(look, ".".join(("place", place)), partial(ask, Open(place)))
            self.places[place] = made
            grid.addWidget(made, at // columns, at % columns)
            grid.setColumnStretch(at % columns, 1)
        self.body.addLayout(grid, 1)
