"""Threads of the kiosk that do regular work beside the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread

from kiosk.system.health import Health


@contextmanager
def turning(
    name: str, turn: Callable[[], None], close: Callable[[], None], health: Health | None = None
) -> Iterator[None]:
    """Runs a thread that calls `turn` (about half a second each) until the kiosk stops, and then calls `close`. Without
    `health` the watchdog does not watch it."""
    stop = Flag()

    def loop() -> None:
        while not stop.is_set():
            if health is not None:
                health.beat(name)
            turn()
        close()

    thread = Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(2.0)
