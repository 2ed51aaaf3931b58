"""Whatever fails between a decision and the disk: each record is in the log once, and no grant is without one."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from enum import Enum
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.errors import GalleryError
from kiosk.domain.updates import Decided, DoorAnswered
from kiosk.station.access import Access
from kiosk.station.door_audit import record_of
from kiosk.station.writer import Writer
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.storage.records import Row
from kiosk.storage.verification import verify
from tests.storage.conftest import NOON

PATIENCE = 0.05


class Fault(Enum):
    """Where it fails."""

    NONE = "works"
    BEFORE = "before anything"
    INSIDE = "after the records, before the commit"
    COMMIT = "the commit says that it failed"
    AFTER = "the commit worked, and what is checked after it fails"
    SLOW = "it works, when nobody waits any more"


class Doubtful(Audit):
    """The real log on a disk that fails as it is told to, once for each word."""

    def __init__(self, path: Path) -> None:
        self.store = open_database(path)
        super().__init__(self.store)
        self.faults: list[Fault] = []
        self.settled = threading.Event()

    def write(self, rows: Sequence[Row]) -> None:
        fault = self.faults.pop(0) if self.faults else Fault.NONE
        commit = self.store.conn.commit
        if fault is Fault.SLOW:
            self.settled.wait(30.0)
        if fault is Fault.BEFORE:
            raise GalleryError("the disk is full")
        if fault in {Fault.INSIDE, Fault.COMMIT}:
            self.store.commit = lambda: _fail(commit if fault is Fault.COMMIT else None)  # type: ignore[method-assign]
        try:
            super().write(rows)
        finally:
            self.store.commit = commit  # type: ignore[method-assign]
        if fault is Fault.AFTER:
            raise GalleryError("moved")


def _fail(commit: object) -> None:
    if callable(commit):
        commit()
    raise sqlite3.OperationalError("disk I/O error")


class OpenDoor:
    """Releases what it is asked to."""

    def __init__(self) -> None:
        self.grants: list[str] = []

    def ready(self) -> bool:
        return True

    def release(self, grant: Grant) -> DoorReply:
        self.grants.append(grant.id)
        return DoorReply(grant.id, DoorResult.RELEASED)


@settings(max_examples=25)
@given(
    people=st.lists(st.booleans(), min_size=1, max_size=6),
    faults=st.lists(st.sampled_from(Fault), max_size=8),
)
def test_every_record_is_there_once_whatever_fails(people: list[bool], faults: list[Fault]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.prepare()
        audit, door = Doubtful(home.database), OpenDoor()
        writer = Writer(audit, lambda: 0.0, PATIENCE)
        access = Access(writer, door, 1.5, lambda: 0.0)
        audit.faults = list(faults)
        writer.start()
        decisions: list[Decision] = []
        for number, granted in enumerate(people):
            audit.settled.clear()
            outcome = Outcome.GRANTED if granted else Outcome.REFUSED
            reason = Reason.MATCHED if granted else Reason.NOT_ENROLLED
            events = access.settle(Decision(f"d{number}", outcome, reason, None, Evidence(number, 0.0, NOON)))
            decisions += [e.decision for e in events if isinstance(e, Decided)]
            assert sum(isinstance(e, DoorAnswered) for e in events) == decisions[-1].granted
            audit.settled.set()
        audit.faults.clear()
        writer._timeout = 30.0
        access.settle(Decision("last", Outcome.REFUSED, Reason.NOT_ENROLLED, None, Evidence(9, 0.0, NOON)))
        writer.stop(30.0)
        with closing(Audit(open_database(home.database, read_only=True))) as log:
            records, stories = log.records(), log.stories()
            assert log.pending_grants() == []
            assert verify(log._store).faults == []
        rows = [(r.kind, r.grant_id) for r in records]
        assert len(rows) == len(set(rows))
        assert [s.decision.grant_id for s in stories] == [*(d.id for d in decisions), "last"]
        for decision, story in zip(decisions, stories[:-1], strict=True):
            said = story.outcome or story.decision
            assert said.outcome == ("released" if decision.granted else "refused")
            assert decision.granted or said.reason == decision.reason.value
        assert door.grants == [d.id for d in decisions if d.granted]


@settings(max_examples=25)
@given(faults=st.lists(st.sampled_from([f for f in Fault if f is not Fault.SLOW]), max_size=6))
def test_what_the_door_sends_again_is_there_once(faults: list[Fault]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.prepare()
        event = DoorEvent(7, "e7", DoorEventKind.FORCED_OPEN, "main", NOON, 1.0, None, "")
        with closing(Doubtful(home.database)) as audit:
            audit.faults = list(faults)
            acknowledged = False
            while not acknowledged or audit.faults:
                try:
                    audit.append([record_of(event)])
                    acknowledged = True
                except GalleryError:
                    continue
            assert [r.detail["event"] for r in audit.records()] == ["e7"]
