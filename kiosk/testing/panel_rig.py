"""How the suite of kiosk.testing.panels builds a panel, and what stands around it: the door, and the other end of the
line."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kiosk.domain.badge import Card, CardFormat
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.door.panel import PanelMachine
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorState
from kiosk.domain.ports.panel import Panel
from kiosk.system.clock import boottime

PATIENCE = 30.0
"""Seconds after which a test fails instead of waiting on."""
FORMAT = CardFormat(26, 118)
BADGE = 1603
CARD = FORMAT.encode(BADGE)


class FarSide(Protocol):
    """The panel at the other end of the line. It does nothing by itself: the test calls `turn`."""

    @property
    def cards(self) -> Sequence[Card]:
        """The cards that it was told, in order."""

    @property
    def online(self) -> bool:
        """Whether it has a reader: in the secure channel, if it has a key."""

    @property
    def secure(self) -> bool:
        """Whether there is a secure channel."""

    def turn(self) -> None:
        """Reads what has come, and asks the reader when it is time."""

    def restart(self) -> None:
        """Starts again on the same line with the same key and address, as after a power cut."""

    def hang_up(self) -> None:
        """The line is gone. Calling it twice changes nothing."""


@dataclass
class PanelRig:
    """How a panel is built, and who is at the other end.

    `far` makes the right panel at the other end of the line, again after `hang_up`. `strangers` make one that does not
    have the right key, by a name for it. `wrong` are options that must be refused. Each of `lost` makes it impossible
    to build the panel: no line, no key, a key that others can read. `orders` are commands that the far side can send
    and that would change something (address, key, outputs). `secrets` may be in no error message.
    """

    options: dict[str, object]
    far: Callable[[], FarSide]
    strangers: dict[str, Callable[[], FarSide]]
    wrong: Sequence[dict[str, object]]
    lost: Sequence[Callable[[], object]]
    orders: Sequence[Callable[[Any], None]] = ()
    secrets: Sequence[str] = ()


def made(plugin: Any, options: dict[str, object]) -> Panel:
    """As kiosk-door makes one, from the section's own keys."""
    panel: Panel = plugin(plugin.Options.model_validate(options))
    return panel


def wait_until(true: Callable[[], bool], turn: Callable[[], None] = lambda: None) -> None:
    """Turns until something is true. Fails after PATIENCE."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it never came true"
        turn()
        select.select([], [], [], 0.002)


@dataclass
class PanelDoor:
    """The state machine of kiosk-door with its panel, and the other end of the line. The test turns them all."""

    panel: Panel
    far: FarSide
    asks: bool = True
    """Whether the far side is turned."""
    replies: list[DoorReply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = PanelMachine(self.panel, FORMAT, boottime(), DoorRules())
        self.machine.start(boottime())

    def turn(self) -> None:
        """One turn of all."""
        if self.asks:
            self.far.turn()
        fd = self.panel.fileno()
        select.select([] if fd is None else [fd], [], [], 0.005)
        self.machine.tick(boottime())
        self.replies += self.machine.take_replies()

    def until(self, true: Callable[[], bool]) -> None:
        """Turns until something is true."""
        wait_until(true, self.turn)

    def for_seconds(self, seconds: float) -> None:
        """Turns for so long."""
        end = boottime() + seconds
        self.until(lambda: boottime() >= end)

    def online(self) -> None:
        """Turns until the panel asks."""
        self.until(lambda: self.machine.state is DoorState.PANEL)

    def told(self) -> None:
        """Turns until the far side was told of a card."""
        self.until(lambda: bool(self.far.cards))

    def grant(self, name: str = "g", age: float = 0.0) -> DoorReply | None:
        """Asks for a grant; its answer if that is not to wait for the panel."""
        now = boottime()
        return self.machine.grant(Grant(name, now - age, now - age + MAX_GRANT_SECONDS, badge=BADGE), 1, now)

    def refused(self, name: str, age: float = 0.0) -> tuple[DoorResult, str]:
        """The result and reason of a grant that must be answered at once."""
        reply = self.grant(name, age)
        assert reply is not None
        return reply.result, reply.reason
