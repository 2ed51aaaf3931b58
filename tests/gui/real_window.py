"""A full-screen window on a real platform, for test_display.py: says on standard output what is asked of it. It ends
when standard input does."""

from __future__ import annotations

import sys
import threading

from kiosk.domain.entry import EntryRequest, Means, Step, Ways
from kiosk.domain.updates import EntryChanged, Waiting
from kiosk.gui.app import create_application
from kiosk.gui.setting import Setting
from kiosk.screen import ScreenConfig


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main() -> None:
    application = create_application(["kiosk"], offscreen=False)
    from kiosk.gui.bridge import Bridge
    from kiosk.gui.window import KioskWindow

    bridge = Bridge()
    asked: list[EntryRequest] = []

    def ask(request: EntryRequest) -> None:
        asked.append(request)
        say("asked", type(request).__name__)
        if type(request).__name__ == "Claimed":
            bridge.publish(EntryChanged(Step.PIN))

    ended = threading.Event()

    def beat() -> None:
        state = f"{window.screen_state.mode} {window.isVisible()}" if told else "start"
        if told[-1:] != [state]:
            told.append(state)
            if state != "start" and window.isVisible():
                said_places(state)
        if ended.is_set():
            window.stop()
            application.quit()

    def said_places(state: str) -> None:
        bar = window._visitor.bar
        places = {name: key.mapToGlobal(key.rect().center()) for name, key in bar.keys.items() if key.isVisible()}
        say("state", state, *(f"{name}={point.x()},{point.y()}" for name, point in places.items()))

    told: list[str] = []
    config = ScreenConfig(languages=("en", "de"), sounds=False)
    window = KioskWindow(
        bridge,
        lambda _: None,
        Setting(config, Ways(frozenset({Means.NUMBER}), pin=True)),
        ask=ask,
        on_staff=lambda: say("staff"),
        beat=beat,
    )
    told.append("start")
    window.show_full_screen()
    bridge.publish(Waiting(1))
    say("platform", application.platformName(), f"{window.screen().size().width()}x{window.screen().size().height()}")
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    application.exec()
    say("size", f"{window.width()}x{window.height()}")
    window.close()


if __name__ == "__main__":
    main()
