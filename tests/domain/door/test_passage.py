"""The door with contact, exit button and tamper switch; leases, lockdown, relocking. Time is passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import count, pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kiosk.domain.door.events import DoorEventKind, DoorNews
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Refusal, Span
from kiosk.domain.door.inputs import CHATTER_CHANGES, CHATTER_SECONDS
from kiosk.domain.door.machine import DoorMachine
from kiosk.domain.door.passage import BEEP_PERIOD, BEEP_SECONDS, GRACE_SECONDS, REX_STUCK_SECONDS
from kiosk.domain.door.rules import DoorRules, PassageRules, Relock
from kiosk.domain.door.state import Alarm, DoorFault, DoorMode, DoorState, Leaf, Readings
from kiosk.domain.errors import LockError

START = 1000.0
KIOSK, OTHER = 1, 2
PASSAGE = PassageRules(held_seconds=20.0, pre_alarm_seconds=5.0, rex_seconds=4.0, debounce_seconds=0.05, still_after=3)
RULES = DoorRules(5.0, 9.0, 14.0, 6.0, Relock.CLOSING, PASSAGE)
CLOSED = Readings(open=False, rex=False, tamper=False)
Kind = DoorEventKind


@dataclass
class World:
    """What the machine drives and reads. It is woken as kiosk-door wakes it: at its deadlines, and at every change."""

    rules: DoorRules = RULES
    now: float = START
    level: str = "unknown"
    stuck: bool = False
    readable: bool = True
    simulated: bool = True
    readings: Readings = CLOSED

    def __post_init__(self) -> None:
        self.news: list[DoorNews] = []
        self._ids = count()
        self.door = self.start()

    def start(self, lockdown: bool = False) -> DoorMachine:
        """A kiosk-door begins: on a lock whose level is whatever the last one left."""
        self.door = DoorMachine(self, self.now, self.rules, lockdown=lockdown)
        self.door.start(self.now)
        self.sense()
        return self.door

    def secure(self) -> None:
        """The port Lock."""
        if self.stuck:
            raise LockError("stuck")
        self.level = "secured"

    def release(self, seconds: float) -> None:
        """The port Lock."""
        assert seconds > 0
        self.level = "released"

    def read(self) -> Readings:
        """The port Lock."""
        return self.readings

    def fileno(self) -> None:
        """The port Lock."""

    def sound(self, on: bool) -> None:
        """The port Lock."""

    def close(self) -> None:
        """The port Lock."""

    def set(self, **levels: bool | None) -> None:
        """Inputs change, and are read."""
        self.readings = replace(self.readings, **levels)
        self.sense()

    def sense(self) -> None:
        """One turn of kiosk-door."""
        self.door.observe(self.readings if self.readable else None, self.now)
        self.news += self.door.take_news()

    def wait(self, seconds: float) -> None:
        """Time passes."""
        until = self.now + seconds
        while (due := self.door.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self.sense()
            assert self.door.deadline is None or self.door.deadline > self.now
        self.now = until
        self.sense()

    def fresh(self, span: Span = Span.NORMAL, renews: str | None = None) -> Grant:
        """A good grant."""
        return Grant(f"g{next(self._ids)}", self.now, self.now + MAX_GRANT_SECONDS, span, renews)

    def grant(self, span: Span = Span.NORMAL, client: int = KIOSK, renews: str | None = None) -> DoorReply:
        """Asks for a release."""
        reply = self.door.grant(self.fresh(span, renews), client, self.now)
        self.news += self.door.take_news()
        return reply

    def settle(self) -> None:
        """What bounces has settled."""
        self.wait(2 * PASSAGE.debounce_seconds)

    def move(self, is_open: bool) -> None:
        """The leaf moves, and its contact is believed."""
        self.set(open=is_open)
        self.settle()

    def kinds(self) -> list[DoorEventKind]:
        """What was told since this was last asked."""
        kinds = [news.kind for news in self.news]
        self.news.clear()
        return kinds


@pytest.fixture
def world() -> World:
    world = World()
    world.kinds()
    return world


# At start


def test_the_leaf_is_unknown_before_the_first_reading() -> None:
    world = World()
    door = DoorMachine(world, START, RULES)
    assert (door.status().state, door.status().leaf) == (DoorState.UNKNOWN, Leaf.UNKNOWN)
    door.start(START)
    assert door.status().leaf is Leaf.UNKNOWN
    door.observe(Readings(open=False), START)
    assert door.status().leaf is Leaf.CLOSED
    assert [news.kind for news in door.take_news()] == [Kind.STARTED]


def test_a_door_that_is_found_open_is_not_forced_but_may_be_held() -> None:
    world = World(readings=Readings(open=True))
    assert world.kinds() == [Kind.STARTED, Kind.OPENED]
    world.wait(PASSAGE.held_seconds)
    assert world.kinds() == [Kind.HELD_OPEN_SOON, Kind.HELD_OPEN]


def test_a_door_without_inputs_only_times_its_lock() -> None:
    world = World(readings=Readings())
    world.kinds()
    world.grant()
    world.wait(1000)
    assert world.kinds() == [Kind.RELEASED, Kind.SECURED]
    assert world.door.deadline is None
    assert world.door.status().leaf is Leaf.UNKNOWN


# A passage


def test_an_opening_after_a_grant_counts_as_access_taken(world: World) -> None:
    reply = world.grant()
    world.wait(2)
    world.move(True)
    assert world.level == "released"
    world.wait(1)
    world.move(False)
    assert world.level == "secured"
    assert [(n.kind, n.grant_id, n.reason) for n in world.news] == [
        (Kind.RELEASED, reply.grant_id, "normal"),
        (Kind.OPENED, None, ""),
        (Kind.ACCESS_TAKEN, reply.grant_id, ""),
        (Kind.CLOSED, None, ""),
        (Kind.SECURED, None, "closing"),
    ]


def test_a_grant_without_an_opening_counts_as_access_not_taken(world: World) -> None:
    reply = world.grant()
    world.wait(5)
    assert world.level == "secured"
    assert world.kinds() == [Kind.RELEASED, Kind.SECURED]
    world.wait(GRACE_SECONDS)
    assert [(n.kind, n.grant_id) for n in world.news] == [(Kind.ACCESS_NOT_TAKEN, reply.grant_id)]


def test_each_grant_of_a_release_has_its_outcome(world: World) -> None:
    first, second = world.grant(), world.grant()
    world.move(True)
    third = world.grant()
    taken = [n.grant_id for n in world.news if n.kind is Kind.ACCESS_TAKEN]
    assert taken == [first.grant_id, second.grant_id, third.grant_id]


@pytest.mark.parametrize("relock", Relock)
def test_an_opening_or_closing_ends_the_release_if_configured(relock: Relock) -> None:
    world = World(replace(RULES, relock=relock))
    world.grant()
    world.move(True)
    assert world.level == ("secured" if relock is Relock.OPENING else "released")
    world.move(False)
    assert world.level == ("released" if relock is Relock.TIME else "secured")
    world.wait(RULES.release_seconds)
    assert world.level == "secured"


def test_a_leaf_that_opens_as_the_time_ends_is_not_forced(world: World) -> None:
    world.grant()
    world.wait(RULES.release_seconds + GRACE_SECONDS - 0.001)
    world.move(True)
    assert Kind.FORCED_OPEN not in (kinds := world.kinds())
    assert Kind.ACCESS_TAKEN in kinds


def test_an_extended_grant_gives_more_time_to_pass(world: World) -> None:
    assert world.grant(Span.EXTENDED).released_until == START + 9
    world.move(True)
    world.wait(PASSAGE.held_seconds + 3)
    assert world.door.status().alarm is Alarm.HELD_OPEN_SOON
    world.wait(1)
    assert world.door.status().alarm is Alarm.HELD_OPEN


def test_a_grant_does_not_shorten_what_was_granted(world: World) -> None:
    until = world.grant(Span.EXTENDED).released_until
    assert world.grant().released_until == until


def test_extended_grants_are_capped_like_all(world: World) -> None:
    world.grant(Span.EXTENDED)
    world.wait(8)
    assert world.grant(Span.EXTENDED).released_until == START + RULES.max_release_seconds


# Held and forced


def test_a_forced_door_alarms_until_it_is_closed(world: World) -> None:
    world.move(True)
    assert world.kinds() == [Kind.OPENED, Kind.FORCED_OPEN]
    world.set(rex=True)
    world.set(rex=False)
    world.grant()
    world.wait(100)
    assert world.door.status().alarm is Alarm.FORCED_OPEN
    assert Kind.HELD_OPEN not in world.kinds()
    world.move(False)
    assert [(n.kind, n.reason) for n in world.news] == [(Kind.CLOSED, ""), (Kind.ALARM_ENDED, "forced_open")]


def test_a_held_door_warns_and_then_alarms_until_it_is_closed(world: World) -> None:
    world.grant()
    world.move(True)
    opened = world.now
    world.kinds()
    world.wait(PASSAGE.held_seconds - PASSAGE.pre_alarm_seconds)
    assert world.kinds() == [Kind.SECURED, Kind.HELD_OPEN_SOON]
    world.wait(opened + PASSAGE.held_seconds - world.now)
    assert world.kinds() == [Kind.HELD_OPEN]
    world.move(False)
    assert world.kinds() == [Kind.CLOSED, Kind.ALARM_ENDED]


@pytest.mark.parametrize("again", ["grant", "rex"])
def test_a_second_grant_gives_the_door_its_full_time_again(world: World, again: str) -> None:
    world.grant()
    world.move(True)
    world.wait(PASSAGE.held_seconds - 1)
    assert world.door.status().alarm is Alarm.HELD_OPEN_SOON
    world.grant() if again == "grant" else world.set(rex=True)
    assert world.door.status().alarm is Alarm.NONE
    world.wait(PASSAGE.held_seconds - 1)
    assert world.door.status().alarm is Alarm.HELD_OPEN_SOON


def test_the_exit_button_excuses_an_opening_and_releases_nothing(world: World) -> None:
    world.set(rex=True)
    world.set(rex=False)
    world.wait(PASSAGE.rex_seconds - 0.1)
    world.move(True)
    assert world.level == "secured"
    assert world.kinds() == [Kind.REX_PRESSED, Kind.OPENED]
    world.move(False)
    world.wait(0.1)
    world.move(True)
    assert world.door.status().alarm is Alarm.FORCED_OPEN


def test_a_press_and_an_opening_in_the_same_reading_are_no_forced_door(world: World) -> None:
    world.set(rex=True, open=True)
    world.settle()
    assert world.kinds() == [Kind.REX_PRESSED, Kind.OPENED]


def test_a_contact_that_bounces_is_not_an_opening(world: World) -> None:
    for _ in range(4):
        world.set(open=True)
        world.wait(PASSAGE.debounce_seconds / 2)
        world.set(open=False)
        world.wait(PASSAGE.debounce_seconds / 2)
    assert world.kinds() == []


def test_a_missed_edge_inverts_nothing(world: World) -> None:
    """Levels, not edges: two changes that nobody saw leave the state as it is."""
    world.grant()
    world.readings = Readings(open=True, rex=False, tamper=False)
    world.readings = Readings(open=False, rex=False, tamper=False)
    world.wait(20)
    assert world.door.status().leaf is Leaf.CLOSED
    world.move(True)
    assert world.door.status().leaf is Leaf.OPEN


# Tamper, sounder


def test_an_open_housing_raises_tamper(world: World) -> None:
    world.set(tamper=True)
    world.settle()
    assert (world.kinds(), world.door.status().tamper) == ([Kind.TAMPER], True)
    assert world.door.sounds(world.now)
    world.set(tamper=False)
    world.settle()
    assert (world.kinds(), world.door.sounds(world.now)) == ([Kind.TAMPER_ENDED], False)


def test_the_sounder_beeps_before_it_sounds(world: World) -> None:
    world.grant()
    assert not world.door.sounds(world.now)
    world.move(True)
    world.wait(PASSAGE.held_seconds)
    (soon,) = [n.at for n in world.news if n.kind is Kind.HELD_OPEN_SOON]
    world = World(readings=Readings(open=True))
    world.wait(PASSAGE.held_seconds - PASSAGE.pre_alarm_seconds)
    soon = world.now
    assert [world.door.sounds(soon + t) for t in (0, BEEP_SECONDS / 2, BEEP_SECONDS, 0.9, BEEP_PERIOD)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    world.wait(PASSAGE.pre_alarm_seconds)
    assert all(world.door.sounds(world.now + t / 10) for t in range(20))
    world.move(False)
    assert not world.door.sounds(world.now)


# What cannot be true


def test_a_chattering_contact_is_a_fault(world: World) -> None:
    for i in range(CHATTER_CHANGES + 2):
        world.set(open=i % 2 == 0)
        world.wait(0.02)
    assert DoorFault.CONTACT_CHATTER in world.door.status().faults
    assert world.kinds().count(Kind.FAULT) == 1
    world.wait(CHATTER_SECONDS)
    assert world.door.status().faults == ()
    assert Kind.FAULT_ENDED in world.kinds()


def test_a_button_that_chatters_is_told_and_excuses_nothing(world: World) -> None:
    def flutter(changes: int) -> None:
        for i in range(changes):
            world.set(rex=i % 2 == 0)
            world.wait(0.1)

    flutter(CHATTER_CHANGES + 2)
    assert world.door.status().faults == (DoorFault.REX_CHATTER,)
    flutter(int(10 * REX_STUCK_SECONDS))
    told = world.kinds()
    assert told.count(Kind.FAULT) == 1
    assert told.count(Kind.REX_PRESSED) <= CHATTER_CHANGES
    world.move(True)
    assert Kind.FORCED_OPEN in world.kinds()
    world.move(False)
    world.wait(CHATTER_SECONDS)
    assert world.door.status().faults == ()
    world.set(rex=True)
    world.move(True)
    assert world.kinds()[-2:] == [Kind.REX_PRESSED, Kind.OPENED]


def test_a_button_that_is_pressed_often_is_believed(world: World) -> None:
    """A class leaves: each of them presses it."""
    for _ in range(60):
        world.set(rex=True)
        world.wait(0.5)
        world.set(rex=False)
        world.wait(0.6)
    world.move(True)
    told = world.kinds()
    assert told.count(Kind.REX_PRESSED) == 60
    assert Kind.FAULT not in told
    assert Kind.FORCED_OPEN not in told


def test_a_contact_that_never_moves_is_a_fault(world: World) -> None:
    for _ in range(PASSAGE.still_after):
        world.grant()
        world.wait(10)
    assert world.door.status().faults == (DoorFault.CONTACT_STILL,)
    assert world.grant().result is DoorResult.RELEASED
    world.wait(10)
    world.kinds()
    world.grant()
    world.move(True)
    assert world.door.status().faults == ()


def test_a_button_that_is_stuck_is_told_and_still_believed(world: World) -> None:
    world.set(rex=True)
    world.wait(REX_STUCK_SECONDS + 1)
    assert world.door.status().faults == (DoorFault.REX_STUCK,)
    world.move(True)
    assert Kind.FORCED_OPEN not in world.kinds()
    world.wait(PASSAGE.held_seconds)
    assert world.door.status().alarm is Alarm.HELD_OPEN
    world.set(rex=False)
    assert world.door.status().faults == ()


def test_unreadable_inputs_are_a_fault(world: World) -> None:
    reply = world.grant()
    world.readable = False
    world.sense()
    assert (world.door.status().leaf, world.door.status().faults) == (Leaf.UNKNOWN, (DoorFault.INPUTS,))
    world.wait(30)
    assert world.level == "secured"
    assert reply.grant_id not in [n.grant_id for n in world.news if n.kind is Kind.ACCESS_NOT_TAKEN]
    world.kinds()
    world.readable = True
    world.move(True)
    assert world.kinds() == [Kind.FAULT_ENDED, Kind.OPENED, Kind.FORCED_OPEN]


# Leases and lockdown


def test_a_lease_holds_open_while_it_is_renewed(world: World) -> None:
    lease = world.grant(Span.HOLD_OPEN)
    world.move(True)
    for _ in range(20):
        world.wait(RULES.lease_seconds - 0.5)
        assert world.grant(Span.HOLD_OPEN, renews=lease.grant_id).released_until == world.now + RULES.lease_seconds
    assert (world.level, world.door.mode) == ("released", DoorMode.HOLD_OPEN)
    assert world.kinds() == [Kind.RELEASED, Kind.OPENED]
    world.wait(RULES.lease_seconds)
    assert (world.level, world.door.mode) == ("secured", DoorMode.NORMAL)
    assert world.grant(Span.HOLD_OPEN, renews=lease.grant_id).reason == Refusal.LAPSED
    world.wait(PASSAGE.held_seconds)
    assert world.kinds() == [Kind.SECURED, Kind.HELD_OPEN_SOON, Kind.HELD_OPEN]


def test_a_lease_ends_with_its_client_and_not_with_another(world: World) -> None:
    world.grant(Span.HOLD_OPEN)
    world.grant(client=OTHER)
    world.door.client_gone(OTHER, world.now)
    assert world.level == "released"
    world.door.client_gone(KIOSK, world.now)
    assert world.level == "secured"


def test_the_command_to_secure_ends_a_lease_for_good(world: World) -> None:
    lease = world.grant(Span.HOLD_OPEN)
    world.door.secure(world.now)
    assert world.grant(Span.HOLD_OPEN, renews=lease.grant_id).reason == Refusal.LAPSED
    assert world.level == "secured"


def test_only_a_lease_can_be_renewed(world: World) -> None:
    lease = world.grant(Span.HOLD_OPEN)
    assert world.grant(Span.NORMAL, renews=lease.grant_id).reason == Refusal.INVALID


@pytest.mark.parametrize("span", Span)
def test_lockdown_beats_every_grant(world: World, span: Span) -> None:
    lease = world.grant(Span.HOLD_OPEN)
    world.kinds()
    world.door.lockdown(True, world.now)
    assert (world.level, world.door.mode) == ("secured", DoorMode.LOCKDOWN)
    renews = lease.grant_id if span is Span.HOLD_OPEN else None
    assert world.grant(span, renews=renews).reason == Refusal.LOCKDOWN
    world.door.lockdown(True, world.now)
    world.set(rex=True)
    world.move(True)
    assert world.kinds() == [Kind.LOCKDOWN, Kind.SECURED, Kind.REX_PRESSED, Kind.OPENED]
    world.door.lockdown(False, world.now)
    assert world.level == "secured"
    assert world.grant().result is DoorResult.RELEASED


def test_a_lockdown_is_kept_by_the_next_door(world: World) -> None:
    world.start(lockdown=True)
    assert (world.news[0].kind, world.news[0].reason) == (Kind.STARTED, "lockdown")
    assert world.grant().reason == Refusal.LOCKDOWN


# Whatever the sequence

BAD = frozenset({Alarm.HELD_OPEN, Alarm.FORCED_OPEN})
PAIRS = {
    Kind.OPENED: Kind.CLOSED,
    Kind.TAMPER: Kind.TAMPER_ENDED,
    Kind.LOCKDOWN: Kind.LOCKDOWN_ENDED,
}


class Door(RuleBasedStateMachine):
    """Random traffic, hands, faults and deaths against a model that knows only the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Grant] = []
        self.released_ids: set[str] = set()
        self.allowed_until = -math.inf
        self.cap = -math.inf
        self.excused_until = -math.inf
        self.leases: list[str] = []
        self.locked_down = False
        self.excused_at: float | None = None

    @initialize(relock=st.sampled_from(Relock))
    def begin(self, relock: Relock) -> None:
        self.world = World(replace(RULES, relock=relock))

    @rule(seconds=st.floats(0, 8) | st.sampled_from([0.01, 0.05, 0.1, 30.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    # Hands

    @rule()
    def opens(self) -> None:
        if not self.world.readings.open:
            excused = self.world.readable and self.world.now <= self.excused_until
            self.excused_at = self.world.now if excused else None
        self.world.set(open=True)

    @rule()
    def closes(self) -> None:
        self.excused_at = None
        self.world.move(False)

    @rule()
    def presses_the_exit_button(self) -> None:
        if self.world.readable:
            self.excused_until = self.world.now + PASSAGE.rex_seconds
        self.world.set(rex=True)
        self.world.set(rex=False)

    @rule()
    def leaves_by_the_exit_button(self) -> None:
        if not self.world.readings.open:
            self.presses_the_exit_button()
            self.opens()
            self.world.settle()

    @rule()
    def breaks_in(self) -> None:
        """Once nothing excuses an opening any more."""
        world = self.world
        world.wait(RULES.max_release_seconds + RULES.lease_seconds + PASSAGE.rex_seconds + GRACE_SECONDS)
        if world.readable and world.door.state is DoorState.SECURED and world.door.status().leaf is Leaf.CLOSED:
            self.opens()
            world.settle()
            assert world.door.status().alarm is Alarm.FORCED_OPEN

    @rule()
    def stays_where_it_is(self) -> None:
        world = self.world
        world.wait(2 * PASSAGE.held_seconds + RULES.lease_seconds)
        if world.readable and world.readings.open:
            assert world.door.status().alarm in BAD

    @rule(tampered=st.booleans())
    def tampers(self, tampered: bool) -> None:
        self.world.set(tamper=tampered)

    # Commands

    @rule(
        age=st.sampled_from([0.0, 0.2, 1.0]) | st.floats(-0.2, 3),
        life=st.sampled_from([1.0, MAX_GRANT_SECONDS]) | st.floats(-0.1, 3),
        span=st.sampled_from(Span),
        client=st.sampled_from([KIOSK, OTHER]),
    )
    def new_grant(self, age: float, life: float, span: Span, client: int) -> None:
        captured_at = self.world.now - age
        self.send(Grant(f"n{len(self.sent)}", captured_at, captured_at + life, span), client)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), client=st.sampled_from([KIOSK, OTHER]))
    def renewal(self, data: st.DataObject, client: int) -> None:
        """Of the last lease or of an older one, whether it still lasts or not."""
        renews = data.draw(st.sampled_from(self.leases[-2:]))
        now, lasts = self.world.now, self.world.door.mode is DoorMode.HOLD_OPEN and renews == self.leases[-1]
        self.send(Grant(f"n{len(self.sent)}", now, now + MAX_GRANT_SECONDS, Span.HOLD_OPEN, renews), client)
        assert lasts or self.sent[-1].id not in self.released_ids

    @rule()
    def crowd(self) -> None:
        """One after another, for longer than a release may last."""
        for _ in range(9):
            self.send(self.world.fresh(), KIOSK)
            self.world.wait(2)
            self.never_released_past_its_deadline()

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), client=st.sampled_from([KIOSK, OTHER]), moved=st.floats(0, 2))
    def old_grant(self, data: st.DataObject, client: int, moved: float) -> None:
        old = data.draw(st.sampled_from(self.sent))
        self.send(replace(old, captured_at=old.captured_at + moved, deadline=old.deadline + moved), client)

    def send(self, grant: Grant, client: int) -> None:
        world = self.world
        released, now = world.level == "released" and world.door.state is DoorState.RELEASED, world.now
        before = world.level
        reply = world.door.grant(grant, client, now)
        world.news += world.door.take_news()
        if reply.result is not DoorResult.RELEASED:
            assert world.level in {before, "secured"}
        else:
            assert grant.id not in self.released_ids
            assert now <= grant.deadline <= grant.captured_at + MAX_GRANT_SECONDS + 1e-6
            assert not self.locked_down
            self.released_ids.add(grant.id)
            self.allow(grant, released)
            assert reply.released_until is not None
            assert reply.released_until <= self.allowed_until + 1e-9
        self.sent.append(grant)

    def allow(self, grant: Grant, released: bool) -> None:
        now = self.world.now
        if grant.span is Span.HOLD_OPEN:
            if grant.renews is None:
                self.leases.append(grant.id)
            self.cap = now + RULES.max_release_seconds
            self.allowed_until = now + RULES.lease_seconds
            return
        if not released:
            self.cap = now + RULES.max_release_seconds
        seconds = RULES.extended_seconds if grant.span is Span.EXTENDED else RULES.release_seconds
        was = self.allowed_until if released else -math.inf
        self.allowed_until = max(was, min(now + seconds, self.cap))

    @rule()
    def secure(self) -> None:
        self.world.door.secure(self.world.now)
        assert self.world.stuck or self.world.level == "secured"

    @rule(on=st.booleans())
    def lockdown(self, on: bool) -> None:
        self.locked_down = on
        self.world.door.lockdown(on, self.world.now)

    @rule(client=st.sampled_from([KIOSK, OTHER]))
    def client_gone(self, client: int) -> None:
        self.world.door.client_gone(client, self.world.now)

    # Faults

    @rule(stuck=st.sampled_from([False, False, True]))
    def lock_breaks_or_heals(self, stuck: bool) -> None:
        self.world.stuck = stuck

    @rule(readable=st.sampled_from([True, True, False]))
    def inputs_break_or_heal(self, readable: bool) -> None:
        self.world.readable = readable
        self.world.sense()

    @rule()
    def dies_and_is_started_again(self) -> None:
        self.world.wait(0.2)
        self.world.start(lockdown=self.locked_down)
        self.excused_until = -math.inf

    # What must hold

    @invariant()
    def never_released_past_its_deadline(self) -> None:
        world = self.world
        if world.level == "released" and not world.stuck and world.door.state is not DoorState.FAULT:
            assert world.now < self.allowed_until
            assert not self.locked_down

    @invariant()
    def the_state_tells_the_truth(self) -> None:
        if self.world.door.state is not DoorState.FAULT:
            assert self.world.door.state == self.world.level
        assert self.world.door.status().released_until is None or self.world.door.state is DoorState.RELEASED

    @invariant()
    def a_pass_through_the_exit_button_is_never_forced(self) -> None:
        forced = [n.at for n in self.world.news if n.kind is Kind.FORCED_OPEN]
        assert self.excused_at is None or not forced or forced[-1] < self.excused_at

    @invariant()
    def an_alarm_is_of_an_open_door(self) -> None:
        if self.world.door.status().alarm is not Alarm.NONE and self.world.readable:
            assert self.world.door.status().leaf is Leaf.OPEN

    @invariant()
    def no_grant_has_two_outcomes(self) -> None:
        outcomes = [n.grant_id for n in self.world.news if n.kind in {Kind.ACCESS_TAKEN, Kind.ACCESS_NOT_TAKEN}]
        assert len(outcomes) == len(set(outcomes))
        assert set(outcomes) <= self.released_ids

    @invariant()
    def what_lasts_has_a_beginning_and_an_end(self) -> None:
        since = [n.kind for n in self.world.news]
        since = since[len(since) - since[::-1].index(Kind.STARTED) - 1 :] if Kind.STARTED in since else since
        for begins, ends in PAIRS.items():
            told = [kind for kind in since if kind in {begins, ends}]
            assert all(a is not b for a, b in pairwise(told)), told


Door.TestCase.settings = settings(stateful_step_count=40)
TestDoor = Door.TestCase
