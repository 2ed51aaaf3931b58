"""The lasting conditions at a door, derived from notices: for notifiers that show a state and not only events.

kiosk-notify keeps one Conditions object for all notifiers, in its outbox. It takes each notice when it arrives, so a
notice still counts if it was dropped for lack of room or came before a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Self

from kiosk.domain.decision import Reason
from kiosk.domain.door.events import DoorEventKind
from kiosk.domain.door.state import Alarm
from kiosk.domain.notices import LOST, REACHED, KioskEventKind, Notice


class Condition(StrEnum):
    """A condition of the door or the kiosk. Each is on, off or unknown."""

    OPEN = "open"
    RELEASED = "released"
    FORCED_OPEN = "forced_open"
    HELD_OPEN = "held_open"
    TAMPER = "tamper"
    FAULT = "fault"
    LOCKDOWN = "lockdown"
    KIOSK_FAULT = "kiosk_fault"
    FACE_OFF = "face_off"
    """A face alone lets nobody in, because too many faces were refused."""
    DOOR_LOST = "door_lost"
    KIOSK_LOST = "kiosk_lost"


ALARMS = frozenset(Condition) - {Condition.OPEN, Condition.RELEASED, Condition.LOCKDOWN}
"""The conditions that call for somebody to come."""

Change = dict[Condition, bool | None]
Present = Callable[[], Change]
"""Returns the present conditions; callable from any thread."""


def alarmed(now: Change) -> bool:
    """Whether a condition in `now` calls for somebody to come."""
    return any(on for condition, on in now.items() if condition in ALARMS)


_OF_DOOR: dict[DoorEventKind, Change] = {
    DoorEventKind.OPENED: {Condition.OPEN: True},
    DoorEventKind.CLOSED: {Condition.OPEN: False},
    DoorEventKind.RELEASED: {Condition.RELEASED: True},
    DoorEventKind.SECURED: {Condition.RELEASED: False},
    DoorEventKind.FORCED_OPEN: {Condition.FORCED_OPEN: True},
    DoorEventKind.HELD_OPEN: {Condition.HELD_OPEN: True},
    DoorEventKind.TAMPER: {Condition.TAMPER: True},
    DoorEventKind.TAMPER_ENDED: {Condition.TAMPER: False},
    DoorEventKind.LOCKDOWN: {Condition.LOCKDOWN: True},
    DoorEventKind.LOCKDOWN_ENDED: {Condition.LOCKDOWN: False},
    # Unknown until the door process has read the contact again.
    DoorEventKind.STOPPED: {Condition.OPEN: None, Condition.RELEASED: None},
}
_CHANGES: dict[str, Change] = {
    **{f"door.{kind}": change for kind, change in _OF_DOOR.items()},
    f"kiosk.{KioskEventKind.STARTED}": {Condition.KIOSK_FAULT: False, Condition.FACE_OFF: False},
    f"notify.door_{LOST}": {Condition.DOOR_LOST: True},
    f"notify.door_{REACHED}": {Condition.DOOR_LOST: False},
    f"notify.kiosk_{LOST}": {Condition.KIOSK_LOST: True},
    f"notify.kiosk_{REACHED}": {Condition.KIOSK_LOST: False},
}
_FAULTS = {
    f"door.{DoorEventKind.FAULT}": (Condition.FAULT, True),
    f"door.{DoorEventKind.FAULT_ENDED}": (Condition.FAULT, False),
    f"kiosk.{KioskEventKind.FAULT}": (Condition.KIOSK_FAULT, True),
    f"kiosk.{KioskEventKind.RECOVERED}": (Condition.KIOSK_FAULT, False),
}
_STARTED = {
    f"door.{DoorEventKind.STARTED}": Condition.FAULT,
    f"kiosk.{KioskEventKind.STARTED}": Condition.KIOSK_FAULT,
}


class Conditions:
    """Takes notices in order. A notice that arrives twice changes nothing the second time."""

    def __init__(self) -> None:
        self._faults: set[tuple[Condition, str]] = set()
        self._now: Change = {}

    def take(self, notice: Notice) -> Change:
        """Applies `notice` and returns the conditions that it sets; None means unknown."""
        change = self._change(notice)
        self._now |= change
        return change

    def now(self) -> Change:
        """The present value of every condition that a notice has ever set."""
        return dict(self._now)

    @property
    def alarmed(self) -> bool:
        """Whether one of ALARMS holds."""
        return alarmed(self._now)

    def dump(self) -> str:
        """As JSON, for load()."""
        faults = sorted([condition.value, reason] for condition, reason in self._faults)
        return json.dumps({"now": {condition.value: on for condition, on in self._now.items()}, "faults": faults})

    @classmethod
    def load(cls, text: str) -> Self:
        """Reads what dump() wrote. Knows no condition if `text` cannot be read (another version wrote it)."""
        made = cls()
        try:
            row = json.loads(text)
            now = {Condition(name): None if on is None else bool(on) for name, on in row["now"].items()}
            faults = {(Condition(name), str(reason)) for name, reason in row["faults"]}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return made
        made._now, made._faults = now, faults
        return made

    def _change(self, notice: Notice) -> Change:
        if notice.kind in _FAULTS:
            condition, begins = _FAULTS[notice.kind]
            if (condition, notice.reason) == (Condition.KIOSK_FAULT, Reason.FACE_OFF):
                return {Condition.FACE_OFF: begins}
            (self._faults.add if begins else self._faults.discard)((condition, notice.reason))
            return {condition: any(other is condition for other, _ in self._faults)}
        if (mine := _STARTED.get(notice.kind)) is not None:
            self._faults = {fault for fault in self._faults if fault[0] is not mine}
        if mine is Condition.FAULT:
            # All that lasted before has ended, but a lockdown.
            ended = {Condition.RELEASED, Condition.FORCED_OPEN, Condition.HELD_OPEN, Condition.TAMPER, Condition.FAULT}
            locked_down = notice.reason == Condition.LOCKDOWN
            return {Condition.OPEN: None, Condition.LOCKDOWN: locked_down, **dict.fromkeys(sorted(ended), False)}
        if notice.kind == f"door.{DoorEventKind.ALARM_ENDED}":
            return {Condition(notice.reason): False} if notice.reason in {Alarm.FORCED_OPEN, Alarm.HELD_OPEN} else {}
        return _CHANGES.get(notice.kind, {})
