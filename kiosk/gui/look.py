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
    languages: tuple[str, ...] = ()
    """All that are configured: names are typed in any of them."""
    low: bool = False
    """Whether what is touched is at the bottom of the screen, for people who sit ([screen] low)."""

    @property
    def keyboards(self) -> tuple[str, ...]:
        """The languages whose letters the on-screen keyboard has, the screen's own first."""
        own = self.texts.language
        return (own, *(language for language in self.languages if language != own))
