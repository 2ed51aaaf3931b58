"""Releases that nobody granted are reported if that is certain, and otherwise not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.door.events import DoorEvent, DoorEventKind
from kiosk.domain.notices import KioskEvent, KioskEventKind
from kiosk.notify.pairs import PATIENCE_SECONDS, REMEMBERED, WAIT_SECONDS, Pairs
from tests.ids import id_of

KIOSK, ADMIN = 1001, 0
WALL = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class World:
    """kiosk-notify between a door and a kiosk; it looks every half second, as the receiver does."""

    now: float = 1000.0
    there: bool = True
    idle: bool = True
    told: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pairs = Pairs(frozenset({KIOSK}), lambda: self.now)
        self.run, self.sequence, self.doors = "a", 0, 0
        self.kiosk(KioskEventKind.STARTED)
        self.wait(1)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.5)
            self.pairs.look(self.there, self.idle)
            self.told += [event.grant_id for event in self.pairs.unexplained()]

    def door(
        self,
        name: str,
        uid: int | None = KIOSK,
        kind: DoorEventKind = DoorEventKind.RELEASED,
        at: float | None = None,
    ) -> None:
        """`at` is now, unless the event is told late."""
        self.doors += 1
        when = self.now if at is None else at
        self.pairs.door(DoorEvent(self.doors, id_of(f"e{self.doors}"), kind, "main", WALL, when, id_of(name), "", uid))

    def kiosk(self, kind: KioskEventKind, name: str | None = None) -> None:
        self.sequence += 1
        grant = None if name is None else id_of(name)
        self.pairs.kiosk(KioskEvent(self.run, self.sequence, id_of("k"), kind, "main", WALL, grant))

    def restart(self) -> None:
        """The kiosk dies with what it had not told, and another begins."""
        self.there = False
        self.wait(2)
        self.run, self.sequence, self.there = self.run + "x", 0, True
        self.kiosk(KioskEventKind.STARTED)


@pytest.mark.parametrize("first", ["door", "kiosk"])
@pytest.mark.parametrize("between", [0.0, 1.0, WAIT_SECONDS - 1])
def test_a_release_that_was_granted_is_no_news(first: str, between: float) -> None:
    world = World()
    for who in [first, "kiosk" if first == "door" else "door"]:
        world.door("g") if who == "door" else world.kiosk(KioskEventKind.GRANTED, "g")
        world.wait(between)
    world.wait(10 * WAIT_SECONDS)
    assert world.told == []


@pytest.mark.parametrize("kind", [DoorEventKind.RELEASED, DoorEventKind.PRESENTED])
def test_a_release_that_the_kiosk_does_not_know_is_told_once(kind: DoorEventKind) -> None:
    world = World()
    world.kiosk(KioskEventKind.REFUSED, "g")
    world.door("g", kind=kind)
    world.wait(WAIT_SECONDS - 1)
    assert world.told == []
    world.wait(10 * WAIT_SECONDS)
    assert world.told == [id_of("g")]


def test_a_release_while_no_kiosk_is_there_is_told() -> None:
    world = World()
    world.there = False
    world.wait(2 * WAIT_SECONDS)
    world.door("g")
    world.wait(2 * WAIT_SECONDS)
    assert world.told == [id_of("g")]


@pytest.mark.parametrize("uid", [ADMIN, None, 5])
def test_an_operators_release_needs_no_decision(uid: int | None) -> None:
    world = World()
    world.door("g", uid)
    world.wait(10 * WAIT_SECONDS)
    assert world.told == []


def test_what_the_kiosk_could_not_tell_any_more_is_no_alarm() -> None:
    world = World()
    world.door("just before it died")
    world.restart()
    world.wait(10 * WAIT_SECONDS)
    world.there = False
    world.wait(WAIT_SECONDS / 2)
    world.door("just after it had died, told late by the door")
    world.wait(10 * WAIT_SECONDS)
    assert world.told == []


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("at", [500_000.0, 1050.0])
def test_a_release_before_the_machine_started_anew_is_no_alarm(at: float, there: bool) -> None:
    """The door tells it late, with the time of a clock that has begun anew since."""
    world = World(there=there)
    world.wait(100)
    world.door("g", at=at)
    world.door("", None, DoorEventKind.STARTED, at=1040.0)
    world.wait(10 * WAIT_SECONDS)
    assert world.told == []


def test_a_release_before_the_door_started_anew_is_told() -> None:
    world = World()
    world.wait(100)
    world.door("g")
    world.wait(1)
    world.door("", None, DoorEventKind.STARTED)
    world.wait(10 * WAIT_SECONDS)
    assert world.told == [id_of("g")]


def test_events_that_are_missing_are_no_alarm_and_later_ones_are() -> None:
    world = World()
    world.door("dropped")
    world.sequence += 50
    world.wait(1)
    world.kiosk(KioskEventKind.REFUSED, "x")
    world.wait(10 * WAIT_SECONDS)
    assert world.told == []
    world.door("later")
    world.wait(10 * WAIT_SECONDS)
    assert world.told == [id_of("later")]


def test_a_kiosk_that_is_still_telling_is_waited_for_and_not_for_ever() -> None:
    world = World()
    world.idle = False
    world.door("g")
    world.wait(PATIENCE_SECONDS / 2)
    world.kiosk(KioskEventKind.GRANTED, "g")
    world.wait(PATIENCE_SECONDS)
    world.door("h")
    world.wait(2 * PATIENCE_SECONDS)
    assert world.told == []
    assert world.pairs._waiting == {}


def test_unanswered_releases_do_not_fill_the_memory() -> None:
    world = World()
    for n in range(2 * REMEMBERED):
        world.door(f"g{n}")
        world.kiosk(KioskEventKind.GRANTED, f"k{n}")
    assert len(world.pairs._waiting) == len(world.pairs._granted) == REMEMBERED


@given(st.lists(st.sampled_from(["grant", "restart", "wait", "away", "back"]), max_size=40))
def test_a_kiosk_that_grants_before_it_releases_is_never_accused(todo: list[str]) -> None:
    """Whatever it lives through; it may die between the door's answer and what it has to tell of it."""
    world = World()
    for n, what in enumerate(todo):
        match what:
            case "grant" if world.there:
                world.door(f"g{n}")
                world.wait(0.5)
                world.kiosk(KioskEventKind.GRANTED, f"g{n}")
            case "restart":
                world.door(f"g{n}")
                world.restart()
            case "away":
                world.there = False
            case "back" if not world.there:
                world.restart()
            case _:
                world.wait(7)
    world.wait(100)
    assert world.told == []
