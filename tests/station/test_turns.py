"""A thread that takes turns, and closes what it turned."""

from __future__ import annotations

import queue
import threading

from kiosk.station.turns import turning
from kiosk.system.health import Health

PATIENCE = 30.0


def test_it_turns_and_beats_until_it_is_left_and_then_closes() -> None:
    health = Health(lambda: 0.0)
    turned: queue.SimpleQueue[str] = queue.SimpleQueue()
    told: list[str] = []
    with turning("clock", lambda: turned.put("turn"), lambda: told.append("closed"), health):
        assert [turned.get(timeout=PATIENCE) for _ in range(3)] == ["turn"] * 3
        assert "clock" in [thread.name for thread in threading.enumerate()]
        assert told == []
    assert told == ["closed"]
    assert "clock" not in [thread.name for thread in threading.enumerate()]


def test_one_that_hangs_is_missed() -> None:
    now = [0.0]
    health = Health(lambda: now[0])
    begun, go = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go.wait(PATIENCE)

    with turning("door", hang, lambda: None, health):
        assert begun.wait(PATIENCE)
        assert health.silent() == []
        now[0] += 3600.0
        assert health.silent() == ["door"]
        go.set()
