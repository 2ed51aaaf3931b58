"""`kiosk bench --gui`: what the window costs, and how long a face waits for its decision beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kiosk.cli.console import emit, say
from kiosk.domain.entry import Means, Ways
from kiosk.domain.face import Frame
from kiosk.evaluation.benchmarks import gui
from kiosk.evaluation.benchmarks.gui import Publish, Show
from kiosk.gui.app import create_application
from kiosk.gui.setting import Setting
from kiosk.screen import ScreenConfig
from kiosk.station.pipeline import Pipeline

T = TypeVar("T")


def beside_window(screen: ScreenConfig, work: Callable[[Show, Publish], T]) -> T:
    """Runs `work` in a thread, while the window is drawn offscreen in this one. Raises what it raises."""
    application = create_application(sys.argv[:1], offscreen=True)
    from kiosk.gui.bridge import Bridge  # noqa: PLC0415 - loads Qt
    from kiosk.gui.window import KioskWindow  # noqa: PLC0415

    bridge = Bridge()
    setting = Setting(screen.model_copy(update={"sounds": False}), Ways(frozenset(Means), pin=True), visitors=True)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work, bridge.show_frame, bridge.publish)

        def look() -> None:
            if done.done():
                window.stop()
                application.quit()

        window = KioskWindow(bridge, lambda _: "Ada Example", setting, beat=look)
        window.show()
        application.exec()
        bridge.close()
        window.close()
        return done.result()


def measure(
    way: Pipeline, source: Iterator[Frame], blocks: int, visits: int, screen: ScreenConfig, quiet: bool
) -> bool:
    """Prints both measurements; whether both are within their limits."""
    rate = beside_window(screen, lambda show, publish: gui.rates(way, source, blocks, show, publish))
    if not quiet:
        say(
            f"{rate.without:.1f} frames a second without the window, {rate.beside:.1f} with it: {rate.ratio:.3f} of it "
            f"(at least {1 - gui.MOST_LOSS:.2f})"
        )
    late = beside_window(screen, lambda show, publish: gui.delays(visits, show, publish))
    if not quiet:
        say(
            f"{late.p50:.2f} s (p50), {late.p95:.2f} s (p95) from a face in the guide to the decision, {visits} visits "
            f"at {gui.RATE:g} frames a second (at most {gui.MOST_P50:g} and {gui.MOST_P95:g}); {late.missed} missed"
        )
    emit(
        {
            "without_fps": round(rate.without, 2),
            "with_fps": round(rate.beside, 2),
            "ratio": round(rate.ratio, 4),
            "visits": visits,
            "missed": late.missed,
            "decision": {"p50_s": round(late.p50, 3), "p95_s": round(late.p95, 3)},
            "good": rate.good and late.good,
        }
    )
    return rate.good and late.good
