"""What every part of the window is given so that it looks right: the texts of the language, and the sizes. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.gui.catalogue import Texts
from kiosk.gui.sizes import Measures


@dataclass(frozen=True, slots=True)
class Look:
    """Language and sizes. When one of them changes, the parts are made anew."""

    texts: Texts
    measures: Measures
