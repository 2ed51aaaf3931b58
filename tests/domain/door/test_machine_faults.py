"""Every fault in every state, and what comes of it: written to deploy/door-faults.md, for whoever audits a door.

The file is generated from what the state machine does: `KIOSK_WRITE_FAULTS=1 pytest` with this file writes it, and
otherwise the test fails when it is stale. What no outcome may ever be is asserted for each cell.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, groupby
from pathlib import Path

import pytest

from kiosk.domain.door.events import DoorEventKind
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorResult, Grant, Span
from kiosk.domain.door.inputs import CHATTER_CHANGES
from kiosk.domain.door.machine import DoorMachine
from kiosk.domain.door.passage import GRACE_SECONDS, REX_STUCK_SECONDS
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorMode, DoorState, Readings
from kiosk.domain.errors import LockError, LockLostError

FILE = Path(__file__).parents[3] / "deploy" / "door-faults.md"
RULES = DoorRules()
KIOSK, STAFF = 1, 2
Kind = DoorEventKind


@dataclass
class World:
    """A door whose time passes as it is told, woken as kiosk-door is."""

    now: float = 1000.0
    level: str = "unknown"
    stuck: bool = False
    readable: bool = True
    lockdown: bool = False
    simulated: bool = True
    readings: Readings = field(default_factory=lambda: Readings(open=False, rex=False, tamper=False))

    def __post_init__(self) -> None:
        self.told: list[str] = []
        self._ids = count()
        self.sent: list[Grant] = []
        self.start()
        self.wait(10)

    def start(self) -> None:
        """kiosk-door begins."""
        self.door = DoorMachine(self, self.now, RULES, lockdown=self.lockdown)
        self.door.start(self.now)
        self.sense()

    def secure(self) -> None:
        """The port Lock."""
        if self.stuck:
            raise LockError("stuck")
        self.level = "secured"

    def release(self, seconds: float) -> None:
        """The port Lock."""
        if self.stuck:
            raise LockError("stuck")
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

    def sense(self) -> None:
        """One turn."""
        self.door.observe(self.readings if self.readable else None, self.now)
        for news in self.door.take_news():
            self.told.append(news.kind.value + (f" ({news.reason})" if news.reason else ""))

    def wait(self, seconds: float) -> None:
        """Time passes."""
        until = self.now + seconds
        while (due := self.door.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self.sense()
        self.now = until
        self.sense()

    def move(self, **levels: bool) -> None:
        """Something happens to the door, and its contact is believed."""
        self.readings = replace(self.readings, **levels)
        self.sense()
        self.wait(2 * RULES.passage.debounce_seconds)

    def grant(self, span: Span = Span.NORMAL, age: float = 0.0, client: int = KIOSK) -> str:
        """What comes of a grant."""
        at = self.now - age
        return self.send(Grant(f"g{next(self._ids)}", at, at + MAX_GRANT_SECONDS, span), client)

    def send(self, grant: Grant, client: int = KIOSK) -> str:
        """What comes of it."""
        self.sent.append(grant)
        reply = self.door.grant(grant, client, self.now)
        self.sense()
        return "released" if reply.result is DoorResult.RELEASED else f"refused: {reply.reason}"


# States


def secured(w: World) -> None:
    w.grant()
    w.wait(RULES.release_seconds + GRACE_SECONDS + 1)


def released(w: World) -> None:
    w.grant()


def passing(w: World) -> None:
    w.grant()
    w.move(open=True)


def open_after(w: World) -> None:
    passing(w)
    w.wait(RULES.release_seconds)


def held_soon(w: World) -> None:
    passing(w)
    w.wait(RULES.passage.held_seconds - 5)


def held(w: World) -> None:
    passing(w)
    w.wait(RULES.passage.held_seconds)


def forced(w: World) -> None:
    secured(w)
    w.move(open=True)


def held_open_by_a_lease(w: World) -> None:
    secured(w)
    w.grant(Span.HOLD_OPEN)


def lockdown(w: World) -> None:
    secured(w)
    w.door.lockdown(True, w.now)
    w.lockdown = True


def lock_fault(w: World) -> None:
    w.grant()
    w.stuck = True
    w.wait(RULES.release_seconds)


STATES: dict[str, Callable[[World], None]] = {
    "secured, closed": secured,
    "released, closed": released,
    "released, open": passing,
    "secured, still open": open_after,
    "held open, warning": held_soon,
    "held open, alarm": held,
    "forced open": forced,
    "held open by a lease": held_open_by_a_lease,
    "lockdown": lockdown,
    "lock in fault": lock_fault,
}

# Faults


def nothing(w: World) -> None:
    w.wait(0.1)


def client_dies(w: World) -> None:
    w.door.client_gone(KIOSK, w.now)


def another_dies(w: World) -> None:
    w.door.client_gone(STAFF, w.now)


def door_dies(w: World) -> None:
    w.wait(0.5)
    w.told.clear()
    w.start()


def lock_sticks(w: World) -> None:
    w.stuck = True


def lock_heals(w: World) -> None:
    w.stuck = False
    w.wait(0.3)


def relay_moved(w: World) -> None:
    w.level = "released"
    w.door.lost(LockLostError("moved"), w.now)


def inputs_go(w: World) -> None:
    w.readable = False


def contact_cut(w: World) -> None:
    w.move(open=True)


def chatter(w: World) -> None:
    for _ in range(CHATTER_CHANGES + 2):
        w.readings = replace(w.readings, open=not w.readings.open)
        w.sense()
        w.wait(0.01)


def rex_chatter(w: World) -> None:
    for _ in range(CHATTER_CHANGES + 2):
        w.readings = replace(w.readings, rex=not w.readings.rex)
        w.sense()
        w.wait(0.01)


def rex_and_out(w: World) -> None:
    w.move(rex=True)
    w.move(rex=False, open=True)


def rex_stuck(w: World) -> None:
    w.move(rex=True)
    w.wait(REX_STUCK_SECONDS + 1)


def tamper(w: World) -> None:
    w.move(tamper=True)


def repeated(w: World) -> None:
    assert w.send(w.sent[0]).startswith("refused")


def late(w: World) -> None:
    assert w.grant(age=MAX_GRANT_SECONDS + 0.01) == "refused: late"


def from_before(w: World) -> None:
    at = 1000.0 - 0.1
    assert w.send(Grant("before", at, at + MAX_GRANT_SECONDS)).startswith("refused")


def command(w: World) -> None:
    w.door.secure(w.now)


def goes_into_lockdown(w: World) -> None:
    w.door.lockdown(True, w.now)
    w.lockdown = True


FAULTS: dict[str, tuple[str, Callable[[World], None]]] = {
    "nothing": ("For comparison.", nothing),
    "the kiosk dies": ("Killed, crashed, or its connection is lost.", client_dies),
    "another client dies": ("One that holds no release.", another_dies),
    "kiosk-door dies": (
        "And is started again after half a second; meanwhile the line is what the board makes of it: door.md.",
        door_dies,
    ),
    "the lock's driver fails": ("It raises whatever it is told.", lock_sticks),
    "the lock's driver works again": ("", lock_heals),
    "the lock is not as it was set": ("It says so itself (a USB relay that another program moved).", relay_moved),
    "the inputs cannot be read": ("", inputs_go),
    "the contact's wire is cut": ("By its wiring it reads open.", contact_cut),
    "the contact chatters": (f"{CHATTER_CHANGES + 2} changes in a fraction of a second.", chatter),
    "somebody leaves by the exit button": ("The button itself releases in hardware.", rex_and_out),
    "the exit button chatters": (
        f"{CHATTER_CHANGES + 2} changes in a fraction of a second. Then it excuses nothing; the way out is hardware.",
        rex_chatter,
    ),
    "the exit button is stuck": (f"For {REX_STUCK_SECONDS:g} s and more.", rex_stuck),
    "the housing is opened": ("", tamper),
    "a grant is repeated": ("", repeated),
    "a grant is late": ("", late),
    "a grant from before kiosk-door's start": ("", from_before),
    "somebody commands to secure": ("", command),
    "somebody commands a lockdown": ("", goes_into_lockdown),
}


@dataclass(frozen=True)
class Cell:
    """What came of a fault in a state."""

    level: str
    seconds: float | None
    told: tuple[str, ...]
    next_grant: str

    @property
    def lock(self) -> str:
        """In words."""
        if self.level == "secured":
            return "secured"
        return "released until it works again" if self.seconds is None else f"released for {self.seconds:g} s more"


def look(state: Callable[[World], None], fault: Callable[[World], None]) -> Cell:
    """Brings a door into a state, lets the fault happen, and looks."""
    world = World()
    state(world)
    world.sense()
    world.told.clear()
    fault(world)
    world.sense()
    check(world)
    told, level, begun = tuple(world.told), world.level, world.now
    ends = begun if level == "secured" else when_secured(world)
    return Cell(level, None if ends is None else round(ends - begun, 1), told, next_grant(state, fault))


def when_secured(world: World) -> float | None:
    """When the lock is secured if nothing else happens; None when that does not end by itself."""
    while (due := world.door.deadline) is not None and due < world.now + RULES.max_release_seconds:
        world.now = max(world.now, due)
        world.sense()
        if world.level == "secured":
            return world.now
        if world.door.state is DoorState.FAULT:
            return None
    raise AssertionError("released without an end")


def next_grant(state: Callable[[World], None], fault: Callable[[World], None]) -> str:
    """What would come of a good grant right afterwards."""
    world = World()
    state(world)
    fault(world)
    return world.grant()


def check(world: World) -> None:
    """What no outcome may ever be."""
    assert world.level == "secured" or world.door.state in {DoorState.RELEASED, DoorState.FAULT}
    assert world.door.mode is not DoorMode.LOCKDOWN or world.level == "secured" or world.stuck
    assert world.door.status().released_until is None or world.level == "released"


def cells() -> dict[str, dict[str, Cell]]:
    return {name: {place: look(state, fault) for place, state in STATES.items()} for name, (_, fault) in FAULTS.items()}


@pytest.fixture(scope="module")
def matrix() -> dict[str, dict[str, Cell]]:
    return cells()


def counted(told: tuple[str, ...]) -> str:
    """Each once, with how often it was told in a row."""
    runs = [(what, len(list(run))) for what, run in groupby(told)]
    return ", ".join(what if times == 1 else f"{what} ({times} times)" for what, times in runs)


def text(matrix: dict[str, dict[str, Cell]]) -> str:
    """The file."""
    lines = [
        "# The door: every fault in every state",
        "",
        "Generated by tests/domain/door/test_machine_faults.py from the state machine; it fails when this is stale.",
        f"Default times: release {RULES.release_seconds:g} s, held {RULES.passage.held_seconds:g} s, lease "
        f"{RULES.lease_seconds:g} s.",
        "*Lock*: right after the fault, and how long until it is secured when nothing else happens.",
        "*Told*: the events of kiosk-door. *Next grant*: what comes of a good one right afterwards.",
        "The way out is hardware's in every cell.",
    ]
    for name, row in matrix.items():
        remark = FAULTS[name][0]
        lines += ["", f"## {name[0].upper()}{name[1:]}", ""]
        lines += [remark, ""] if remark else []
        lines += ["| state | lock | told | next grant |", "| --- | --- | --- | --- |"]
        for state, cell in row.items():
            lines.append(f"| {state} | {cell.lock} | {counted(cell.told) or '-'} | {cell.next_grant} |")
    return "\n".join(lines) + "\n"


def test_the_page_of_door_faults_matches_the_state_machine(matrix: dict[str, dict[str, Cell]]) -> None:
    if os.environ.get("KIOSK_WRITE_FAULTS"):
        FILE.write_text(text(matrix))
    assert FILE.read_text() == text(matrix), (
        "KIOSK_WRITE_FAULTS=1 pytest tests/domain/door/test_machine_faults.py writes it"
    )


def test_only_a_good_grant_lengthens_what_is_released(matrix: dict[str, dict[str, Cell]]) -> None:
    for name, row in matrix.items():
        for state, cell in row.items():
            before = matrix["nothing"][state]
            assert cell.level == "secured" or before.level == "released", (name, state)
            assert cell.seconds is None or cell.seconds <= (before.seconds or 0.0) + 0.2, (name, state)


SECURING = ("the kiosk dies", "kiosk-door dies", "the lock is not as it was set", "somebody commands to secure")


@pytest.mark.parametrize("fault", SECURING)
def test_what_secures_at_once_in_every_state(matrix: dict[str, dict[str, Cell]], fault: str) -> None:
    assert {cell.level for state, cell in matrix[fault].items() if state != "lock in fault"} == {"secured"}


def test_a_lockdown_refuses_in_every_state(matrix: dict[str, dict[str, Cell]]) -> None:
    assert {c.next_grant for c in matrix["somebody commands a lockdown"].values()} == {"refused: lockdown"}
    kept = {fault: row["lockdown"].next_grant for fault, row in matrix.items()}
    assert set(kept.values()) == {"refused: lockdown"}


def test_leaving_by_the_exit_button_never_counts_as_forced(matrix: dict[str, dict[str, Cell]]) -> None:
    for state, cell in matrix["somebody leaves by the exit button"].items():
        assert Kind.FORCED_OPEN.value not in cell.told, state


def test_a_cut_contact_alarms_a_secured_door(matrix: dict[str, dict[str, Cell]]) -> None:
    for state in ("secured, closed", "lockdown"):
        assert Kind.FORCED_OPEN.value in matrix["the contact's wire is cut"][state].told
