"""A door whose lock a panel owns: when a badge number is presented."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kiosk.domain.badge import Card, CardFormat
from kiosk.domain.door.events import DoorEventKind
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Refusal, Span
from kiosk.domain.door.panel import OFFLINE_SECONDS, ONLINE_SECONDS, PanelMachine
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorFault, DoorMode, DoorState, Leaf, Readings
from kiosk.domain.errors import LockError
from kiosk.domain.ports.panel import Turn

START = 1000.0
NOW = START + 10
FORMAT = CardFormat(26, 7)
KIOSK, OTHER = 1, 2


@dataclass
class FakePanel:
    """Asks in each turn while `asks`; `told` is what it was told."""

    simulated: bool = False
    asks: bool = True
    broken: Exception | None = None
    told: list[Card] = field(default_factory=list)

    def turn(self, card: Card | None) -> Turn:
        if self.broken is not None:
            raise self.broken
        if not self.asks:
            return Turn.QUIET
        if card is None:
            return Turn.ASKED
        self.told.append(card)
        return Turn.PRESENTED

    def read(self) -> Readings:
        return Readings()

    def fileno(self) -> int | None:
        return None

    def sound(self, on: bool) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def panel() -> FakePanel:
    return FakePanel()


@pytest.fixture
def door(panel: FakePanel) -> PanelMachine:
    machine = PanelMachine(panel, FORMAT, START, DoorRules())
    machine.start(START)
    machine.tick(NOW)
    return machine


def fresh(now: float, name: str = "g", badge: int | None = 5, span: Span = Span.NORMAL) -> Grant:
    return Grant(name, now - 0.1, now - 0.1 + MAX_GRANT_SECONDS, span, badge=badge)


def kinds(door: PanelMachine) -> list[tuple[DoorEventKind, str]]:
    return [(news.kind, news.grant_id or news.reason) for news in door.take_news()]


def test_a_panel_that_asks_is_there_and_one_that_does_not_is_a_fault() -> None:
    panel = FakePanel(asks=False)
    machine = PanelMachine(panel, FORMAT, START, DoorRules())
    machine.start(START)
    assert machine.state is DoorState.UNKNOWN
    machine.tick(START + OFFLINE_SECONDS - 0.01)
    assert machine.state is DoorState.UNKNOWN
    machine.tick(START + OFFLINE_SECONDS)
    assert (machine.state, machine.status().faults) == (DoorState.FAULT, (DoorFault.PANEL,))
    panel.asks = True
    machine.tick(NOW + 1)
    assert (machine.state, machine.status().faults) == (DoorState.PANEL, ())
    panel.asks = False
    machine.tick(NOW + 1 + ONLINE_SECONDS)
    assert machine.state is DoorState.PANEL
    machine.tick(NOW + 1.01 + ONLINE_SECONDS)
    assert machine.state is DoorState.UNKNOWN
    assert kinds(machine) == [
        (DoorEventKind.STARTED, ""),
        (DoorEventKind.FAULT, DoorFault.PANEL),
        (DoorEventKind.FAULT_ENDED, DoorFault.PANEL),
    ]


def test_a_badge_is_presented_when_the_panel_asks(door: PanelMachine, panel: FakePanel) -> None:
    panel.asks = False
    assert door.grant(fresh(NOW), KIOSK, NOW) is None
    door.tick(NOW + 0.1)
    assert (door.take_replies(), panel.told) == ([], [])
    panel.asks = True
    door.tick(NOW + 0.2)
    door.tick(NOW + 0.3)
    assert (door.take_replies(), panel.told) == ([DoorReply("g", DoorResult.PRESENTED)], [FORMAT.encode(5)])
    assert kinds(door)[1:] == [(DoorEventKind.PRESENTED, "g")]
    assert door.status().state is DoorState.PANEL
    assert door.status().released_until is None


@pytest.mark.parametrize(
    ("grant", "refusal"),
    [
        (Grant("g", NOW - 1, NOW - 0.001, badge=5), Refusal.LATE),
        (Grant("g", START - 0.001, START + 1, badge=5), Refusal.BEFORE_START),
        (Grant("g", NOW, NOW + MAX_GRANT_SECONDS + 0.001, badge=5), Refusal.DEADLINE_TOO_FAR),
        (Grant("g", float("nan"), NOW, badge=5), Refusal.INVALID),
        (fresh(NOW, badge=None), Refusal.PANEL_OWNS_LOCK),
        (fresh(NOW, span=Span.EXTENDED), Refusal.PANEL_OWNS_LOCK),
        (fresh(NOW, span=Span.HOLD_OPEN), Refusal.PANEL_OWNS_LOCK),
        (fresh(NOW, badge=65536), Refusal.INVALID),
        (fresh(NOW, badge=0), Refusal.INVALID),
    ],
)
def test_a_bad_grant_presents_nothing(door: PanelMachine, panel: FakePanel, grant: Grant, refusal: Refusal) -> None:
    assert door.grant(grant, KIOSK, NOW) == DoorReply("g", DoorResult.REFUSED, refusal)
    door.tick(NOW + 0.1)
    assert (door.take_replies(), panel.told) == ([], [])


def test_a_grant_works_once(door: PanelMachine, panel: FakePanel) -> None:
    assert door.grant(fresh(NOW), KIOSK, NOW) is None
    door.tick(NOW + 0.1)
    assert door.grant(fresh(NOW), KIOSK, NOW + 0.2) == DoorReply("g", DoorResult.REFUSED, Refusal.REPEATED)
    assert len(panel.told) == 1


def test_only_one_badge_waits_at_a_time(door: PanelMachine, panel: FakePanel) -> None:
    panel.asks = False
    assert door.grant(fresh(NOW), KIOSK, NOW) is None
    assert door.grant(fresh(NOW, "h"), OTHER, NOW) == DoorReply("h", DoorResult.REFUSED, Refusal.BUSY)


def test_a_waiting_badge_is_dropped_at_its_deadline(door: PanelMachine, panel: FakePanel) -> None:
    panel.asks = False
    grant = fresh(NOW)
    door.grant(grant, KIOSK, NOW)
    door.tick(grant.deadline - 0.05)
    assert door.deadline == grant.deadline
    panel.asks = True
    door.tick(grant.deadline + 0.001)
    assert panel.told == []
    assert door.take_replies() == [DoorReply("g", DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)]


def test_a_panel_that_is_not_there_is_told_nothing_later(door: PanelMachine, panel: FakePanel) -> None:
    panel.asks = False
    later = NOW + ONLINE_SECONDS + 0.1
    assert door.grant(fresh(later), KIOSK, later) == DoorReply("g", DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)
    panel.asks = True
    door.tick(later + 0.1)
    assert (panel.told, door.state) == ([], DoorState.PANEL)


def test_a_lockdown_refuses_waiting_and_new_badges(door: PanelMachine, panel: FakePanel) -> None:
    panel.asks = False
    door.grant(fresh(NOW), KIOSK, NOW)
    door.lockdown(True, NOW)
    door.lockdown(True, NOW)
    panel.asks = True
    door.tick(NOW + 0.1)
    assert door.grant(fresh(NOW, "h"), KIOSK, NOW + 0.1) == DoorReply("h", DoorResult.REFUSED, Refusal.LOCKDOWN)
    assert (door.mode, panel.told) == (DoorMode.LOCKDOWN, [])
    assert door.take_replies() == [DoorReply("g", DoorResult.REFUSED, Refusal.LOCKDOWN)]
    door.lockdown(False, NOW + 0.2)
    assert kinds(door)[1:] == [(DoorEventKind.LOCKDOWN, ""), (DoorEventKind.LOCKDOWN_ENDED, "")]
    assert door.grant(fresh(NOW, "i"), KIOSK, NOW + 0.2) is None


def test_a_lockdown_outlasts_a_restart(panel: FakePanel) -> None:
    machine = PanelMachine(panel, FORMAT, START, DoorRules(), lockdown=True)
    machine.start(START)
    assert kinds(machine) == [(DoorEventKind.STARTED, "lockdown")]
    assert machine.grant(fresh(START + 1), KIOSK, START + 1) == DoorReply("g", DoorResult.REFUSED, Refusal.LOCKDOWN)


@pytest.mark.parametrize("end", ["secure", "stop", "gone"])
def test_a_waiting_badge_is_withdrawn_by_secure_and_by_the_end_of_its_client(
    door: PanelMachine, panel: FakePanel, end: str
) -> None:
    panel.asks = False
    door.grant(fresh(NOW), KIOSK, NOW)
    door.client_gone(OTHER, NOW)
    assert door.take_replies() == []
    match end:
        case "secure":
            door.secure(NOW)
        case "stop":
            door.stop(NOW)
        case _:
            door.client_gone(KIOSK, NOW)
    panel.asks = True
    door.tick(NOW + 0.1)
    assert (panel.told, door.take_replies()) == ([], [DoorReply("g", DoorResult.REFUSED, Refusal.WITHDRAWN)])


def test_a_line_that_fails_is_a_fault_and_ends_what_waits(door: PanelMachine, panel: FakePanel) -> None:
    panel.asks = False
    door.grant(fresh(NOW), KIOSK, NOW)
    panel.broken = LockError("the cable")
    door.tick(NOW + 0.1)
    assert (door.state, door.fault, door.status().faults) == (DoorState.FAULT, "the cable", (DoorFault.PANEL,))
    assert door.take_replies() == [DoorReply("g", DoorResult.UNAVAILABLE, Refusal.FAULT)]
    panel.broken, panel.asks = None, True
    door.tick(NOW + 0.2)
    assert (door.state, panel.told) == (DoorState.PANEL, [])


@pytest.mark.parametrize(("opens", "outcome"), [(True, "access_taken"), (False, "access_not_taken")])
def test_only_a_contact_tells_whether_the_door_was_opened(door: PanelMachine, opens: bool, outcome: str) -> None:
    door.observe(Readings(open=False), NOW)
    assert door.grant(fresh(NOW), KIOSK, NOW) is None
    door.observe(Readings(open=False), NOW + 0.1)
    for step in range(100):
        door.observe(Readings(open=opens), NOW + 0.2 + step / 10)
    told = [(kind.value, which) for kind, which in kinds(door)]
    assert (outcome, "g") in told
    assert door.status().leaf is (Leaf.OPEN if opens else Leaf.CLOSED)


def test_without_a_contact_nothing_is_said_of_the_door(door: PanelMachine) -> None:
    door.grant(fresh(NOW), KIOSK, NOW)
    for step in range(200):
        door.observe(Readings(), NOW + step / 10)
    assert [kind.value for kind, _ in kinds(door)] == ["started", "presented"]
    assert door.status().leaf is Leaf.UNKNOWN


def test_the_panels_deadline_asks_for_ten_calls_a_second(door: PanelMachine) -> None:
    door.tick(NOW + 1)
    assert door.deadline == pytest.approx(NOW + 1.1)


class Traffic(RuleBasedStateMachine):
    """Whatever comes: each badge told belongs to one good grant, in time, once, and never in a lockdown."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.panel = FakePanel()
        self.door = PanelMachine(self.panel, CardFormat(37, 0), START, DoorRules())
        self.door.start(START)
        self.accepted: dict[str, Grant] = {}
        self.answered: dict[str, DoorResult] = {}
        self.locked_down = False
        self.number = 0
        self.seen = 0

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.1, 1.0, 2.5, 12.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.door.tick(self.now)
        self.look()

    @rule(asks=st.booleans(), broken=st.booleans())
    def panel_changes(self, asks: bool, broken: bool) -> None:
        self.panel.asks, self.panel.broken = asks, RuntimeError("gone") if broken else None

    @rule(
        age=st.floats(-0.1, 2.0),
        again=st.booleans(),
        client=st.sampled_from([KIOSK, OTHER]),
        span=st.sampled_from([Span.NORMAL, Span.NORMAL, Span.EXTENDED]),
    )
    def grant(self, age: float, again: bool, client: int, span: Span) -> None:
        self.number += not (again and self.number)
        # The badge says which grant it was.
        grant = Grant(str(self.number), self.now - age, self.now - age + 1.5, span, badge=max(1, self.number))
        reply = self.door.grant(grant, client, self.now)
        if reply is None:
            assert grant.id not in self.accepted
            assert not self.locked_down
            self.accepted[grant.id] = grant
        else:
            assert reply.result is not DoorResult.PRESENTED
        self.look()

    @rule(on=st.booleans())
    def lockdown(self, on: bool) -> None:
        self.locked_down = on
        self.door.lockdown(on, self.now)
        self.look()

    @rule(client=st.sampled_from([KIOSK, OTHER]))
    def client_goes(self, client: int) -> None:
        self.door.client_gone(client, self.now)
        self.look()

    def look(self) -> None:
        for reply in self.door.take_replies():
            assert reply.grant_id not in self.answered
            assert reply.grant_id in self.accepted
            self.answered[reply.grant_id] = reply.result
        for card in self.panel.told[self.seen :]:
            badge = int.from_bytes(card.data, "big") >> 4 & 2**19 - 1
            assert self.answered[str(badge)] is DoorResult.PRESENTED
            assert self.now <= self.accepted[str(badge)].deadline
            assert not self.locked_down
        self.seen = len(self.panel.told)

    @invariant()
    def nobody_waits_past_the_deadline(self) -> None:
        for name, grant in self.accepted.items():
            assert name in self.answered or self.now <= grant.deadline
        presented = [name for name, result in self.answered.items() if result is DoorResult.PRESENTED]
        assert len(presented) == len(self.panel.told)


TestTraffic = Traffic.TestCase
