"""What passes through the door, judged by its contact: opened as it should or forced, held open, taken or not.

No clock and no I/O: readings and `now` (CLOCK_BOOTTIME, seconds) are passed in. Nothing here moves the lock.

An opening is expected while the lock is released, for GRACE_SECONDS after that, and for `rex_seconds` after the exit
button was pressed. Any other one is forced. The exit button is believed at once and the contact only after
`debounce_seconds`, so that whoever leaves by the button is never a burglar. A button that chatters is not believed: it
would excuse every opening. The door can be left all the same, for the button's way is hardware.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from kiosk.domain.door.events import DoorEventKind, DoorNews, DoorReason
from kiosk.domain.door.state import Alarm, DoorFault, Leaf, Readings

GRACE_SECONDS = 1.0
"""A leaf that has left its lock takes so long until the contact tells."""
CHATTER_CHANGES = 20
CHATTER_SECONDS = 10.0
"""A contact or a button that changes more often than that in so long is not one. The fault ends after as long a
quiet."""
REX_STUCK_SECONDS = 60.0
"""A button that is pressed for longer is stuck, or somebody has seen to it."""
BEEP_SECONDS, BEEP_PERIOD = 0.2, 1.0


DOUBTS = frozenset({DoorFault.CONTACT_CHATTER, DoorFault.CONTACT_STILL, DoorFault.INPUTS})
"""With these nobody can say that the door was not opened."""


@dataclass(frozen=True, slots=True)
class PassageRules:
    """`held_seconds` open is an alarm, `pre_alarm_seconds` before that a warning. `still_after` releases in a row
    without an opening put the contact in doubt."""

    held_seconds: float = 30.0
    pre_alarm_seconds: float = 10.0
    rex_seconds: float = 10.0
    debounce_seconds: float = 0.05
    still_after: int = 20


@dataclass(slots=True)
class Debounced:
    """An input that is believed once it has been the same for `seconds`; its first reading at once."""

    seconds: float
    level: bool | None = None
    due: float | None = None
    """When another reading of the same level will be believed."""
    since: float = 0.0
    """When the level that is believed was first seen."""
    _raw: bool | None = None
    _seen: float = 0.0

    def read(self, level: bool, now: float) -> bool:
        """Takes a reading; whether what is believed has changed with it."""
        if level != self._raw:
            self._raw, self._seen = level, now
            self.due = None if level == self.level else now + self.seconds
        first = self.level is None
        if level == self.level or not (first or (self.due is not None and now >= self.due)):
            return False
        self.level, self.since, self.due = level, self._seen, None
        return True


@dataclass(slots=True)
class Flips:
    """How often an input changes."""

    _raw: bool | None = None
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=CHATTER_CHANGES + 1))

    def read(self, level: bool, now: float) -> bool | None:
        """Takes a reading. True: it chatters. False: it is quiet. None: neither, so what was said last holds."""
        if self._raw is not None and level != self._raw:
            self._times.append(now)
        self._raw = level
        if len(self._times) > CHATTER_CHANGES and now - self._times[0] <= CHATTER_SECONDS:
            return True
        quiet = not self._times or now - self._times[-1] >= CHATTER_SECONDS
        return False if quiet else None


class Passage:
    """One door leaf. `news` is where it tells what has happened."""

    def __init__(self, rules: PassageRules, news: list[DoorNews]) -> None:
        self._rules = rules
        self._news = news
        self._contact = Debounced(rules.debounce_seconds)
        self._tamper = Debounced(rules.debounce_seconds)
        self._rex: bool | None = None
        self._rex_since = 0.0
        self._contact_flips, self._rex_flips = Flips(), Flips()
        self._released = False
        self._holding = False
        self._expected_until = -math.inf
        self._alarm = Alarm.NONE
        self._held_at: float | None = None
        self._extra = 0.0
        self._pending: list[str] = []
        self._pending_until: float | None = None
        self._untaken = 0
        self._faults: set[DoorFault] = set()
        self._changed_at = 0.0

    # What is known

    @property
    def leaf(self) -> Leaf:
        """Of the last reading that was believed."""
        if self._contact.level is None or DoorFault.INPUTS in self._faults:
            return Leaf.UNKNOWN
        return Leaf.OPEN if self._contact.level else Leaf.CLOSED

    @property
    def alarm(self) -> Alarm:
        """NONE unless the door is open and should not be."""
        return self._alarm

    @property
    def tamper(self) -> bool:
        """Whether the tamper contact is open."""
        return self._tamper.level is True

    @property
    def faults(self) -> tuple[DoorFault, ...]:
        """What is implausible now."""
        return tuple(sorted(self._faults))

    @property
    def deadline(self) -> float | None:
        """When tick(), or the next observe(), is due; None when there is nothing to wait for."""
        readable = DoorFault.INPUTS not in self._faults
        waits = [self._tamper.due if readable else None, self._contact.due if self._moving else self._pending_until]
        if self._held_at is not None:
            soon = self._held_at - self._rules.pre_alarm_seconds
            waits.append(soon if self._alarm is Alarm.NONE else self._held_at)
        return min((due for due in waits if due is not None), default=None)

    @property
    def _moving(self) -> bool:
        """Whether the contact tells of a movement that is not believed yet."""
        return self._contact.due is not None and DoorFault.INPUTS not in self._faults

    def sounds(self, now: float) -> bool:
        """Whether the sounder is to be heard now: beeps before the alarm, without pause in it."""
        if self._alarm is Alarm.HELD_OPEN_SOON:
            return (now - self._changed_at) % BEEP_PERIOD < BEEP_SECONDS
        return self._alarm is not Alarm.NONE or self.tamper

    # What happens

    def released(self, grant_id: str | None, now: float, *, holding: bool = False, extra: float = 0.0) -> None:
        """The lock was released: for the passage of `grant_id`, where there is one. `holding`: the door may stand open.
        Whoever needs `extra` seconds to pass may have it open for so much longer."""
        self._released, self._holding = True, holding
        self._pending_until = None
        if grant_id is not None and self.leaf is not Leaf.UNKNOWN:
            self._pending.append(grant_id)
        self._extra = max(self._extra, extra)
        if self._contact.level:
            self._take(now)
            self._arm(now)

    def secured(self, now: float) -> None:
        """The lock is no longer released, or should not be. Does nothing when it was not."""
        if not self._released:
            return
        self._released = self._holding = False
        self._expected_until = max(self._expected_until, now + GRACE_SECONDS)
        self._pending_until = now + GRACE_SECONDS if self._pending else None
        if self._contact.level and self._alarm is Alarm.NONE and self._held_at is None:
            self._arm(now)

    def observe(self, readings: Readings | None, now: float) -> Leaf | None:
        """Takes readings, None when they could not be had. The leaf's new place when it has changed with them."""
        if readings is None:
            self._fault(DoorFault.INPUTS, True, now)
            return None
        self._fault(DoorFault.INPUTS, False, now)
        if readings.rex is not None:
            self._observe_rex(readings.rex, now)
        if readings.tamper is not None:
            self._observe_tamper(readings.tamper, now)
        moved = readings.open is not None and self._observe_contact(readings.open, now)
        self.tick(now)
        return self.leaf if moved else None

    def tick(self, now: float) -> None:
        """Does what is due."""
        if self._pending_until is not None and now >= self._pending_until and not self._moving:
            self._give_up(now)
        if self._held_at is not None:
            if now >= self._held_at:
                self._held_at = None
                self._raise(Alarm.HELD_OPEN, DoorEventKind.HELD_OPEN, now)
            elif self._alarm is Alarm.NONE and now >= self._held_at - self._rules.pre_alarm_seconds:
                self._raise(Alarm.HELD_OPEN_SOON, DoorEventKind.HELD_OPEN_SOON, now)

    def _observe_rex(self, pressed: bool, now: float) -> None:
        self._look_for_chatter(DoorFault.REX_CHATTER, self._rex_flips.read(pressed, now), now)
        begins = pressed and not self._rex
        if begins:
            self._rex_since = now
        if pressed and DoorFault.REX_CHATTER not in self._faults:
            self._expected_until = max(self._expected_until, now + self._rules.rex_seconds)
            if begins:
                self._tell(DoorEventKind.REX_PRESSED, now)
                if self._contact.level:
                    self._arm(now)
        self._rex = pressed
        self._fault(DoorFault.REX_STUCK, pressed and now - self._rex_since > REX_STUCK_SECONDS, now)

    def _observe_tamper(self, tampered: bool, now: float) -> None:
        first = self._tamper.level is None
        if self._tamper.read(tampered, now) and (tampered or not first):
            self._tell(DoorEventKind.TAMPER if tampered else DoorEventKind.TAMPER_ENDED, now)

    def _observe_contact(self, is_open: bool, now: float) -> bool:
        self._look_for_chatter(DoorFault.CONTACT_CHATTER, self._contact_flips.read(is_open, now), now)
        first = self._contact.level is None
        if not self._contact.read(is_open, now):
            return False
        if not first:
            self._untaken = 0
            self._fault(DoorFault.CONTACT_STILL, False, now)
        if is_open:
            self._opened(first, now)
        else:
            self._closed(first, now)
        return True

    def _opened(self, first: bool, now: float) -> None:
        """Nobody knows how a door was opened that the first reading finds open: not forced, but it may be held."""
        self._tell(DoorEventKind.OPENED, now)
        if first or self._released or self._contact.since <= self._expected_until:
            self._take(now)
            self._arm(now)
        else:
            self._raise(Alarm.FORCED_OPEN, DoorEventKind.FORCED_OPEN, now)

    def _closed(self, first: bool, now: float) -> None:
        if not first:
            self._tell(DoorEventKind.CLOSED, now)
        if self._alarm in {Alarm.HELD_OPEN, Alarm.FORCED_OPEN}:
            self._tell(DoorEventKind.ALARM_ENDED, now, reason=self._alarm)
        self._alarm, self._held_at, self._extra = Alarm.NONE, None, 0.0

    def _arm(self, now: float) -> None:
        """The time that the door may be open begins, or begins again; not once there is an alarm."""
        if self._alarm in {Alarm.HELD_OPEN, Alarm.FORCED_OPEN}:
            return
        self._alarm = Alarm.NONE
        self._held_at = None if self._holding else now + self._rules.held_seconds + self._extra

    def _take(self, now: float) -> None:
        for grant_id in self._pending:
            self._tell(DoorEventKind.ACCESS_TAKEN, now, grant_id)
        self._pending, self._pending_until = [], None

    def _give_up(self, now: float) -> None:
        if not self._faults & DOUBTS:
            for grant_id in self._pending:
                self._tell(DoorEventKind.ACCESS_NOT_TAKEN, now, grant_id)
        self._pending, self._pending_until, self._extra = [], None, 0.0
        self._untaken += 1
        if self._untaken >= self._rules.still_after:
            self._fault(DoorFault.CONTACT_STILL, True, now)

    def _look_for_chatter(self, what: DoorFault, chatters: bool | None, now: float) -> None:
        if chatters is not None:
            self._fault(what, chatters, now)

    def _raise(self, alarm: Alarm, kind: DoorEventKind, now: float) -> None:
        self._alarm, self._changed_at = alarm, now
        self._tell(kind, now)

    def _fault(self, what: DoorFault, there: bool, now: float) -> None:
        if there == (what in self._faults):
            return
        if there:
            self._faults.add(what)
        else:
            self._faults.discard(what)
        self._tell(DoorEventKind.FAULT if there else DoorEventKind.FAULT_ENDED, now, reason=what)

    def _tell(self, kind: DoorEventKind, now: float, grant_id: str | None = None, reason: DoorReason = "") -> None:
        self._news.append(DoorNews(kind, now, grant_id, reason))
