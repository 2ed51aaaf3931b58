"""The door's state machine: what releases the lock, what never does, and for how long."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kiosk.domain.door.freshness import FUTURE_TOLERANCE, MAX_GRANT_SECONDS, REMEMBERED_GRANTS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Refusal
from kiosk.domain.door.machine import RETRY_SECONDS, DoorMachine
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorState
from kiosk.domain.errors import LockError

START = 1000.0
RELEASE, MAXIMUM = 5.0, 12.0
RULES = DoorRules(release_seconds=RELEASE, extended_seconds=8.0, max_release_seconds=MAXIMUM, lease_seconds=6.0)
KIOSK, OTHER = 1, 2


@dataclass
class RecordingLock:
    """Stands for the hardware: `level` is what the world sees. It can be broken in either direction."""

    simulated: bool = True
    level: str = "unknown"
    asked: list[float] = field(default_factory=list)
    broken: Exception | None = None
    stuck: bool = False

    def secure(self) -> None:
        if self.stuck or self.broken:
            raise self.broken or LockError("stuck")
        self.level = "secured"

    def release(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.level = "released"
        if self.broken:
            raise self.broken

    def close(self) -> None: ...


@pytest.fixture
def lock() -> RecordingLock:
    return RecordingLock()


@pytest.fixture
def door(lock: RecordingLock) -> DoorMachine:
    machine = DoorMachine(lock, START, RULES)
    machine.start(START)
    return machine


def fresh(now: float, name: str = "g") -> Grant:
    return Grant(name, now - 0.1, now - 0.1 + MAX_GRANT_SECONDS)


NOW = START + 10


def test_the_state_is_unknown_until_the_lock_was_secured(lock: RecordingLock) -> None:
    machine = DoorMachine(lock, START, RULES)
    assert machine.status().state is DoorState.UNKNOWN
    assert machine.grant(fresh(NOW), KIOSK, NOW).reason == Refusal.FAULT
    assert lock.level == "unknown"
    machine.start(START)
    assert (machine.status().state, lock.level) == (DoorState.SECURED, "secured")


def test_a_fresh_grant_releases_and_the_deadline_secures(door: DoorMachine, lock: RecordingLock) -> None:
    assert door.grant(fresh(NOW), KIOSK, NOW) == DoorReply("g", DoorResult.RELEASED, "", NOW + RELEASE)
    assert (door.state, lock.level, lock.asked) == (DoorState.RELEASED, "released", [RELEASE])
    assert door.deadline == door.status().released_until == NOW + RELEASE
    door.tick(NOW + RELEASE - 0.001)
    assert lock.level == "released"
    door.tick(NOW + RELEASE)
    assert (door.state, lock.level, door.deadline) == (DoorState.SECURED, "secured", None)
    assert door.status().released_until is None


@pytest.mark.parametrize(
    ("grant", "refusal"),
    [
        (Grant("g", NOW - 1, NOW - 0.001), Refusal.LATE),
        (Grant("g", START - 0.001, START + 1), Refusal.BEFORE_START),
        (Grant("g", NOW + FUTURE_TOLERANCE + 0.001, NOW + 1), Refusal.FROM_FUTURE),
        (Grant("g", NOW, NOW + MAX_GRANT_SECONDS + 0.001), Refusal.DEADLINE_TOO_FAR),
        (Grant("g", NOW + 0.04, NOW + 0.02), Refusal.INVALID),
        (Grant("", NOW, NOW + 1), Refusal.INVALID),
        (Grant("g", math.nan, NOW + 1), Refusal.INVALID),
        (Grant("g", NOW, math.nan), Refusal.INVALID),
        (Grant("g", NOW, math.inf), Refusal.INVALID),
        (Grant("g", -math.inf, NOW + 1), Refusal.INVALID),
    ],
)
def test_a_bad_grant_releases_nothing(door: DoorMachine, lock: RecordingLock, grant: Grant, refusal: Refusal) -> None:
    # BEFORE_START is judged just after the start, while such a frame is not late yet.
    now = START + 0.5 if refusal is Refusal.BEFORE_START else NOW
    assert door.grant(grant, KIOSK, now) == DoorReply(grant.id, DoorResult.REFUSED, refusal)
    assert (lock.level, lock.asked) == ("secured", [])


@pytest.mark.parametrize(
    "grant",
    [
        Grant("g", NOW, NOW + MAX_GRANT_SECONDS),
        Grant("g", NOW - MAX_GRANT_SECONDS, NOW),
        Grant("g", NOW + FUTURE_TOLERANCE, NOW + 1),
        Grant("g", NOW, NOW),
    ],
)
def test_a_grant_exactly_at_its_limits_is_accepted(door: DoorMachine, grant: Grant) -> None:
    assert door.grant(grant, KIOSK, NOW).result is DoorResult.RELEASED


@given(captured_at=st.floats(0, 1e9))
def test_the_longest_grant_is_good_whatever_the_uptime(captured_at: float) -> None:
    """captured_at + 1.5 - captured_at is not 1.5 in floating point."""
    machine = DoorMachine(RecordingLock(), 0.0, RULES)
    machine.start(captured_at)
    assert (
        machine.grant(Grant("g", captured_at, captured_at + MAX_GRANT_SECONDS), KIOSK, captured_at).result == "released"
    )


def test_a_grant_works_once(door: DoorMachine, lock: RecordingLock) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    assert door.grant(fresh(NOW), KIOSK, NOW).reason == Refusal.REPEATED
    door.secure(NOW + 0.5)
    assert door.grant(fresh(NOW), OTHER, NOW + 0.6).reason == Refusal.REPEATED
    again = Grant("g", NOW + 20, NOW + 21)
    assert door.grant(again, KIOSK, NOW + 20).reason == Refusal.REPEATED
    assert (lock.level, len(lock.asked)) == ("secured", 1)


def test_ids_are_bounded_and_only_past_ones_are_forgotten(door: DoorMachine) -> None:
    for i in range(REMEMBERED_GRANTS):
        assert door.grant(fresh(NOW, f"{i}"), KIOSK, NOW).result is DoorResult.RELEASED
    assert door.grant(fresh(NOW, "more"), KIOSK, NOW).reason == Refusal.TOO_MANY
    later = NOW + MAX_GRANT_SECONDS
    assert door.grant(fresh(later, "0"), KIOSK, later).reason == Refusal.REPEATED
    assert door.grant(fresh(later, "more"), KIOSK, later).result is DoorResult.RELEASED


def test_more_grants_lengthen_the_release_up_to_the_maximum(door: DoorMachine, lock: RecordingLock) -> None:
    first = NOW
    untils = [door.grant(fresh(now, f"{now}"), KIOSK, now).released_until for now in (NOW, NOW + 4, NOW + 8, NOW + 11)]
    assert untils == [first + 5, first + 9, first + 12, first + 12]
    assert lock.asked == [5, 5, 4, 1]
    door.tick(first + MAXIMUM)
    assert lock.level == "secured"
    assert door.grant(fresh(first + 13, "next"), KIOSK, first + 13).released_until == first + 13 + RELEASE


def test_a_grant_that_comes_before_the_tick_begins_a_new_release(door: DoorMachine) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    late = NOW + 100
    assert door.grant(fresh(late, "h"), KIOSK, late).released_until == late + RELEASE


def test_secure_ends_a_release(door: DoorMachine, lock: RecordingLock) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    door.secure(NOW + 1)
    assert (door.state, lock.level) == (DoorState.SECURED, "secured")


def test_the_release_ends_with_the_client_that_holds_it(door: DoorMachine, lock: RecordingLock) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    door.client_gone(OTHER, NOW + 1)
    assert lock.level == "released"
    door.client_gone(KIOSK, NOW + 1)
    assert (door.state, lock.level) == (DoorState.SECURED, "secured")


def test_the_last_granted_client_holds_the_release(door: DoorMachine, lock: RecordingLock) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    door.grant(fresh(NOW, "h"), OTHER, NOW)
    door.client_gone(KIOSK, NOW + 1)
    assert lock.level == "released"
    door.client_gone(OTHER, NOW + 1)
    assert lock.level == "secured"


@pytest.mark.parametrize("error", [LockError("broken"), RuntimeError("a plug-in's own")])
def test_a_lock_that_fails_to_release_is_secured_and_the_grant_refused(
    door: DoorMachine, lock: RecordingLock, error: Exception
) -> None:
    lock.broken = error
    assert door.grant(fresh(NOW), KIOSK, NOW).reason == Refusal.FAULT
    assert (door.state, door.fault) == (DoorState.FAULT, str(error))
    assert door.deadline == NOW + RETRY_SECONDS
    lock.broken = None
    assert door.grant(fresh(NOW + 0.1, "h"), KIOSK, NOW + 0.1).reason == Refusal.FAULT
    door.tick(NOW + RETRY_SECONDS)
    assert (door.state, lock.level, door.deadline) == (DoorState.SECURED, "secured", None)
    assert door.grant(fresh(NOW, "h"), KIOSK, NOW + 0.3).reason == Refusal.REPEATED
    assert door.grant(fresh(NOW, "i"), KIOSK, NOW + 0.3).result is DoorResult.RELEASED


def test_a_lock_that_fails_to_secure_is_told_until_it_does(door: DoorMachine, lock: RecordingLock) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    lock.stuck = True
    door.tick(NOW + RELEASE)
    assert (door.state, lock.level) == (DoorState.FAULT, "released")
    assert door.deadline == NOW + RELEASE + RETRY_SECONDS
    door.tick(door.deadline)
    assert door.state is DoorState.FAULT
    assert door.status().released_until is None
    lock.stuck = False
    assert door.deadline is not None
    door.tick(door.deadline)
    assert (door.state, lock.level) == (DoorState.SECURED, "secured")


def test_a_lock_that_says_by_itself_that_it_is_lost_is_secured(door: DoorMachine, lock: RecordingLock) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    door.take_news()
    door.lost(LockError("gone"), NOW + 1)
    assert (door.state, lock.level, door.fault) == (DoorState.SECURED, "secured", "gone")
    assert [(news.kind, news.reason) for news in door.take_news()] == [
        ("fault", "lock"),
        ("fault_ended", "lock"),
        ("secured", "fault"),
    ]


def test_a_lost_lock_that_cannot_be_secured_stays_a_fault(door: DoorMachine, lock: RecordingLock) -> None:
    lock.stuck = True
    for _ in range(2):
        door.lost(LockError("gone"), NOW)
    assert (door.state, door.deadline) == (DoorState.FAULT, NOW + RETRY_SECONDS)
    assert [news.kind for news in door.take_news()] == ["started", "fault"]
    assert door.grant(fresh(NOW), KIOSK, NOW).reason == Refusal.FAULT
    lock.stuck = False
    door.tick(NOW + RETRY_SECONDS)
    assert (door.state, lock.level) == (DoorState.SECURED, "secured")


def test_in_fault_a_client_that_goes_has_the_lock_secured_at_once(door: DoorMachine, lock: RecordingLock) -> None:
    door.grant(fresh(NOW), 1, NOW)
    lock.stuck = True
    door.secure(NOW)
    lock.stuck = False
    assert (door.state, lock.level) == (DoorState.FAULT, "released")
    door.client_gone(1, NOW)
    assert (door.state, lock.level) == (DoorState.SECURED, "secured")


class Door(RuleBasedStateMachine):
    """Random traffic against a model that knows only the rules. The daemon ticks at every deadline; so does this."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = RecordingLock()
        self.now = START
        self.machine = DoorMachine(self.lock, START, RULES)
        self.machine.start(self.now)
        self.granted: set[str] = set()
        self.sent: list[Grant] = []
        self.allowed_until = -math.inf
        self.cap = -math.inf
        self.holder: int | None = None

    @rule(seconds=st.floats(0, 8))
    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.machine.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self.machine.tick(self.now)
        self.now = until
        self.machine.tick(self.now)

    @rule(
        age=st.sampled_from([0.0, 0.2, 1.0]) | st.floats(-0.2, 3),
        life=st.sampled_from([1.0, MAX_GRANT_SECONDS]) | st.floats(-0.1, 3),
        client=st.sampled_from([KIOSK, OTHER]),
    )
    def new_grant(self, age: float, life: float, client: int) -> None:
        captured_at = self.now - age
        self.send(Grant(f"{len(self.sent)}", captured_at, captured_at + life), client)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), client=st.sampled_from([KIOSK, OTHER]), moved=st.floats(0, 2))
    def old_grant(self, data: st.DataObject, client: int, moved: float) -> None:
        old = data.draw(st.sampled_from(self.sent))
        self.send(Grant(old.id, old.captured_at + moved, old.deadline + moved), client)

    @rule(value=st.sampled_from([math.nan, math.inf, -math.inf]), captured=st.booleans())
    def senseless_grant(self, value: float, captured: bool) -> None:
        self.send(Grant("x", value if captured else self.now, self.now + 1 if captured else value), KIOSK)

    def send(self, grant: Grant, client: int) -> None:
        was, was_released = self.machine.state, self.lock.level == "released"
        reply = self.machine.grant(grant, client, self.now)
        if reply.result is DoorResult.RELEASED:
            assert grant.id not in self.granted
            assert START <= grant.captured_at <= self.now + FUTURE_TOLERANCE
            assert self.now <= grant.deadline <= grant.captured_at + MAX_GRANT_SECONDS + 1e-6
            assert was not in {DoorState.FAULT, DoorState.UNKNOWN}
            if not was_released:
                self.cap = self.now + MAXIMUM
            self.allowed_until = min(self.now + RELEASE, self.cap)
            assert reply.released_until == self.allowed_until
            self.granted.add(grant.id)
            self.holder = client
        else:
            assert was_released or self.lock.level == "secured"
        self.sent.append(grant) if math.isfinite(grant.captured_at + grant.deadline) else None

    @rule()
    def secure(self) -> None:
        self.machine.secure(self.now)
        assert self.lock.stuck or self.lock.level == "secured"

    @rule(client=st.sampled_from([KIOSK, OTHER]))
    def client_gone(self, client: int) -> None:
        self.machine.client_gone(client, self.now)
        assert self.lock.stuck or self.lock.level == "secured" or client != self.holder

    @rule(stuck=st.sampled_from([False, False, True]))
    def lock_breaks_or_heals(self, stuck: bool) -> None:
        self.lock.stuck = stuck

    @invariant()
    def never_released_past_its_deadline(self) -> None:
        if self.lock.level == "released" and not self.lock.stuck and self.machine.state is not DoorState.FAULT:
            assert self.now < self.allowed_until

    @invariant()
    def the_state_tells_the_truth(self) -> None:
        if self.machine.state is not DoorState.FAULT:
            assert self.machine.state == self.lock.level

    @invariant()
    def what_is_not_secured_has_a_deadline(self) -> None:
        assert (self.machine.deadline is None) == (self.machine.state is DoorState.SECURED)


Door.TestCase.settings = settings(stateful_step_count=40)
TestDoor = Door.TestCase
