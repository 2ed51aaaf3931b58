"""The door's events in the audit log: none is lost, none comes twice, the last word on a grant is the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from kiosk.domain.door_events import DoorEvent, DoorEventKind
from kiosk.domain.errors import GalleryError
from kiosk.domain.types import AuditRecord
from kiosk.service.door_audit import DoorAuditor

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def event(number: int, kind: DoorEventKind, grant_id: str | None = None) -> DoorEvent:
    return DoorEvent(number, f"id{number}", kind, "main", NOW, 12.3456, grant_id, "")


class Stream:
    """Stands for a door that offers again what was not acknowledged."""

    def __init__(self, *events: DoorEvent) -> None:
        self._events = list(events)
        self.acknowledged: list[int] = []

    def next(self, _timeout: float) -> DoorEvent | None:
        done = max(self.acknowledged, default=0)
        return next((e for e in self._events if e.sequence > done), None)

    def acknowledge(self, event: DoorEvent) -> None:
        self.acknowledged.append(event.sequence)

    def close(self) -> None: ...


class Log:
    """The port AuditTrail, which fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.records: list[AuditRecord] = []
        self._failures = failures

    def append(self, records: Sequence[AuditRecord]) -> None:
        if self._failures:
            self._failures -= 1
            raise GalleryError("the disk is full")
        self.records += records


def auditor(
    stream: Stream, log: Log, known: set[str] | None = None, under_way: list[str | None] | None = None
) -> DoorAuditor:
    waits = under_way or []
    return DoorAuditor(
        stream,  # type: ignore[arg-type]
        log,
        known or set(),
        lambda: waits[0] if waits else None,
        sleep=lambda _: waits.pop(0) if waits else None,  # type: ignore[arg-type, return-value]
    )


def test_an_event_is_recorded_and_then_acknowledged() -> None:
    stream, log = Stream(event(1, DoorEventKind.FORCED_OPEN), event(2, DoorEventKind.ACCESS_TAKEN, "g")), Log()
    follower = auditor(stream, log)
    for _ in range(3):
        follower.turn(0)
    assert stream.acknowledged == [1, 2]
    assert [(r.kind, r.outcome, r.grant_id) for r in log.records] == [
        ("door", "forced_open", None),
        ("outcome", "access_taken", "g"),
    ]
    assert log.records[0].detail == {"event": "id1", "sequence": 1, "door": "main", "at": 12.346}


def test_what_cannot_be_recorded_is_not_acknowledged() -> None:
    stream, log = Stream(event(1, DoorEventKind.FORCED_OPEN)), Log(failures=2)
    follower = auditor(stream, log)
    for _ in range(2):
        follower.turn(0)
    assert (stream.acknowledged, log.records) == ([], [])
    follower.turn(0)
    assert (stream.acknowledged, len(log.records)) == ([1], 1)


def test_what_is_recorded_already_is_only_acknowledged() -> None:
    stream, log = Stream(event(1, DoorEventKind.OPENED), event(2, DoorEventKind.CLOSED)), Log()
    follower = auditor(stream, log, known={"id1"})
    for _ in range(2):
        follower.turn(0)
    assert stream.acknowledged == [1, 2]
    assert [r.outcome for r in log.records] == ["closed"]


def test_the_kiosks_own_outcome_of_a_grant_comes_first() -> None:
    stream, log = Stream(event(1, DoorEventKind.ACCESS_TAKEN, "g")), Log()
    under_way: list[str | None] = ["g", "g", None]
    auditor(stream, log, under_way=under_way).turn(0)
    assert under_way == [None]
    assert len(log.records) == 1


def test_what_a_restarted_door_offers_again_is_not_recorded_twice() -> None:
    """It had not kept the acknowledgement."""
    stream, log = Stream(event(1, DoorEventKind.OPENED)), Log()
    follower = auditor(stream, log)
    follower.turn(0)
    stream.acknowledged.clear()
    follower.turn(0)
    assert (stream.acknowledged, len(log.records)) == ([1], 1)
