"""A lamp on the board (the kernel's leds class). It is on while a condition at the door calls for somebody to come."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kiosk.domain.errors import NotifierError
from kiosk.domain.notices import Notice
from kiosk.notifiers.conditions import Conditions, Present, alarmed


class LedNotifier:
    """Sets `brightness` (0 to `max_brightness`), with `trigger` none: https://docs.kernel.org/leds/leds-class.html."""

    class Options(BaseModel):
        """[notifiers.NAME] with kind = "led". The user kiosk-notify must be able to write the lamp's `brightness` and
        `trigger` (a udev rule), and the unit needs a drop-in (systemd/kiosk-notify.service)."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        led: Annotated[str, Field(pattern=r"^[^/\x00]+$")]
        """Name of the lamp in /sys/class/leds, for example "ACT"."""
        folder: Path = Path("/sys/class/leds")

    def __init__(self, options: Options) -> None:
        self._lamp = options.folder / options.led
        self._brightness = "1"
        self._conditions = Conditions()
        self._present: Present = self._conditions.now

    def knows(self, present: Present) -> None:
        """From now on asks kiosk-notify for the present conditions, because it keeps them across restarts."""
        self._present = present

    def check(self) -> None:
        """Sets the lamp to the present state. Raises NotifierError when there is no such lamp or this user may not
        switch it."""
        try:
            self._brightness = (self._lamp / "max_brightness").read_text(encoding="ascii").strip()
            (self._lamp / "trigger").write_text("none", encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise NotifierError(f"{self._lamp}: the lamp cannot be used: {error}") from error
        self._switch(on=alarmed(self._present()))

    def notify(self, notice: Notice) -> None:
        """Raises NotifierError when the lamp cannot be switched."""
        self._conditions.take(notice)
        self._switch(on=alarmed(self._present()))

    def close(self) -> None:
        """Never raises."""
        with suppress(NotifierError):
            self._switch(on=False)

    def _switch(self, on: bool) -> None:
        try:
            (self._lamp / "brightness").write_text(self._brightness if on else "0", encoding="ascii")
        except OSError as error:
            raise NotifierError(f"{self._lamp}: the lamp cannot be switched: {error}") from error
