"""`kiosk bench --idle`: what the kiosk takes before an empty room, by thread."""

from __future__ import annotations

import os
import time
from threading import Thread

import pytest

from kiosk.evaluation.benchmarks import idle
from kiosk.evaluation.benchmarks.idle import Idle
from kiosk.sections import ModelsConfig
from kiosk.system.health import Health


def test_what_a_thread_uses_is_counted_under_its_name() -> None:
    def work() -> None:
        Health(time.monotonic).beat("hard-worker")
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass
        told.append(idle._used(os.getpid()))

    told: list[dict[str, float]] = []
    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert 0.1 <= told[0]["hard-worker"] <= 0.4


def test_the_share_is_of_all_threads() -> None:
    assert Idle({"pipeline": 0.04, "camera": 0.01}).share == pytest.approx(0.05)


@pytest.mark.prove
@pytest.mark.parametrize("window", [False, pytest.param(True, marks=pytest.mark.qt)])
def test_a_real_kiosk_is_measured_by_thread(window: bool) -> None:
    """How much it takes is for `kiosk bench --idle` to judge, which ends with 1 where it is too much."""
    found = idle.measure(ModelsConfig(), window=window, seconds=5.0)
    assert set(found.threads) >= {"pipeline", "camera"}
    assert 0 < found.share < 2
