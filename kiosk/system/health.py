"""Heartbeats of the threads. The systemd watchdog is fed only while all of them beat."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, current_thread, get_native_id, main_thread

MAX_SILENCE = 8.0
"""Longest time without a beat, in seconds: longer than any normal wait of a loop, shorter than the unit's
WatchdogSec."""


class Health:
    """The time of each thread's last beat. A thread registers with its first beat."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._beats: dict[str, float] = {}

    def beat(self, name: str) -> None:
        """Notes that thread `name` is alive now."""
        with self._lock:
            if name not in self._beats:
                _show_name(name)
            self._beats[name] = self._clock()

    def leave(self, name: str) -> None:
        """Notes that thread `name` ended normally."""
        with self._lock:
            self._beats.pop(name, None)

    def silent(self) -> list[str]:
        """Threads that have not beaten for MAX_SILENCE."""
        now = self._clock()
        with self._lock:
            return sorted(name for name, at in self._beats.items() if now - at > MAX_SILENCE)


def _show_name(name: str) -> None:
    """Gives the thread its name in the kernel (`top -H`, `kiosk bench --idle`). The main thread keeps the program's
    name."""
    if current_thread() is not main_thread():
        with suppress(OSError):
            Path(f"/proc/self/task/{get_native_id()}/comm").write_text(name, encoding="ascii")
