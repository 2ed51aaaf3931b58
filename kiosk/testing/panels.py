"""What every panel must do behind the door's own rules: fixtures `plugin` (its class) and `rigs` are the subclass's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kiosk.domain.badge import Card, CardFormat
from kiosk.domain.door.events import DoorEventKind
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Refusal
from kiosk.domain.door.panel import ONLINE_SECONDS
from kiosk.domain.door.state import DoorState, Readings
from kiosk.domain.errors import LockError
from kiosk.domain.ports.panel import Turn
from kiosk.system.clock import boottime
from kiosk.testing.panel_rig import CARD, FarSide, PanelDoor, PanelRig, made, wait_until

LONGEST_CARD = Card(37, CardFormat(37, 1).encode(524287).data)
QUIET_FOR = 0.5
"""Seconds in which a panel that is accepted has asked ten times. What it was not told by then it is not told."""


class PanelContract:
    """Subclass it as Test..., with the fixtures `plugin` and `rigs`."""

    @pytest.fixture
    def plugin(self) -> Any:
        """The panel's class, with its `Options`."""
        raise NotImplementedError

    @pytest.fixture
    def rigs(self) -> Callable[[Path], PanelRig]:
        """Makes a rig whose files are in an empty folder."""
        raise NotImplementedError

    @pytest.fixture
    def rig(self, rigs: Callable[[Path], PanelRig], tmp_path: Path) -> PanelRig:
        """The rig of most tests."""
        return rigs(tmp_path)

    @pytest.fixture
    def meet(self, plugin: Any, rig: PanelRig) -> Iterator[Callable[[FarSide], PanelDoor]]:
        """Makes a door for a panel at the other end. All are closed at the end."""
        doors: list[PanelDoor] = []

        def one(far: FarSide) -> PanelDoor:
            doors.append(PanelDoor(made(plugin, rig.options), far))
            return doors[-1]

        yield one
        for door in doors:
            door.panel.close()
            door.far.hang_up()

    @pytest.fixture
    def door(self, rig: PanelRig, meet: Callable[[FarSide], PanelDoor]) -> PanelDoor:
        """Online, with nothing told yet."""
        door = meet(rig.far())
        door.online()
        return door

    def test_a_grant_is_presented_once(self, door: PanelDoor) -> None:
        assert door.grant() is None
        door.until(lambda: bool(door.replies))
        assert door.replies == [DoorReply("g", DoorResult.PRESENTED)]
        door.told()
        door.for_seconds(QUIET_FOR)
        assert door.far.cards == [CARD]

    def test_a_repeated_grant_presents_nothing(self, door: PanelDoor) -> None:
        door.grant()
        door.told()
        assert door.refused("g") == (DoorResult.REFUSED, Refusal.REPEATED)
        door.for_seconds(QUIET_FOR)
        assert door.far.cards == [CARD]

    def test_a_late_grant_presents_nothing(self, door: PanelDoor) -> None:
        assert door.refused("g", age=MAX_GRANT_SECONDS + 0.1)[0] is DoorResult.REFUSED
        door.for_seconds(QUIET_FOR)
        assert door.far.cards == []

    def test_a_panel_that_asks_after_the_deadline_is_told_nothing(self, door: PanelDoor) -> None:
        """It dies in the middle, and comes back: what waited for it is over."""
        door.asks = False
        door.turn()
        assert door.grant() is None
        door.until(lambda: bool(door.replies))
        assert door.replies == [DoorReply("g", DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)]
        door.until(lambda: door.machine.state is not DoorState.PANEL)
        assert door.refused("h") == (DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)
        door.asks = True
        door.online()
        door.for_seconds(QUIET_FOR)
        assert door.far.cards == []
        assert door.grant("i") is None
        door.told()
        assert door.replies[-1] == DoorReply("i", DoorResult.PRESENTED)

    def test_without_the_right_key_nobody_is_told_anything(
        self, plugin: Any, rigs: Callable[[Path], PanelRig], tmp_path: Path
    ) -> None:
        for name in rigs(tmp_path).strangers:
            folder = tmp_path / name
            folder.mkdir()
            rig = rigs(folder)
            far = rig.strangers[name]()
            door, states = PanelDoor(made(plugin, rig.options), far), set[DoorState]()
            end = boottime() + ONLINE_SECONDS
            while boottime() < end:
                states.add(door.machine.state)
                door.grant(f"g{boottime()}")
                door.turn()
            assert (states, far.secure, far.cards) == ({DoorState.UNKNOWN}, False, []), name
            door.panel.close()
            far.hang_up()

    def test_lockdown_stops_what_waits_and_what_comes(self, door: PanelDoor) -> None:
        assert door.grant() is None
        door.machine.lockdown(True, boottime())
        assert door.refused("h")[1] == Refusal.LOCKDOWN
        door.for_seconds(QUIET_FOR)
        assert door.replies == [DoorReply("g", DoorResult.REFUSED, Refusal.LOCKDOWN)]
        assert door.far.cards == []
        door.machine.lockdown(False, boottime())
        assert door.grant("i") is None
        door.told()

    def test_no_order_of_the_panel_changes_anything_or_says_that_the_door_opened(
        self, plugin: Any, rigs: Callable[[Path], PanelRig], tmp_path: Path
    ) -> None:
        for number in range(len(rigs(tmp_path).orders)):
            folder = tmp_path / f"order{number}"
            folder.mkdir()
            rig = rigs(folder)
            far = rig.far()
            door = PanelDoor(made(plugin, rig.options), far)
            door.until(lambda: door.far.online)  # noqa: B023 - waited for in here
            rig.orders[number](door.far)
            door.for_seconds(2 * QUIET_FOR)
            assert {news.kind for news in door.machine.take_news()} == {DoorEventKind.STARTED}
            # The panel begins anew: with the old key, at the old address.
            door.far.restart()
            door.until(lambda: door.far.online)  # noqa: B023
            assert door.grant("after") is None
            door.told()
            assert door.far.cards == [CARD]
            door.panel.close()
            door.far.hang_up()

    def test_a_line_that_is_gone_is_a_fault_until_it_is_back(self, door: PanelDoor, rig: PanelRig) -> None:
        assert door.grant() is None
        door.asks = False
        door.far.hang_up()
        door.until(lambda: door.machine.state is DoorState.FAULT)
        assert [(r.result, r.reason) for r in door.replies] == [(DoorResult.UNAVAILABLE, Refusal.FAULT)]
        assert door.machine.fault
        door.far, door.asks = rig.far(), True
        door.online()
        door.grant("again")
        door.told()

    def test_a_panel_counts_as_a_real_lock_and_knows_no_state_of_the_door(self, door: PanelDoor) -> None:
        assert not door.panel.simulated
        assert door.panel.read() == Readings()
        door.panel.sound(True)

    def test_options_are_checked(self, plugin: Any, rig: PanelRig) -> None:
        unknown: dict[str, object] = {"unknown": 1}
        for wrong in (unknown, *rig.wrong):
            with pytest.raises(ValidationError):
                plugin.Options.model_validate(rig.options | wrong)

    def test_a_panel_without_line_or_key_is_not_made(
        self, plugin: Any, rigs: Callable[[Path], PanelRig], tmp_path: Path
    ) -> None:
        for number in range(len(rigs(tmp_path).lost)):
            folder = tmp_path / f"lost{number}"
            folder.mkdir()
            rig = rigs(folder)
            far = rig.far()
            rig.lost[number]()
            with pytest.raises(LockError) as raised:
                made(plugin, rig.options)
            assert len(str(raised.value).splitlines()) == 1
            assert not [secret for secret in rig.secrets if secret in str(raised.value)]
            far.hang_up()

    def test_two_panels_cannot_use_the_same_line(self, plugin: Any, door: PanelDoor, rig: PanelRig) -> None:
        with pytest.raises(LockError, match="another program"):
            made(plugin, rig.options)

    def test_a_card_is_offered_only_in_its_own_turn(self, door: PanelDoor) -> None:
        """Offered while the panel does not ask, and not offered when it does."""
        door.asks = False
        for _ in range(20):
            door.panel.turn(CARD)
        door.asks = True
        door.for_seconds(QUIET_FOR)
        assert door.far.cards == []

    def test_a_closed_panel_frees_its_line(self, plugin: Any, rig: PanelRig) -> None:
        far = rig.far()
        before = len(list(Path("/proc/self/fd").iterdir()))
        made(plugin, rig.options).close()
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        far.hang_up()

    def test_the_longest_card_is_sent_completely(self, door: PanelDoor) -> None:
        wait_until(lambda: door.panel.turn(LONGEST_CARD) is Turn.PRESENTED, door.far.turn)
        door.told()
        assert door.far.cards == [LONGEST_CARD]
