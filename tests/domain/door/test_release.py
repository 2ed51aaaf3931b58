"""How long the lock stays released: bounded, whatever clients and operators send."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Refusal, Span
from kiosk.domain.door.machine import DoorMachine
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorMode, DoorState

MAXIMUM, LEASE, HOLD = 60.0, 30.0, 100.0
RULES = DoorRules(5.0, 15.0, MAXIMUM, LEASE, max_hold_seconds=HOLD)
KIOSK, ADMIN, OTHER = 1, 2, 3
START = 1000.0


class Wire:
    """The port Lock: what the world sees."""

    simulated = True

    def __init__(self) -> None:
        self.level = "unknown"

    def secure(self) -> None:
        self.level = "secured"

    def release(self, seconds: float) -> None:
        assert 0 < seconds <= HOLD
        self.level = "released"


@dataclass
class Step:
    """After `wait` seconds `client` sends a grant, secures or goes."""

    wait: float
    client: int
    what: str


@dataclass
class Stretch:
    """One release from beginning to end."""

    begun: float
    ended: float
    leased: float
    """Seconds of it in which a lease was held."""


class World:
    """A door whose time passes as it is told; it is woken at its deadlines, as kiosk-door wakes it."""

    def __init__(self) -> None:
        self.now = START
        self.wire = Wire()
        self.door = DoorMachine(self.wire, START, RULES)  # type: ignore[arg-type]
        self.door.start(START)
        self.stretches: list[Stretch] = []
        self._begun: float | None = None
        self._leased = 0.0
        self._seen = START
        self._was_leased = False
        self.sent = 0

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.door.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self.door.tick(self.now)
            self.look()
        self.now = until
        self.door.tick(self.now)
        self.look()

    def send(self, client: int, span: Span, renews: str | None = None) -> DoorReply:
        self.sent += 1
        grant = Grant(f"g{self.sent}", self.now, self.now + MAX_GRANT_SECONDS, span, renews)
        reply = self.door.grant(grant, client, self.now)
        self.look()
        return reply

    def look(self) -> None:
        if self._was_leased:
            self._leased += self.now - self._seen
        self._seen, self._was_leased = self.now, self.door.mode is DoorMode.HOLD_OPEN
        released = self.wire.level == "released"
        assert released == (self.door.state is DoorState.RELEASED)
        if released and self._begun is None:
            self._begun = self.now
        elif not released and self._begun is not None:
            self.stretches.append(Stretch(self._begun, self.now, self._leased))
            self._begun = None
        if not released:
            self._leased = 0.0

    @property
    def released_for(self) -> float:
        """The longest stretch, the present one included."""
        now = [] if self._begun is None else [self.now - self._begun]
        return max([s.ended - s.begun for s in self.stretches] + now, default=0.0)


steps = st.lists(
    st.builds(
        Step,
        wait=st.sampled_from([0.0, 0.5, 4.9, 14.9, 29.9, 59.9]) | st.floats(0, 70),
        client=st.sampled_from([KIOSK, OTHER]),
        what=st.sampled_from(["normal", "extended", "normal", "extended", "gone"]),
    ),
    max_size=60,
)


@given(steps)
def test_grants_never_keep_it_released_for_longer_than_the_maximum(todo: list[Step]) -> None:
    world = World()
    for step in todo:
        world.wait(step.wait)
        if step.what == "gone":
            world.door.client_gone(step.client, world.now)
            world.look()
        else:
            world.send(step.client, Span(step.what))
        assert world.released_for <= MAXIMUM + 1e-6
    world.wait(2 * MAXIMUM)
    assert world.wire.level == "secured"
    assert world.released_for <= MAXIMUM + 1e-6


leasing = st.lists(
    st.builds(
        Step,
        wait=st.sampled_from([0.0, 0.5, 4.9, 14.9, 29.9]) | st.floats(0, 40),
        client=st.sampled_from([KIOSK, ADMIN, OTHER]),
        what=st.sampled_from(["normal", "extended", "hold", "renew", "renew", "secure", "gone"]),
    ),
    max_size=60,
)


@given(leasing)
def test_with_leases_only_an_operators_own_time_is_added(todo: list[Step]) -> None:
    """Outside of leases the maximum holds from the last renewal on; a lease lasts no longer than one may."""
    world = World()
    ids = ["none"]
    for step in todo:
        world.wait(step.wait)
        match step.what:
            case "hold":
                reply = world.send(step.client, Span.HOLD_OPEN)
                if reply.result is DoorResult.RELEASED:
                    ids.append(reply.grant_id)
            case "renew":
                world.send(step.client, Span.HOLD_OPEN, ids[-1])
            case "secure":
                world.door.secure(world.now)
                world.look()
            case "gone":
                world.door.client_gone(step.client, world.now)
                world.look()
            case span:
                world.send(step.client, Span(span))
    world.wait(HOLD + 2 * MAXIMUM)
    assert world.wire.level == "secured"
    for stretch in world.stretches:
        unleased = stretch.ended - stretch.begun - stretch.leased
        leases = round(stretch.leased / LEASE + 0.5)  # none is shorter, unless it is secured
        assert unleased <= (1 + leases) * MAXIMUM + 1e-6


def test_hold_by_one_and_another_and_the_first_again_is_one_lease() -> None:
    """As it was tried: hold a, hold c, hold b kept the door released from 100 to 161 s."""
    world = World()
    first = world.send(ADMIN, Span.HOLD_OPEN)
    assert first.result is DoorResult.RELEASED
    world.wait(20)
    for client in (OTHER, ADMIN, KIOSK):
        assert world.send(client, Span.HOLD_OPEN).reason == Refusal.HELD_OPEN
        assert client == ADMIN or world.send(client, Span.HOLD_OPEN, first.grant_id).reason == Refusal.LAPSED
    world.wait(LEASE)
    assert world.wire.level == "secured"
    assert world.released_for == pytest.approx(LEASE)


def test_a_renewed_lease_ends_when_it_has_lasted_as_long_as_one_may() -> None:
    world = World()
    lease = world.send(ADMIN, Span.HOLD_OPEN).grant_id
    replies = []
    for _ in range(10):
        world.wait(LEASE / 2)
        replies.append(world.send(ADMIN, Span.HOLD_OPEN, lease).reason)
    assert replies == [""] * 5 + [Refusal.HELD_OUT] + [Refusal.LAPSED] * 4
    assert world.released_for == pytest.approx(HOLD)


def test_a_grant_during_a_lease_outlasts_it_by_its_own_time_only() -> None:
    world = World()
    world.send(ADMIN, Span.HOLD_OPEN)
    world.wait(LEASE - 1)
    assert world.send(KIOSK, Span.NORMAL).released_until == world.now + RULES.release_seconds
    world.wait(2)
    assert (world.wire.level, world.door.mode) == ("released", DoorMode.NORMAL)
    world.wait(RULES.release_seconds)
    assert world.wire.level == "secured"
    assert world.released_for == pytest.approx(LEASE - 1 + RULES.release_seconds)


def test_who_is_let_in_during_a_lease_takes_nothing_from_it_by_leaving() -> None:
    world = World()
    world.send(ADMIN, Span.HOLD_OPEN)
    world.send(KIOSK, Span.EXTENDED)
    world.door.client_gone(KIOSK, world.now)
    world.wait(LEASE - 0.1)
    assert world.wire.level == "released"
    world.wait(0.2)
    assert world.wire.level == "secured"


def test_each_user_has_room_for_its_own_grants() -> None:
    """A user who sends as many as it can keeps no other out."""
    world = World()
    for n in range(2000):
        grant = Grant(f"k{n}", world.now, world.now + MAX_GRANT_SECONDS)
        reply = world.door.grant(grant, KIOSK, world.now, uid=20)
    assert reply.reason == Refusal.TOO_MANY
    mine = Grant("admin", world.now, world.now + MAX_GRANT_SECONDS)
    assert world.door.grant(mine, ADMIN, world.now, uid=0).result is DoorResult.RELEASED
    assert world.door.grant(Grant("k1", world.now, world.now + 1), ADMIN, world.now, uid=0).reason == Refusal.REPEATED
