"""Takes the README's pictures of the window from the demonstration: idle, granted, refused.

usage: .venv/bin/python deploy/pictures/take.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

from kiosk.demonstration import stage
from kiosk.demonstration.story import VISITORS
from kiosk.domain.decision import Reason
from kiosk.domain.updates import Decided, Update
from kiosk.gui.app import create_application, screenshot
from kiosk.gui.setting import Setting
from kiosk.gui.state import Mode
from kiosk.station import assembly
from kiosk.station.names import Names
from kiosk.storage.gallery import open_gallery

HERE = Path(__file__).resolve().parent
WANTED = (Mode.IDLE, Mode.CHECKING, Mode.GRANTED, Mode.REFUSED)
SETTLED = 8
"""Ticks of 100 ms that a screen has stood when its picture is taken."""


def main(folder: Path) -> None:
    """Plays the story until each picture is there. Ends with status 1 if the window greets somebody without the name:
    then it is not what a user sees."""
    application = create_application(["take"], offscreen=True)
    from kiosk.gui.bridge import Bridge  # noqa: PLC0415 - Qt is loaded by create_application
    from kiosk.gui.window import KioskWindow  # noqa: PLC0415

    names, bridge = Names(), Bridge()
    taken: set[Mode] = set()
    ticks: dict[Mode, int] = {}

    reasons: list[Reason] = []
    nameless: list[str] = []

    def publish(event: Update) -> None:
        if isinstance(event, Decided):
            reasons.append(event.decision.reason)
        bridge.publish(event)

    def beat() -> None:
        mode = window.screen_state.mode
        ticks[mode] = ticks.get(mode, 0) + 1
        for other in set(ticks) - {mode}:
            del ticks[other]
        due = SETTLED if mode is not Mode.CHECKING else 1
        right = mode is not Mode.REFUSED or reasons[-1:] == [Reason.NOT_ENROLLED]
        if mode is Mode.GRANTED and not any(v.name in window.screen_state.headline for v in VISITORS):
            nameless.append(window.screen_state.headline)
            application.quit()
        if right and mode in WANTED and mode not in taken and ticks[mode] >= due:
            taken.add(mode)
            screenshot(window, folder / f"{mode.value}.png")
        if taken >= set(WANTED) or kiosk.finished.is_set():
            application.quit()

    with stage.stage() as (config, home):
        names.open(open_gallery(home, read_only=True))
        camera = stage.camera(loop=True)
        with assembly.running(config, home, publish, bridge.show_frame, camera) as kiosk:
            window = KioskWindow(bridge, names, Setting(visitors=True, lock=True))
            window.resize(1024, 600)
            window.show()
            window._timer.timeout.connect(beat)
            application.exec()
            bridge.close()
            window.stop()
            window.close()
        names.close()
    if nameless:
        sys.exit(f"take.py: the window says {nameless[0]!r}, without a name")
    print("taken:", ", ".join(sorted(taken)))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
