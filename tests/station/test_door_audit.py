"""The door's events in the audit log: none is lost, none is stored twice, and the outcomes of a grant are in order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.errors import GalleryError
from kiosk.domain.updates import DoorLeftOpen, Unexplained
from kiosk.station.door_audit import DoorAuditor
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database

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


def test_a_door_that_is_left_open_is_told_until_it_is_closed_and_once() -> None:
    kinds = [DoorEventKind.OPENED, DoorEventKind.HELD_OPEN_SOON, DoorEventKind.HELD_OPEN, DoorEventKind.CLOSED]
    stream, log = Stream(*(event(number, kind) for number, kind in enumerate(kinds, 1))), Log(failures=1)
    told: list[Unexplained | DoorLeftOpen] = []
    follower = DoorAuditor(
        stream,  # type: ignore[arg-type]
        log,
        {"id2"},
        lambda: None,
        sleep=lambda _: None,
        publish=told.append,
    )
    for _ in range(6):
        follower.turn(0)
    assert told == [DoorLeftOpen(True), DoorLeftOpen(False)]


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


def unexplained(stream: Stream, log: Log, foreseen: list[bool], slept: list[float] | None = None) -> list[Unexplained]:
    """Turns until all is acknowledged; `foreseen` are the answers of the log, the last one for good. The clock begins
    at the time of the events, and moves by what is slept."""
    told: list[Unexplained] = []
    slept = [] if slept is None else slept
    follower = DoorAuditor(
        stream,  # type: ignore[arg-type]
        log,
        set(),
        lambda: None,
        sleep=slept.append,
        clock=lambda: 12.3456 + sum(slept),
        foreseen=lambda _: foreseen.pop(0) if len(foreseen) > 1 else foreseen[0],
        publish=lambda update: told.append(update) if isinstance(update, Unexplained) else None,
    )
    while follower._stream.next(0) is not None:
        follower.turn(0)
    return told


@pytest.mark.parametrize("kind", [DoorEventKind.RELEASED, DoorEventKind.PRESENTED])
def test_a_release_without_a_decision_is_recorded_and_told(kind: DoorEventKind) -> None:
    log = Log(failures=2)
    released = replace(event(1, kind, "g"), uid=1001)
    assert unexplained(Stream(released), log, [False]) == [Unexplained("g", 1001)]
    assert [(r.kind, r.outcome, r.reason, r.grant_id) for r in log.records] == [
        ("door", kind.value, None, "g"),
        ("fault", None, "release_without_decision", "g"),
    ]
    assert log.records[1].detail["uid"] == 1001
    assert log.records[0].record_id != log.records[1].record_id


def test_what_stands_behind_a_release_may_come_a_moment_later() -> None:
    log = Log()
    events = Stream(event(1, DoorEventKind.RELEASED, "g"), event(2, DoorEventKind.SECURED))
    assert unexplained(events, log, [False, False, True]) == []
    assert [r.kind for r in log.records] == ["door", "door"]


def test_a_real_log_knows_what_stands_behind_a_grant(tmp_path: Path) -> None:
    with closing(Audit(open_database(tmp_path / "gallery.db"))) as log:
        log.append(
            [
                AuditRecord(AuditKind.DECISION, NOW, grant_id="granted", outcome="granted"),
                AuditRecord(AuditKind.DECISION, NOW, grant_id="refused", outcome="refused"),
                AuditRecord(AuditKind.COMMAND, NOW, grant_id="by hand", reason="release"),
                AuditRecord(AuditKind.DOOR, NOW, grant_id="only the door", outcome="released"),
            ]
        )
        known = [name for name in ("granted", "refused", "by hand", "only the door", "none") if log.foresees(name)]
    assert known == ["granted", "by hand"]


def test_many_releases_without_a_decision_do_not_hold_up_what_comes_behind_them() -> None:
    log, slept = Log(), list[float]()
    events = [event(n, DoorEventKind.RELEASED, f"g{n}") for n in range(1, 101)]
    stream = Stream(*events, event(101, DoorEventKind.FORCED_OPEN))
    assert len(unexplained(stream, log, [False], slept)) == 100
    assert log.records[-1].outcome == "forced_open"
    assert sum(slept) < 2
