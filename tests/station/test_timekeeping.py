"""When the wall clock is trusted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Evidence, Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.updates import Faulted, Recovered, Update
from kiosk.station.timekeeping import ASK_SECONDS, TOLERANCE, Timekeeper, is_behind, keep_time
from kiosk.storage.audit import Floor

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Machine:
    """Its two clocks and its log."""

    def __init__(self, floor: datetime | None = NOON) -> None:
        self.wall = NOON
        self.boot = 50.0
        self.floor = Floor(floor)
        self.told = False
        self.broken = False
        self.asked = 0

    def read_floor(self) -> Floor:
        if self.broken:
            raise GalleryError("cannot be read")
        return self.floor

    def is_told(self) -> bool:
        self.asked += 1
        return self.told

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.boot += seconds

    def keeper(self, trust: str = "rtc") -> Timekeeper:
        return Timekeeper(trust, self.read_floor, self.is_told, lambda: self.boot, lambda: self.wall)

    @property
    def evidence(self) -> Evidence:
        return Evidence(1, self.boot, self.wall)


def told(events: list[Update]) -> list[tuple[str, Reason]]:
    return [(type(e).__name__, e.reason) for e in events if isinstance(e, Faulted | Recovered)]


def test_a_clock_at_the_newest_record_or_past_it_is_believed() -> None:
    machine = Machine()
    keeper = machine.keeper()
    for _ in range(3):
        assert keeper.trouble(machine.evidence) is None
        assert keeper.turn() == []
        machine.passes(3600)


@pytest.mark.parametrize(("behind", "trouble"), [(TOLERANCE - 1, None), (TOLERANCE + 1, Reason.CLOCK_BEHIND)])
def test_a_clock_behind_the_newest_record_is_not(behind: float, trouble: Reason | None) -> None:
    machine = Machine()
    machine.wall -= timedelta(seconds=behind)
    keeper = machine.keeper()
    assert keeper.trouble(machine.evidence) is trouble
    assert told(keeper.turn()) == ([] if trouble is None else [("Faulted", trouble)])
    assert keeper.turn() == [], "said once"


def test_a_board_without_a_clock_does_not_catch_up_by_running_on() -> None:
    """The floor moves with the seconds that have passed for certain."""
    machine = Machine()
    machine.wall -= DAY
    keeper = machine.keeper()
    machine.passes(2 * DAY.total_seconds())
    keeper.turn()
    assert keeper.trouble(machine.evidence) is Reason.CLOCK_BEHIND


def test_a_clock_set_back_while_it_runs_is_noticed_at_once_and_until_it_is_right_again() -> None:
    machine = Machine(floor=None)
    keeper = machine.keeper()
    keeper.turn()
    machine.passes(600)
    machine.wall -= timedelta(minutes=30)
    assert keeper.trouble(machine.evidence) is Reason.CLOCK_BEHIND, "before any turn"
    assert told(keeper.turn()) == [("Faulted", Reason.CLOCK_BEHIND)]
    machine.wall += timedelta(minutes=30)
    assert told(keeper.turn()) == [("Recovered", Reason.CLOCK_BEHIND)]
    assert keeper.trouble(machine.evidence) is None


def test_a_suspend_is_no_set_back() -> None:
    machine = Machine()
    keeper = machine.keeper()
    machine.passes(8 * 3600)  # both clocks count it
    assert keeper.turn() == []
    assert keeper.trouble(machine.evidence) is None


def test_ntp_is_believed_once_it_has_spoken_and_asked_now_and_then() -> None:
    machine = Machine()
    keeper = machine.keeper("ntp")
    assert keeper.trouble(machine.evidence) is Reason.CLOCK_UNSYNCHRONISED
    assert told(keeper.turn()) == [("Faulted", Reason.CLOCK_UNSYNCHRONISED)]
    for _ in range(20):
        keeper.turn()
    assert machine.asked == 1
    machine.told = True
    machine.passes(ASK_SECONDS)
    assert told(keeper.turn()) == [("Recovered", Reason.CLOCK_UNSYNCHRONISED)]
    machine.told = False
    machine.passes(ASK_SECONDS)
    assert keeper.turn() == [], "since the machine started is enough"
    assert keeper.trouble(machine.evidence) is None


def test_a_time_that_nobody_vouches_for_is_not_remembered() -> None:
    """A board of [clock] trust ntp that starts ahead is set back by NTP: that is no set-back."""
    machine = Machine()
    machine.wall += DAY
    keeper = machine.keeper("ntp")
    keeper.turn()
    machine.wall -= DAY
    machine.told = True
    machine.passes(ASK_SECONDS)
    keeper.turn()
    assert keeper.trouble(machine.evidence) is None


def test_a_clock_that_ntp_has_set_is_still_not_behind_the_log() -> None:
    machine = Machine(floor=datetime(2099, 1, 1, tzinfo=UTC))
    machine.told = True
    keeper = machine.keeper("ntp")
    assert keeper.trouble(machine.evidence) is Reason.CLOCK_BEHIND


def test_what_a_person_accepts_counts_without_a_restart() -> None:
    machine = Machine(floor=datetime(2099, 1, 1, tzinfo=UTC))
    keeper = machine.keeper()
    keeper.turn()
    machine.broken = True
    assert keeper.turn() == []
    machine.broken = False
    machine.floor = Floor(machine.wall, accepted=7)
    assert told(keeper.turn()) == [("Recovered", Reason.CLOCK_BEHIND)]
    machine.passes(3600)
    assert keeper.trouble(machine.evidence) is None
    machine.wall -= DAY
    assert keeper.trouble(machine.evidence) is Reason.CLOCK_BEHIND, "and from there on it counts as before"


def test_a_jump_ahead_that_no_record_tells_of_is_forgotten_when_somebody_accepts() -> None:
    machine = Machine()
    keeper = machine.keeper()
    machine.wall += 365 * DAY
    keeper.turn()
    machine.wall -= 365 * DAY
    assert told(keeper.turn()) == [("Faulted", Reason.CLOCK_BEHIND)]
    machine.floor = Floor(machine.wall, accepted=8)
    assert told(keeper.turn()) == [("Recovered", Reason.CLOCK_BEHIND)]
    assert keeper.trouble(machine.evidence) is None


def test_what_was_accepted_before_the_clock_was_set_back_does_not_count() -> None:
    machine = Machine()
    keeper = machine.keeper()
    keeper.turn()
    machine.floor = Floor(machine.wall, accepted=8)
    machine.passes(DAY.total_seconds())
    keeper.turn()
    machine.wall -= DAY / 2
    assert told(keeper.turn()) == [("Faulted", Reason.CLOCK_BEHIND)]
    assert keeper.turn() == []
    assert keeper.trouble(machine.evidence) is Reason.CLOCK_BEHIND


def test_nothing_runs_on_a_floor_that_cannot_be_read() -> None:
    machine = Machine()
    machine.broken = True
    with pytest.raises(GalleryError):
        machine.keeper()


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e6, 1e6)), max_size=20))
def test_no_clock_that_is_believed_is_more_than_the_tolerance_behind_what_was_believed_before(
    steps: list[tuple[float, float]],
) -> None:
    """Whoever sets it, forwards and back: for the rights of this run the time never goes back."""
    machine = Machine()
    keeper = machine.keeper()
    latest = machine.wall.timestamp() - machine.boot
    for passed, step in steps:
        machine.passes(passed)
        machine.wall += timedelta(seconds=step)
        keeper.turn()
        distance = machine.wall.timestamp() - machine.boot
        if keeper.trouble(machine.evidence) is None:
            assert distance >= latest - TOLERANCE - 1e-3
            latest = max(latest, distance)


def test_an_empty_log_has_no_floor() -> None:
    assert not is_behind(NOON, Floor(None))
    assert is_behind(NOON - DAY, Floor(NOON))


class Paper:
    """An audit log that may fail."""

    def __init__(self, fails: bool = False) -> None:
        self.records: list[AuditRecord] = []
        self.fails = fails

    def append(self, records: list[AuditRecord]) -> None:
        if self.fails:
            raise GalleryError("full")
        self.records += records


@pytest.mark.parametrize("fails", [False, True])
def test_it_is_told_and_recorded_and_a_log_that_fails_ends_nothing(fails: bool) -> None:
    machine = Machine()
    machine.wall -= DAY
    keeper, paper = machine.keeper(), Paper(fails)
    heard: list[Update] = []
    waits: list[float] = []
    turn: Callable[[], None] = lambda: keep_time(keeper, paper, heard.append, waits.append)  # type: ignore[arg-type]  # noqa: E731
    turn()
    machine.wall += DAY
    turn()
    assert told(heard) == [("Faulted", Reason.CLOCK_BEHIND), ("Recovered", Reason.CLOCK_BEHIND)]
    assert [(r.kind, r.reason) for r in paper.records] == ([] if fails else [("fault", "clock_behind")])
    assert len(waits) == 2
