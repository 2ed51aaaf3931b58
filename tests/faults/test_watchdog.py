"""systemd's watchdog is fed only while every thread of the kiosk turns: each is hung in turn, where it says that it is
alive, and the watchdog gets nothing until it goes on.

The threads are the real ones; time for the watchdog is the test's own, so that nothing waits for it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Condition, Event
from types import SimpleNamespace

import pytest

from kiosk.config import Config
from kiosk.station import assembly
from kiosk.station.writer import Writer
from kiosk.system.health import MAX_SILENCE, Health

from .test_faults import Bench, bench, enrolled, models, run

__all__ = ["bench", "enrolled", "models"]

PATIENCE = 60.0
ALL = {
    "attempts",
    "badge-reader",
    "camera",
    "checkpoints",
    "clock",
    "database-writer",
    "door",
    "door-events",
    "pipeline",
    "reception",
    "witness",
}
"""Those that ARCHITECTURE.md says beat; the main thread is the one that asks."""


class World:
    """The watchdog's clock, and a gate at which a thread can be stopped."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._now = 0.0
        self._hung: str | None = None
        self.beaten: dict[str, float] = {}

    def clock(self) -> float:
        return self._now

    def passed(self, name: str, beat: Callable[[], None]) -> None:
        """A thread says that it is alive, or hangs."""
        with self._changed:
            self._changed.wait_for(lambda: self._hung != name)
            beat()
            self.beaten[name] = self._now
            self._changed.notify_all()

    def hang(self, name: str | None) -> None:
        with self._changed:
            self._hung = name
            self._changed.notify_all()

    def later(self, but: str | None = None) -> None:
        """Time goes by, and all but one have beaten since."""
        with self._changed:
            self._now += MAX_SILENCE + 1
            names = [name for name in self.beaten if name != but]
            assert self._changed.wait_for(lambda: all(self.beaten[n] == self._now for n in names), PATIENCE), names

    def until_all(self, names: set[str]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: names <= set(self.beaten), PATIENCE), names - set(self.beaten)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    class Watched(Health):
        def __init__(self, _clock: Callable[[], float]) -> None:
            super().__init__(world.clock)

        def beat(self, name: str) -> None:
            world.passed(name, partial(super().beat, name))

    class WatchedWriter(Writer):
        @property
        def _beat(self) -> float:
            return self.__dict__.get("at", 0.0)

        @_beat.setter
        def _beat(self, now: float) -> None:
            def turned() -> None:
                self.__dict__["at"] = world.clock()

            if "at" in self.__dict__:
                world.passed("database-writer", turned)
            else:
                turned()

    monkeypatch.setattr(assembly, "Health", Watched)
    monkeypatch.setattr(assembly, "Writer", WatchedWriter)
    monkeypatch.setattr(assembly, "time", SimpleNamespace(monotonic=world.clock))
    return world


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[bytes]]]:
    """What systemd was told since it was looked at last."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))

        def told() -> list[bytes]:
            said = []
            while True:
                try:
                    said.append(receiver.recv(256))
                except BlockingIOError:
                    return said

        yield told


def with_everything(config: Config) -> Config:
    """All threads that a configuration can ask for."""
    entry = config.entry.model_copy(update={"number": True, "card_reader": "0000:0000"})
    policy = config.policy.model_copy(update={"refusals_an_hour": 100})
    return config.model_copy(update={"entry": entry, "policy": policy})


@pytest.mark.prove
def test_each_thread_that_hangs_starves_the_watchdog(
    bench: Bench, world: World, systemd: Callable[[], list[bytes]]
) -> None:
    bench.config = with_everything(bench.config)
    with run(bench) as kiosk:
        world.until_all(ALL)
        assert set(world.beaten) == ALL, "a thread that beats is not in this list"
        world.later()
        assert assembly.feed_watchdog(kiosk) == []
        assert systemd() == [b"WATCHDOG=1"]
        for name in sorted(ALL):
            world.hang(name)
            world.later(but=name)
            fed = assembly.feed_watchdog(kiosk), systemd()
            world.hang(None)
            assert fed == ([name], []), name
            world.later()
            assert assembly.feed_watchdog(kiosk) == []
            assert systemd() == [b"WATCHDOG=1"]


@pytest.mark.prove
def test_a_camera_that_hangs_before_its_first_picture_starves_it_too(
    bench: Bench, world: World, systemd: Callable[[], list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, inside = Event(), Event()
    opened = bench.camera.open

    def hang() -> None:
        inside.set()
        release.wait(PATIENCE)
        opened()

    monkeypatch.setattr(bench.camera, "open", hang)
    with run(bench) as kiosk:
        assert inside.wait(PATIENCE)
        world.until_all({"pipeline", "camera"})
        world.later(but="camera")
        assert assembly.feed_watchdog(kiosk) == ["camera"]
        assert systemd() == []
        release.set()
