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
from kiosk.domain.notices import Notice


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


_CHANGES: dict[str, Change] = {
    "door.opened": {Condition.OPEN: True},
    "door.closed": {Condition.OPEN: False},
    "door.released": {Condition.RELEASED: True},
    "door.secured": {Condition.RELEASED: False},
    "door.forced_open": {Condition.FORCED_OPEN: True},
    "door.held_open": {Condition.HELD_OPEN: True},
    "door.tamper": {Condition.TAMPER: True},
    "door.tamper_ended": {Condition.TAMPER: False},
    "door.lockdown": {Condition.LOCKDOWN: True},
    "door.lockdown_ended": {Condition.LOCKDOWN: False},
    # Unknown until the door process has read the contact again.
    "door.stopped": {Condition.OPEN: None, Condition.RELEASED: None},
    "kiosk.started": {Condition.KIOSK_FAULT: False, Condition.FACE_OFF: False},
    "notify.door_lost": {Condition.DOOR_LOST: True},
    "notify.door_reached": {Condition.DOOR_LOST: False},
    "notify.kiosk_lost": {Condition.KIOSK_LOST: True},
    "notify.kiosk_reached": {Condition.KIOSK_LOST: False},
}
_FAULTS = {
    "door.fault": (Condition.FAULT, True),
    "door.fault_ended": (Condition.FAULT, False),
    "kiosk.fault": (Condition.KIOSK_FAULT, True),
    "kiosk.recovered": (Condition.KIOSK_FAULT, False),
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
        except (ValueError, TypeError, KeyError, AttributeError):
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
        if notice.kind in {"door.started", "kiosk.started"}:
            mine = Condition.FAULT if notice.kind == "door.started" else Condition.KIOSK_FAULT
            self._faults = {fault for fault in self._faults if fault[0] is not mine}
        if notice.kind == "door.started":
            # A restart of the door process ends every condition except a lockdown.
            ended = {Condition.RELEASED, Condition.FORCED_OPEN, Condition.HELD_OPEN, Condition.TAMPER, Condition.FAULT}
            locked_down = notice.reason == Condition.LOCKDOWN
            return {Condition.OPEN: None, Condition.LOCKDOWN: locked_down, **dict.fromkeys(sorted(ended), False)}
        if notice.kind == "door.alarm_ended":
            return {Condition(notice.reason): False} if notice.reason in {"forced_open", "held_open"} else {}
        return _CHANGES.get(notice.kind, {})
