"""Face alone is off after too many refusals: what the log remembers, over restarts of the kiosk and the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.decision import Comparison, Decision, Evidence, Outcome, Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.ids import new_id
from kiosk.domain.refusals import HOUR, FaceAlone
from kiosk.domain.updates import Faulted, Recovered, Update
from kiosk.station.access import decision_record
from kiosk.station.refusal_limit import RefusalLimit, keep_limit, remembered
from kiosk.storage.audit import Audit
from kiosk.storage.database import in_memory
from kiosk.system import clock
from kiosk.system.clock import boot_name

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HERE, BEFORE, LONG_AGO = "0000here", "00before", "000longa"


def decision(
    at: float, boot: str | None = HERE, reason: Reason = Reason.NOT_ENROLLED, compared: bool = False
) -> AuditRecord:
    outcome = Outcome.GRANTED if reason is Reason.MATCHED else Outcome.REFUSED
    comparison = Comparison(None, 0.1, 0.4, "m-1") if compared else None
    made = Decision(new_id(), outcome, reason, None, Evidence(1, at, NOON, comparison=comparison))
    return decision_record(made, boot)


def reset() -> AuditRecord:
    return AuditRecord(AuditKind.ATTEMPTS, NOON, reason=AuditReason.RESET)


def times(*records: AuditRecord, most: int = 10, now: float = 5000.0) -> list[float]:
    """Of records in the order of the log."""
    return remembered(reversed(records), most, HERE, now)


@pytest.fixture
def audit() -> Iterator[Audit]:
    with closing(Audit(in_memory())) as made:
        yield made


def test_refusals_of_people_since_the_last_reset_count() -> None:
    log = [
        decision(100.0),
        reset(),
        decision(200.0),
        decision(300.0, reason=Reason.PAD_FAULT),
        decision(400.0, reason=Reason.MATCHED),
        decision(500.0, reason=Reason.PRESENTATION_ATTACK),
        AuditRecord(AuditKind.ATTEMPTS, NOON, reason="face_off"),
        AuditRecord(AuditKind.FAULT, NOON, reason="camera_unavailable"),
    ]
    assert times(*log) == [200.0, 500.0]
    assert times(*log, most=1) == [500.0]
    assert times() == []


def test_a_poor_picture_counts_where_something_was_compared_before_it() -> None:
    poor = Reason.POOR_QUALITY
    assert times(decision(100.0, reason=poor), decision(200.0, reason=poor, compared=True)) == [200.0]


def test_a_log_of_an_earlier_version_is_not_read_to_its_end() -> None:
    def log() -> Iterator[AuditRecord]:
        yield decision(100.0)
        yield decision(50.0, boot=None)
        raise AssertionError("nothing older can count")

    assert remembered(log(), 10, HERE, 5000.0) == [100.0]


def test_a_restart_of_the_machine_is_no_time_at_all() -> None:
    """The last decision of an earlier start lies at the beginning of the next."""
    log = [
        decision(70_000.0, LONG_AGO),
        decision(70_100.0, LONG_AGO, Reason.MATCHED),
        decision(90_000.0, BEFORE),
        decision(90_250.0, BEFORE),
        decision(20.0),
    ]
    assert times(*log, now=30.0) == [-90_000.0 + 89_750.0, 0.0, 20.0], "of long ago: a day, while BEFORE ran"
    assert times(decision(70_000.0, LONG_AGO), decision(10.0, BEFORE), decision(20.0), now=30.0) == [-10.0, 0.0, 20.0]


def test_a_time_that_has_not_come_is_now() -> None:
    assert times(decision(9000.0), now=5000.0) == [5000.0]


def test_records_of_an_older_program_do_not_tell() -> None:
    assert times(decision(4990.0, boot=None), decision(4999.0)) == [4999.0]


def test_no_more_is_read_than_matters() -> None:
    def read() -> Iterator[AuditRecord]:
        yield decision(9000.0, reason=Reason.MATCHED)
        yield decision(9000.0 - 2 * HOUR - 1)
        raise AssertionError("nobody needs this one")

    assert remembered(read(), 10, HERE, 9000.0) == []


@given(st.lists(st.tuples(st.floats(0.0, 3000.0), st.booleans(), st.booleans()), max_size=25), st.integers(1, 5))
def test_over_any_restarts_nothing_ends_before_an_hour_of_the_machines_time(
    story: Sequence[tuple[float, bool, bool]], limit: int
) -> None:
    """Each step: some time runs, the machine may restart, somebody may come. Seen by a clock that never restarts, face
    alone is off for an hour at least after the refusal that was too many; and within an hour of this clock no more
    than the limit are refused."""
    true, since_boot, boot = 0.0, 0.0, 0
    log: list[AuditRecord] = []
    refused: list[float] = []
    for step, restarts, comes in story:
        true, since_boot = true + step, since_boot + step
        if restarts:
            boot, since_boot = boot + 1, 0.0
        alone = FaceAlone(limit, remembered(reversed(log), limit, f"{boot:08}", since_boot))
        full = [t for i, t in enumerate(refused) if i + 1 >= limit and t - refused[i + 1 - limit] < HOUR]
        if any(true < t + HOUR - 0.001 for t in full):
            assert alone.off(since_boot)
        if comes and not alone.off(since_boot):
            refused.append(true)
            log.append(decision(since_boot, f"{boot:08}"))
            assert sum(true - t < HOUR - 0.001 for t in refused) <= limit


class World:
    """A clock that nobody sets, a log, and who reads it."""

    def __init__(self, audit: Audit, limit: int = 2) -> None:
        self.now = 1000.0
        self.audit = audit
        self.limit = limit
        self.kiosk = self.start()

    def start(self) -> RefusalLimit:
        """A kiosk that was started again."""
        self.kiosk = RefusalLimit(self.limit, self.audit, HERE, lambda: self.now)
        return self.kiosk

    def refuse(self) -> None:
        """As the pipeline does it, and then the record."""
        self.kiosk.refused(Reason.NOT_ENROLLED, self.now)
        self.audit.append([decision(self.now)])

    def turn(self) -> list[str]:
        return [f"{type(e).__name__} {e.reason}" for e in self.kiosk.turn() if isinstance(e, Faulted | Recovered)]


def test_it_is_off_at_once_told_with_the_next_turn_and_on_after_an_hour(audit: Audit) -> None:
    world = World(audit)
    world.refuse()
    assert world.turn() == []
    world.now += 10
    world.refuse()
    assert world.kiosk.off(world.now), "before any turn"
    assert world.turn() == ["Faulted face_off"]
    assert world.turn() == []
    world.now += HOUR - 1
    assert world.kiosk.off(world.now)
    assert world.turn() == []
    world.now += 1
    assert not world.kiosk.off(world.now)
    assert world.turn() == ["Recovered face_off"]


def test_a_kiosk_that_was_started_again_goes_on_where_it_was_and_tells_it(audit: Audit) -> None:
    world = World(audit)
    world.refuse()
    world.start()
    world.now += 10
    world.refuse()
    world.now += 1800
    world.start()
    assert world.kiosk.off(world.now)
    assert world.turn() == ["Faulted face_off"]
    world.now += 1800
    assert not world.kiosk.off(world.now)
    assert world.turn() == ["Recovered face_off"]


def test_a_reset_is_heard_of_by_who_runs_and_by_who_is_started(audit: Audit) -> None:
    world = World(audit)
    world.refuse()
    world.refuse()
    assert world.turn() == ["Faulted face_off"]
    audit.append([reset(), AuditRecord(AuditKind.STOP, NOON)])
    assert world.kiosk.off(world.now), "until it looks"
    assert world.turn() == ["Recovered face_off"]
    assert not world.kiosk.off(world.now)
    world.start()
    assert not world.kiosk.off(world.now)
    world.refuse()
    assert world.turn() == [], "what was before the reset no longer counts"
    world.refuse()
    assert world.turn() == ["Faulted face_off"], "and an old reset is not heard of again"


def test_a_log_that_cannot_be_read_resets_nothing(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(audit)
    world.refuse()
    world.refuse()
    audit.append([reset()])

    def fail(_seen: int) -> tuple[int, bool]:
        raise GalleryError("the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "reset_since", fail)
        assert world.turn() == ["Faulted face_off"]
    assert world.turn() == ["Recovered face_off"], "heard of as soon as it can be"


@pytest.mark.parametrize("fails", [False, True])
def test_what_changes_is_published_and_recorded(audit: Audit, fails: bool) -> None:
    world = World(audit, limit=1)
    world.refuse()
    heard: list[Update] = []
    kept: list[AuditRecord] = []

    def append(records: Sequence[AuditRecord]) -> None:
        if fails:
            raise GalleryError("the disk is full")
        kept.extend(records)

    trail = SimpleNamespace(append=append)
    for _ in range(3):
        keep_limit(world.kiosk, trail, heard.append, lambda _: None)
        world.now += HOUR / 2
    assert [type(event) for event in heard] == [Faulted, Recovered]
    assert isinstance(heard[0], Faulted)
    assert "1 people were refused within an hour" in heard[0].message
    assert "60 minutes" in heard[0].message
    expected = [(AuditKind.ATTEMPTS, "face_off"), (AuditKind.ATTEMPTS, "face_on")]
    assert [(r.kind, r.reason) for r in kept] == ([] if fails else expected)
    assert all(datetime.now(UTC) - r.wall_at < timedelta(minutes=1) for r in kept)


def test_the_kernel_names_the_start_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert boot_name() == boot_name() == Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    monkeypatch.setattr(clock, "BOOT_ID", tmp_path / "hidden")
    assert boot_name() != boot_name(), "one that is not told is another one each time"
