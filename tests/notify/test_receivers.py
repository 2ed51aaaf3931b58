"""The threads of kiosk-notify that put the events of door and kiosk into the outbox."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event as Flag

import pytest

from kiosk.domain.decision import Reason
from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.errors import OutboxError
from kiosk.domain.notices import KioskEvent, KioskEventKind, Notice
from kiosk.notify import receivers
from kiosk.notify.outbox import Place
from kiosk.notify.receivers import Receiver, from_door, from_kiosk
from kiosk.system.health import Health

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
PATIENCE = 60.0


def event(sequence: int, kind: DoorEventKind = DoorEventKind.OPENED) -> DoorEvent:
    return DoorEvent(sequence, f"e{sequence}", kind, "main", NOW, 0.0)


class Source:
    """A stream of events that the test feeds; what is not acknowledged comes again after `lose`."""

    def __init__(self, *events: DoorEvent) -> None:
        self.events = list(events)
        self.connected = True
        self.acknowledged: queue.Queue[int] = queue.Queue()
        self.history: list[int] = []

    def next(self, timeout: float) -> DoorEvent | None:
        if self.connected and self.events:
            return self.events.pop(0)
        threading.Event().wait(0.005)
        return None

    def acknowledge(self, event: DoorEvent) -> None:
        self.history.append(event.sequence)
        self.acknowledged.put(event.sequence)

    def close(self) -> None:
        pass


@pytest.fixture
def receive() -> Iterator[Callable[..., None]]:
    stop = Flag()
    receivers: list[Receiver] = []

    def start(source: Source, put: Callable[[Notice, Place | None], object]) -> None:
        receivers.append(Receiver("door", "main", source, from_door, put, Health(lambda: 0.0), stop))
        receivers[-1].start()

    yield start
    stop.set()
    for receiver in receivers:
        receiver.join(PATIENCE)


def test_an_event_is_acknowledged_once_it_is_kept_and_before_the_next(
    receive: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "DISK_SECONDS", 0.01)
    source = Source(event(1), event(2), event(3))
    kept: list[str] = []
    acknowledged_before: list[list[int]] = []
    full = [True] * 5

    def put(notice: Notice, _place: Place | None) -> None:
        if notice.id == "e2" and full:
            full.pop()
            raise OutboxError("the disk is full")
        kept.append(notice.id)
        acknowledged_before.append(list(source.history))

    receive(source, put)
    assert [source.acknowledged.get(timeout=PATIENCE) for _ in range(3)] == [1, 2, 3]
    assert kept[1:] == ["e1", "e2", "e3"], "after the news that the door is reached"
    assert acknowledged_before[1:] == [[], [1], [1, 2]], "nothing is acknowledged that is not on disk"


def test_a_source_that_is_lost_is_told_of_once(receive: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "LOST_SECONDS", 0.05)
    told: queue.Queue[Notice] = queue.Queue()
    source = Source()
    receive(source, lambda notice, _place: told.put(notice))
    assert told.get(timeout=PATIENCE).kind == "notify.door_reached"
    source.connected = False
    lost = told.get(timeout=PATIENCE)
    assert (lost.kind, lost.urgent, lost.door) == ("notify.door_lost", True, "main")
    source.events.append(event(1))
    source.connected = True
    assert [told.get(timeout=PATIENCE).kind for _ in range(2)] == ["notify.door_reached", "door.opened"]
    assert told.empty()


def test_a_name_of_the_kiosk_is_passed_on_only_where_names_are_wanted() -> None:
    told = KioskEvent("r", 7, "e", KioskEventKind.REFUSED, "main", NOW, "g", "s", "Ada", Reason.SUBJECT_DISABLED)
    for names in (False, True):
        notice, place = from_kiosk(told, names)
        assert notice.name == ("Ada" if names else None)
        assert (notice.kind, notice.grant_id, notice.subject_id, notice.reason) == (
            "kiosk.refused",
            "g",
            "s",
            "subject_disabled",
        )
        assert place == Place("kiosk", "r", 7)
