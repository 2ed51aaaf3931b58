"""The threads of kiosk-notify: one for each source into the outbox, one for each notifier out of it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from kiosk.domain.errors import NoticeRefusedError, NotifierError
from kiosk.domain.notices import DROPPED, SILENT, Notice
from kiosk.notify.outbox import Outbox
from kiosk.notify.workers import Worker

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
PATIENCE = 60.0


def notice(number: int) -> Notice:
    return Notice(f"n{number}", "door.opened", "main", NOW)


class Recorder:
    """A notifier that does as it is told: `fails` has one entry for each try, None to succeed."""

    def __init__(self, *fails: Exception | None) -> None:
        self.told: queue.Queue[Notice] = queue.Queue()
        self.tries: list[str] = []
        self.closed = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        self._fails = list(fails)

    def check(self) -> None:
        pass

    def notify(self, notice: Notice) -> None:
        self.tries.append(notice.id)
        self.hold.wait(PATIENCE)
        failure = self._fails.pop(0) if self._fails else None
        if failure is not None:
            raise failure
        self.told.put(notice)

    def close(self) -> None:
        self.closed.set()

    def next(self) -> Notice:
        return self.told.get(timeout=PATIENCE)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", "main", 10, {"a": False, "b": False})
    made.forget_removed_notifiers()
    yield made
    made.close()


@pytest.fixture
def work(outbox: Outbox) -> Iterator[Callable[..., Worker]]:
    """Starts workers, and stops them before the outbox is closed."""
    workers: list[Worker] = []

    def start(name: str, recorder: Recorder) -> Worker:
        workers.append(Worker(name, recorder, outbox, retry_seconds=0.01))
        workers[-1].start()
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()
        worker.join(PATIENCE)


def test_notices_are_delivered_in_order_also_after_failures(outbox: Outbox, work: Callable[..., Worker]) -> None:
    surprise = ValueError("somebody else's mistake")
    recorder = Recorder(NotifierError("away"), NotifierError("away"), None, surprise, None)
    for n in range(4):
        outbox.put(notice(n))
    worker = work("a", recorder)
    assert [recorder.next().id for _ in range(4)] == ["n0", "n1", "n2", "n3"]
    assert recorder.tries == ["n0", "n0", "n0", "n1", "n1", "n2", "n3"]
    outbox.put(notice(4))
    worker.wake()
    assert recorder.next() == notice(4)


def test_what_is_refused_is_not_tried_again_and_counted(outbox: Outbox, work: Callable[..., Worker]) -> None:
    recorder = Recorder(NoticeRefusedError("never"))
    outbox.put(notice(0))
    outbox.put(notice(1))
    work("a", recorder)
    counted = recorder.next()
    assert (counted.kind, counted.count, counted.reason) == (DROPPED, 1, "refused")
    assert recorder.next() == notice(1)


def test_a_notifiers_trouble_is_stored_while_it_lasts(outbox: Outbox, work: Callable[..., Worker]) -> None:
    recorder = Recorder(NotifierError("nobody answers"))
    outbox.put(notice(0))
    outbox.put(notice(1))
    recorder.hold.clear()
    troubles: queue.Queue[str] = queue.Queue()
    tell = outbox.trouble

    def trouble(name: str, message: str) -> None:
        tell(name, message)
        troubles.put(message)

    outbox.trouble = trouble  # type: ignore[method-assign]
    work("a", recorder)
    recorder.hold.set()
    assert troubles.get(timeout=PATIENCE) == "nobody answers"
    assert troubles.get(timeout=PATIENCE) == ""
    assert outbox.standing()["a"].trouble == ""


def test_a_notifier_that_hangs_delays_no_other(outbox: Outbox, work: Callable[..., Worker]) -> None:
    hanging, other = Recorder(), Recorder()
    hanging.hold.clear()
    workers = [work("a", hanging), work("b", other)]
    for n in range(3):
        outbox.put(notice(n))
        for worker in workers:
            worker.wake()
    assert [other.next().id for _ in range(3)] == ["n0", "n1", "n2"]
    hanging.hold.set()
    assert [hanging.next().id for _ in range(3)] == ["n0", "n1", "n2"]


def test_stopped_it_begins_nothing_more_and_gives_its_notifier_back(
    outbox: Outbox, work: Callable[..., Worker]
) -> None:
    recorder = Recorder(*[NotifierError("away")] * 10_000)
    outbox.put(notice(0))
    worker = work("a", recorder)
    worker.stop()
    assert recorder.closed.wait(PATIENCE)
    assert outbox.standing()["a"].waiting == 1


@pytest.mark.parametrize(("remote", "told"), [(True, ["n1", "n2"]), (False, ["n2"]), ("yes", ["n2"])])
def test_what_must_be_silent_at_the_door_reaches_notifiers_elsewhere_only(
    remote: object, told: list[str], outbox: Outbox, work: Callable[..., Worker]
) -> None:
    recorder = Recorder()
    recorder.remote = remote  # type: ignore[attr-defined]
    (silent,) = SILENT
    outbox.put(replace(notice(1), kind=silent, urgent=True), None)
    outbox.put(notice(2), None)
    work("a", recorder)
    assert [recorder.next().id for _ in told] == told


def test_of_the_built_in_notifiers_those_with_a_network_are_elsewhere() -> None:
    kinds = {point.name: point.load() for point in entry_points(group="kiosk.notifiers")}
    assert {name for name, made in kinds.items() if getattr(made, "remote", False)} == {"mqtt", "webhook"}
