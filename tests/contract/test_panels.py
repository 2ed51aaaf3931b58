"""One suite for every panel that is registered under the entry points `kiosk.panels`, behind the door's own rules.

A panel that is added there fails here until it has a Rig: a real panel at the other end of its line.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import osdp_sys
import pytest
from pydantic import ValidationError

from kiosk import plugins
from kiosk.domain.badge import Card, CardFormat
from kiosk.domain.door.events import DoorEventKind
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Refusal
from kiosk.domain.door.panel import ONLINE_SECONDS, PanelMachine
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorState, Readings
from kiosk.domain.errors import LockError
from kiosk.domain.ports.panel import Panel
from kiosk.system.clock import boottime
from tests.control_panel import DEFAULT_KEY, KEY, OTHER_KEY, ControlPanel, wait_until

NAMES = sorted({point.name for point in entry_points(group="kiosk.panels")})
FORMAT = CardFormat(26, 118)
BADGE = 1603
CARD = FORMAT.encode(BADGE)
REFUSED_FOR = 0.5
"""Seconds in which a panel that is accepted asks ten times, and is in the secure channel at once."""


@dataclass
class Rig:
    """`far` makes the panel at the other end, of these kinds: "good", "wrong_key", "plain", "install"."""

    options: dict[str, object]
    far: Callable[[str], ControlPanel]
    wrong: list[dict[str, object]] = field(default_factory=list)
    """Options that must be refused."""
    lost: list[Callable[[], None]] = field(default_factory=list)
    """Each makes it impossible to be built."""


def osdp(folder: Path) -> Rig:
    link, key = folder / "line", folder / "key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    kinds: dict[str, dict[str, Any]] = {
        "good": {},
        "wrong_key": {"key": OTHER_KEY},
        "plain": {"key": None},
        "install": {"key": OTHER_KEY, "install": True},
    }
    options: dict[str, object] = {"device": str(link), "key_file": str(key)}
    return Rig(
        options,
        lambda kind: ControlPanel(link, **kinds[kind]),
        [{"device": ""}, {"baud": 1200}, {"baud": "9600"}, {"address": 127}, {"install": True}, {"scbk": KEY.hex()}],
        [
            key.unlink,
            lambda: key.chmod(0o640),
            lambda: (key.write_text("secret"), None)[1],
            lambda: (key.write_text(DEFAULT_KEY.hex()), None)[1],
            link.unlink,
            lambda: (link.unlink(), link.touch(), None)[2],
        ],
    )


RIGS: dict[str, Callable[[Path], Rig]] = {"osdp": osdp}


def test_every_panel_is_tested_here() -> None:
    assert set(RIGS) == set(NAMES)


def build(name: str, options: dict[str, object]) -> Panel:
    cls: Any = plugins.load("panels", name)
    panel: Panel = cls(cls.Options.model_validate(options))
    return panel


class Door:
    """A machine with its panel, and the other end of the line: all turned by the test."""

    def __init__(self, name: str, rig: Rig, kind: str) -> None:
        self.rig = rig
        self.far = rig.far(kind)
        self.panel = build(name, rig.options)
        self.machine = PanelMachine(self.panel, FORMAT, boottime(), DoorRules())
        self.replies: list[DoorReply] = []
        self.asks = True
        self.machine.start(boottime())

    def turn(self) -> None:
        if self.asks:
            self.far.turn()
        fd = self.panel.fileno()
        assert fd is not None
        select.select([fd], [], [], 0.005)
        self.machine.tick(boottime())
        self.replies += self.machine.take_replies()

    def until(self, true: Callable[[], bool]) -> None:
        wait_until(true, self.turn)

    def for_seconds(self, seconds: float) -> None:
        end = boottime() + seconds
        self.until(lambda: boottime() >= end)

    def online(self) -> None:
        self.until(lambda: self.machine.state is DoorState.PANEL)

    def grant(self, name: str = "g", age: float = 0.0) -> DoorReply | None:
        now = boottime()
        return self.machine.grant(Grant(name, now - age, now - age + MAX_GRANT_SECONDS, badge=BADGE), 1, now)

    def close(self) -> None:
        self.panel.close()
        self.far.hang_up()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(name: str, tmp_path: Path) -> Rig:
    return RIGS[name](tmp_path)


@pytest.fixture
def make(name: str, rig: Rig) -> Iterator[Callable[[str], Door]]:
    doors: list[Door] = []

    def one(kind: str) -> Door:
        doors.append(Door(name, rig, kind))
        return doors[-1]

    yield one
    for door in doors:
        door.close()


@pytest.fixture
def door(make: Callable[[str], Door]) -> Door:
    """Online, with nothing told yet."""
    door = make("good")
    door.online()
    return door


def test_a_grant_is_presented_once(door: Door) -> None:
    assert door.grant() is None
    door.until(lambda: bool(door.replies))
    assert door.replies == [DoorReply("g", DoorResult.PRESENTED)]
    door.until(lambda: bool(door.far.cards))
    door.for_seconds(REFUSED_FOR)
    assert door.far.cards == [CARD]


def test_a_repeated_grant_presents_nothing(door: Door) -> None:
    door.grant()
    door.until(lambda: bool(door.far.cards))
    reply = door.grant()
    assert reply is not None
    assert (reply.result, reply.reason) == (DoorResult.REFUSED, Refusal.REPEATED)
    door.for_seconds(REFUSED_FOR)
    assert door.far.cards == [CARD]


def test_a_late_grant_presents_nothing(door: Door) -> None:
    reply = door.grant(age=MAX_GRANT_SECONDS + 0.1)
    assert reply is not None
    assert reply.result is DoorResult.REFUSED
    door.for_seconds(REFUSED_FOR)
    assert door.far.cards == []


def test_a_panel_that_asks_after_the_deadline_is_told_nothing(door: Door) -> None:
    """It dies in the middle, and comes back: what waited for it is over."""
    door.asks = False
    door.turn()
    assert door.grant() is None
    door.until(lambda: bool(door.replies))
    assert door.replies == [DoorReply("g", DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)]
    door.until(lambda: door.machine.state is not DoorState.PANEL)
    reply = door.grant("h")
    assert reply is not None
    assert (reply.result, reply.reason) == (DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)
    door.asks = True
    door.online()
    door.for_seconds(REFUSED_FOR)
    assert door.far.cards == []
    assert door.grant("i") is None
    door.until(lambda: bool(door.far.cards))
    assert door.replies[-1] == DoorReply("i", DoorResult.PRESENTED)


@pytest.mark.parametrize("kind", ["wrong_key", "plain", "install"])
def test_without_the_right_key_nobody_is_told_anything(make: Callable[[str], Door], kind: str) -> None:
    door = make(kind)
    states: set[DoorState] = set()

    def turn() -> None:
        states.add(door.machine.state)
        door.grant(f"g{boottime()}")

    end = boottime() + ONLINE_SECONDS
    door.until(lambda: (turn(), boottime() >= end)[1])
    assert (states, door.far.secure, door.far.cards) == ({DoorState.UNKNOWN}, False, [])


def test_lockdown_stops_what_waits_and_what_comes(door: Door) -> None:
    assert door.grant() is None
    door.machine.lockdown(True, boottime())
    reply = door.grant("h")
    assert reply is not None
    assert reply.reason == Refusal.LOCKDOWN
    door.for_seconds(REFUSED_FOR)
    assert door.replies == [DoorReply("g", DoorResult.REFUSED, Refusal.LOCKDOWN)]
    assert door.far.cards == []
    door.machine.lockdown(False, boottime())
    assert door.grant("i") is None
    door.until(lambda: bool(door.far.cards))


@pytest.mark.parametrize(
    "command",
    [
        {"command": osdp_sys.CMD_COMSET, "address": 5, "baud_rate": 115200},
        {"command": osdp_sys.CMD_KEYSET, "type": 1, "data": OTHER_KEY},
        {"command": osdp_sys.CMD_MFG, "vendor_code": 1, "data": b"open"},
    ],
)
def test_no_command_of_the_panel_changes_anything_or_says_that_the_door_opened(
    door: Door, command: dict[str, object]
) -> None:
    """Outputs, lamps and buzzers are not offered, so that this panel does not even send them."""
    door.until(lambda: door.far.online)
    door.far.command(**command)
    door.for_seconds(2 * REFUSED_FOR)
    assert {news.kind for news in door.machine.take_news()} == {DoorEventKind.STARTED}
    # The panel begins anew: with the old key, at the old address.
    door.far.restart()
    door.until(lambda: door.far.online)
    assert door.grant("after") is None
    door.until(lambda: bool(door.far.cards))
    assert door.far.cards == [CARD]


def test_a_line_that_is_gone_is_a_fault_until_it_is_back(door: Door) -> None:
    assert door.grant() is None
    door.asks = False
    door.far.hang_up()
    door.until(lambda: door.machine.state is DoorState.FAULT)
    assert [(r.result, r.reason) for r in door.replies] == [(DoorResult.UNAVAILABLE, Refusal.FAULT)]
    assert door.machine.fault
    door.far, door.asks = door.rig.far("good"), True
    door.online()
    door.grant("again")
    door.until(lambda: bool(door.far.cards))


def test_a_panel_counts_as_a_real_lock_and_knows_no_state_of_the_door(door: Door) -> None:
    assert not door.panel.simulated
    assert door.panel.read() == Readings()
    door.panel.sound(True)


def test_wrong_panel_options_are_named(name: str, rig: Rig) -> None:
    cls: Any = plugins.load("panels", name)
    for wrong in rig.wrong:
        with pytest.raises(ValidationError):
            cls.Options.model_validate(rig.options | wrong)


def test_a_panel_without_line_or_key_is_not_made(name: str, tmp_path: Path) -> None:
    for number in range(len(RIGS[name](tmp_path).lost)):
        folder = tmp_path / str(number)
        folder.mkdir()
        rig = RIGS[name](folder)
        far = rig.far("good")
        rig.lost[number]()
        with pytest.raises(LockError) as raised:
            build(name, rig.options)
        assert len(str(raised.value).splitlines()) == 1
        assert KEY.hex() not in str(raised.value)
        far.hang_up()


def test_two_panels_cannot_use_the_same_line(door: Door, name: str) -> None:
    with pytest.raises(LockError, match="another program"):
        build(name, door.rig.options)


def test_a_card_is_offered_only_in_its_own_turn(door: Door) -> None:
    """Offered while the panel does not ask, and not offered when it does."""
    door.asks = False
    for _ in range(20):
        door.panel.turn(CARD)
    door.asks = True
    door.for_seconds(REFUSED_FOR)
    assert door.far.cards == []


def test_a_closed_panel_frees_its_line(name: str, rig: Rig) -> None:
    far = rig.far("good")
    before = len(list(Path("/proc/self/fd").iterdir()))
    panel = build(name, rig.options)
    panel.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    far.hang_up()


def test_the_longest_card_is_sent_completely(door: Door) -> None:
    long = Card(37, CardFormat(37, 1).encode(524287).data)
    wait_until(lambda: door.panel.turn(long) == "presented", door.far.turn)
    wait_until(lambda: bool(door.far.cards), door.turn)
    assert door.far.cards == [long]
