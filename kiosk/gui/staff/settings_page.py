"""Staff's page of settings, for admins: what is set, what each level of security means here, and what sets it."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.domain.security_level import ATTEMPTS_A_DAY, LevelRow, Settings, span
from kiosk.gui import catalogue
from kiosk.gui.catalogue import Texts
from kiosk.gui.look import Look
from kiosk.gui.staff.parts import said, scrolled
from kiosk.gui.toolkit.listing import Row, TouchList
from kiosk.gui.toolkit.page import Label, Page


@dataclass(frozen=True, slots=True)
class _Setting:
    """One row of the list. `more`: what is said of it alone. `command`: what changes it; empty where nothing is to be
    changed."""

    title: str
    detail: str
    command: str
    more: str = ""


class SettingsPage(Page):
    """A list; a touch shows one setting with the command that changes it. Nothing is changed here: the kiosk's user may
    not write the configuration."""

    def __init__(self, look: Look, view: Settings) -> None:
        super().__init__(look, "office.settings")
        self._restart = view.restart
        self._rows = [*(_level(look.texts, row) for row in view.levels), *_screen(look.texts, view)]
        self.note = Label(look, "office.settings_for", people=view.people, attempts=ATTEMPTS_A_DAY)
        self.settings = TouchList(look)
        self.settings.show_rows(Row(str(at), row.title, row.detail) for at, row in enumerate(self._rows))
        self.settings.chosen.connect(self._show)
        self.one = scrolled(look, "")
        self.text = ""
        for part, stretch in ((self.note, 0), (self.settings, 1), (self.one, 1)):
            self.body.addWidget(part, stretch)
        self.one.hide()

    def go_back(self) -> None:
        """From one setting to the list."""
        if not self.text:
            super().go_back()
            return
        self.text = ""
        self.one.hide()
        self.title.set_text(self.look.texts("office.settings"))
        for part in (self.note, self.settings):
            part.show()

    def _show(self, at: str) -> None:
        row = self._rows[int(at)]
        how = [self.look.texts("office.how_to_set"), row.command, self._restart] if row.command else []
        self.text = "\n\n".join(part for part in (row.more or row.detail, *how) if part)
        self.title.set_text(row.title)
        self.body.removeWidget(self.one)
        self.one.deleteLater()
        self.one = scrolled(self.look, self.text)
        self.body.addWidget(self.one, 1)
        self.note.hide()
        self.settings.hide()


def _level(texts: Texts, row: LevelRow) -> _Setting:
    name = said(texts, "level", row.level or "own")
    title = texts("office.level_now", level=name) if row.now else name
    if row.means is None:
        return _Setting(title, texts("office.level_none"), "")
    time, least, most = (_time(texts, days) for days in row.means.days())
    short = texts("office.level_short", time=time)
    lines = [short if least == most else texts("office.level_rate", time=time, least=least, most=most)]
    lines += [texts("office.level_guess")] * row.means.estimated
    lines.append(texts("office.level_claim" if row.means.claim else "office.level_alone"))
    return _Setting(title, short, "" if row.now else row.command, " ".join(lines))


def _screen(texts: Texts, view: Settings) -> list[_Setting]:
    metres, centimetres = f"{view.distance_mm / 1000:g}", f"{view.distance_mm / 10:.0f}"
    names = ", ".join(catalogue.texts(code)("language.name") for code in view.languages)
    return [
        _Setting(texts("office.distance", centimetres=centimetres), "", f"{view.set_screen} --distance {metres}"),
        _Setting(
            texts("office.languages_are", names=names),
            "",
            f"{view.set_screen} --languages {','.join(view.languages)}",
        ),
        _Setting(
            texts("office.sounds_on" if view.sounds else "office.sounds_off"),
            "",
            f"{view.set_screen} {'--no-sounds' if view.sounds else '--sounds'}",
        ),
    ]


def _time(texts: Texts, days: float) -> str:
    count, unit = span(days)
    return said(texts, "span", unit if count == 1 else f"{unit}s", count=count)
