"""What a window is told once, at its start. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field

from kiosk.domain.entry import Ways
from kiosk.gui.catalogue import Texts, texts
from kiosk.screen import ScreenConfig


@dataclass(frozen=True, slots=True)
class Setting:
    """Screen and door. `guide`: share of the frame in which a face's centre counts ([quality] guide). `visitors`,
    `lock`: whether these are simulated, which a banner says."""

    screen: ScreenConfig = field(default_factory=ScreenConfig)
    ways: Ways = field(default_factory=Ways)
    guide: float = 0.8
    visitors: bool = False
    lock: bool = False
    staff: str = ""
    """Number and PIN of a member of the demonstration's staff, for its banner."""

    def languages(self) -> tuple[Texts, ...]:
        """The texts of each configured language, in their order. Raises ConfigError if there are none in one."""
        return tuple(texts(language) for language in self.screen.languages)
