"""An on-screen keyboard of our own, so that nothing of the system's desktop is needed or reachable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from kiosk.gui.look import Look
from kiosk.gui.toolkit import layouts
from kiosk.gui.toolkit.button import Button
from kiosk.gui.toolkit.field import Field
from kiosk.gui.words import Icon

ACCENTS, SIGNS = "accents", "signs"


class Keyboard(QWidget):
    """Types into `field`. One layer of letters for each of `languages`, one of accents, one of digits and signs; one
    key leads from each language to the next. `entered` is emitted by the OK key."""

    entered = Signal()

    def __init__(self, look: Look, languages: Sequence[str], field: Field, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look, self._field = look, field
        self._languages = tuple(languages) or (look.texts.language,)
        self._layer = self._language = self._languages[0]
        self._capitals = True
        self.keys: dict[str, Button] = {}
        """The keys of the present layer, by their small letter, their layer, or the key of their text."""
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._body: QWidget | None = None
        field.textChanged.connect(self._follow)
        self.show_layer(self._layer)

    def show_layer(self, layer: str) -> None:
        """Shows the letters of a language, "accents" or "signs"."""
        self._layer = layer
        if layer in self._languages:
            self._language = layer
        if self._body is not None:
            self._body.hide()
            self._rows.removeWidget(self._body)
            self._body.deleteLater()
        self.keys = {}
        self._body = QWidget(self)
        lines = QVBoxLayout(self._body)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(self._look.measures.gap)
        for row in self._letters():
            line = self._line(lines)
            for letter in row:
                self._key(line, letter, Button(self._look, glyph=letter), partial(self._type, letter), narrow=True)
        self._last_line(self._line(lines))
        self._rows.addWidget(self._body)
        self._name_letters()

    def _last_line(self, line: QHBoxLayout) -> None:
        """The keys that are the same on each layer."""
        look = self._look
        shift = self._key(line, "key.shift", Button(look, "key.shift", icon=Icon.SHIFT, bare=True), self._shift)
        shift.setCheckable(True)
        shift.setVisible(self._layer not in layouts.CASELESS and self._layer != SIGNS)
        for layer, key in ((ACCENTS, "key.accents"), (SIGNS, "key.signs")):
            if layer != self._layer:
                self._key(line, layer, Button(look, key), partial(self.show_layer, layer))
        to = self._next()
        if to is not None:
            name = to.upper() if len(self._languages) > 1 else "abc"
            self._key(line, to, Button(look, glyph=name), partial(self.show_layer, to))
        space = self._key(line, " ", Button(look, "key.space"), partial(self._type, " "))
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._key(line, "key.erase", Button(look, "key.erase", icon=Icon.ERASE, bare=True), self._field.backspace)
        self._key(line, "key.enter", Button(look, "key.enter", primary=True), self.entered.emit)

    def _next(self) -> str | None:
        """The language that the key leads to: back from accents and signs, else on; None if this is the only one."""
        if self._layer != self._language:
            return self._language
        at = self._languages.index(self._language) + 1
        return self._languages[at % len(self._languages)] if len(self._languages) > 1 else None

    def _letters(self) -> tuple[str, ...]:
        if self._layer == ACCENTS:
            return layouts.ACCENTS
        return layouts.SIGNS if self._layer == SIGNS else layouts.letters(self._layer)

    def _line(self, lines: QVBoxLayout) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(self._look.measures.gap)
        lines.addLayout(line, 1)
        return line

    def _key(
        self, line: QHBoxLayout, name: str, key: Button, act: Callable[[], object], narrow: bool = False
    ) -> Button:
        if narrow:
            # Eleven letters need 109 mm. On a narrower screen the keys are narrower than a finger, not cut off.
            key.setMinimumWidth(1)
            key.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        else:
            key.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        key.clicked.connect(lambda *_: act())
        line.addWidget(key)
        self.keys[name] = key
        return key

    def _type(self, letter: str) -> None:
        self._field.insert(layouts.capital(letter) if self._capitals and self._cased else letter)

    @property
    def _cased(self) -> bool:
        return self._layer not in layouts.CASELESS

    def _shift(self) -> None:
        self._capitals = not self._capitals
        self._name_letters()

    def _follow(self, text: str) -> None:
        """A name: a capital begins each word of it."""
        capitals = text == "" or text[-1] in " -'"
        if capitals != self._capitals:
            self._capitals = capitals
            self._name_letters()

    def _name_letters(self) -> None:
        self.keys["key.shift"].setChecked(self._capitals)
        for letter, key in self.keys.items():
            if len(letter) == 1 and letter != " ":
                key.setText(layouts.capital(letter) if self._capitals and self._cased else letter)
