"""Beats of threads, and what the kernel calls them."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread, get_native_id

from kiosk.system.health import Health


def name_of_this_thread() -> str:
    return Path(f"/proc/self/task/{get_native_id()}/comm").read_text().strip()


def test_the_kernel_knows_a_thread_by_the_name_that_it_beats_under() -> None:
    names: list[str] = []
    health = Health(time.monotonic)

    def beat() -> None:
        for _ in range(2):
            health.beat("door-events-and-more")
            names.append(name_of_this_thread())

    thread = Thread(target=beat)
    thread.start()
    thread.join()
    assert names == ["door-events-and"] * 2, "the kernel keeps 15 letters"


def test_the_main_thread_keeps_the_programs_name() -> None:
    before = name_of_this_thread()
    Health(time.monotonic).beat("main")
    assert name_of_this_thread() == before
