"""Judges by the door's contact what happens at the door: opened normally or forced, held open, grant used or not.

It has no clock and no I/O: readings and `now` (CLOCK_BOOTTIME, seconds) are passed in. Nothing here moves the lock.

An opening is expected while the lock is released, for GRACE_SECONDS after that, and for `rex_seconds` after a press of
the exit button. Any other opening is forced. A press of the exit button is accepted at once, but a change of the
contact only after `debounce_seconds`, so that leaving by the button never counts as forced. A button that chatters is
ignored, because it would excuse every opening. People can still leave, because the button works in hardware.
"""

from __future__ import annotations

import math

from kiosk.domain.door.events import DoorEventKind, DoorNews
from kiosk.domain.door.inputs import Debounced, Flips
from kiosk.domain.door.rules import PassageRules
from kiosk.domain.door.state import Alarm, DoorFault, Leaf, Readings

GRACE_SECONDS = 1.0
"""Delay allowed between unlatching and the contact reporting it."""
REX_STUCK_SECONDS = 60.0
"""A button that is pressed for longer is stuck or blocked on purpose."""
BEEP_SECONDS, BEEP_PERIOD = 0.2, 1.0


DOUBTS = frozenset({DoorFault.CONTACT_CHATTER, DoorFault.CONTACT_STILL, DoorFault.INPUTS})
"""With these faults it is not certain that the door was not opened."""


class Passage:
    """One door leaf. Each method takes a message about the door and returns what has happened because of it, in
    order."""

    def __init__(self, rules: PassageRules) -> None:
        self._rules = rules
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

    # The present state
    @property
    def leaf(self) -> Leaf:
        """The leaf's position by the last accepted reading."""
        if self._contact.level is None or DoorFault.INPUTS in self._faults:
            return Leaf.UNKNOWN
        return Leaf.OPEN if self._contact.level else Leaf.CLOSED

    @property
    def alarm(self) -> Alarm:
        """The present alarm; NONE unless the door is open and should not be."""
        return self._alarm

    @property
    def tamper(self) -> bool:
        """Whether the tamper contact is open."""
        return self._tamper.level is True

    @property
    def faults(self) -> tuple[DoorFault, ...]:
        """The present faults."""
        return tuple(sorted(self._faults))

    @property
    def deadline(self) -> float | None:
        """When tick() or the next observe() is due; None if nothing is due."""
        readable = DoorFault.INPUTS not in self._faults
        waits = [self._tamper.due if readable else None, self._contact.due if self._moving else self._pending_until]
        if self._held_at is not None:
            soon = self._held_at - self._rules.pre_alarm_seconds
            waits.append(soon if self._alarm is Alarm.NONE else self._held_at)
        return min((due for due in waits if due is not None), default=None)

    @property
    def _moving(self) -> bool:
        """Whether the contact reports a movement that is not accepted yet."""
        return self._contact.due is not None and DoorFault.INPUTS not in self._faults

    def sounds(self, now: float) -> bool:
        """Whether the sounder must sound now: it beeps before the alarm, and sounds without pause during it."""
        if self._alarm is Alarm.HELD_OPEN_SOON:
            return (now - self._changed_at) % BEEP_PERIOD < BEEP_SECONDS
        return self._alarm is not Alarm.NONE or self.tamper

    # Events
    def released(
        self, grant_id: str | None, now: float, *, holding: bool = False, extra: float = 0.0
    ) -> list[DoorNews]:
        """Notes that the lock was released, for the grant `grant_id` if there is one. `holding`: the door may stay
        open. `extra`: further seconds in which the door may be open, for people who need more time."""
        self._released, self._holding = True, holding
        self._pending_until = None
        if grant_id is not None and self.leaf is not Leaf.UNKNOWN:
            self._pending.append(grant_id)
        self._extra = max(self._extra, extra)
        if not self._contact.level:
            return []
        self._arm(now)
        return self._take(now)

    def secured(self, now: float) -> list[DoorNews]:
        """Notes that the lock is no longer released, or should not be. Does nothing if it was not released."""
        if not self._released:
            return []
        self._released = self._holding = False
        self._expected_until = max(self._expected_until, now + GRACE_SECONDS)
        self._pending_until = now + GRACE_SECONDS if self._pending else None
        if self._contact.level and self._alarm is Alarm.NONE and self._held_at is None:
            self._arm(now)
        return []

    def observe(self, readings: Readings | None, now: float) -> tuple[Leaf | None, list[DoorNews]]:
        """Takes readings; None if they could not be read. Returns the leaf's new position if it has changed, and what
        has happened."""
        if readings is None:
            return None, self._fault(DoorFault.INPUTS, True, now)
        news = self._fault(DoorFault.INPUTS, False, now)
        if readings.rex is not None:
            news += self._observe_rex(readings.rex, now)
        if readings.tamper is not None:
            news += self._observe_tamper(readings.tamper, now)
        moved = False
        if readings.open is not None:
            moved, told = self._observe_contact(readings.open, now)
            news += told
        news += self.tick(now)
        return self.leaf if moved else None, news

    def tick(self, now: float) -> list[DoorNews]:
        """Does what is due."""
        news: list[DoorNews] = []
        if self._pending_until is not None and now >= self._pending_until and not self._moving:
            news += self._give_up(now)
        if self._held_at is not None:
            if now >= self._held_at:
                self._held_at = None
                news += self._raise(Alarm.HELD_OPEN, DoorEventKind.HELD_OPEN, now)
            elif self._alarm is Alarm.NONE and now >= self._held_at - self._rules.pre_alarm_seconds:
                news += self._raise(Alarm.HELD_OPEN_SOON, DoorEventKind.HELD_OPEN_SOON, now)
        return news

    def _observe_rex(self, pressed: bool, now: float) -> list[DoorNews]:
        news = self._look_for_chatter(DoorFault.REX_CHATTER, self._rex_flips.read(pressed, now), now)
        begins = pressed and not self._rex
        if begins:
            self._rex_since = now
        if pressed and DoorFault.REX_CHATTER not in self._faults:
            self._expected_until = max(self._expected_until, now + self._rules.rex_seconds)
            if begins:
                news.append(DoorNews(DoorEventKind.REX_PRESSED, now))
                if self._contact.level:
                    self._arm(now)
        self._rex = pressed
        return news + self._fault(DoorFault.REX_STUCK, pressed and now - self._rex_since > REX_STUCK_SECONDS, now)

    def _observe_tamper(self, tampered: bool, now: float) -> list[DoorNews]:
        first = self._tamper.level is None
        if self._tamper.read(tampered, now) and (tampered or not first):
            return [DoorNews(DoorEventKind.TAMPER if tampered else DoorEventKind.TAMPER_ENDED, now)]
        return []

    def _observe_contact(self, is_open: bool, now: float) -> tuple[bool, list[DoorNews]]:
        """Takes the contact's level. True if a movement (or the first reading) is accepted now."""
        news = self._look_for_chatter(DoorFault.CONTACT_CHATTER, self._contact_flips.read(is_open, now), now)
        first = self._contact.level is None
        if not self._contact.read(is_open, now):
            return False, news
        if not first:
            self._untaken = 0
            news += self._fault(DoorFault.CONTACT_STILL, False, now)
        news += self._opened(first, now) if is_open else self._closed(first, now)
        return True, news

    def _opened(self, first: bool, now: float) -> list[DoorNews]:
        """The door has opened. If the first reading finds it open, it is not known how it was opened: that does not
        count as forced, but it may count as held open."""
        opened = DoorNews(DoorEventKind.OPENED, now)
        if first or self._released or self._contact.since <= self._expected_until:
            self._arm(now)
            return [opened, *self._take(now)]
        return [opened, *self._raise(Alarm.FORCED_OPEN, DoorEventKind.FORCED_OPEN, now)]

    def _closed(self, first: bool, now: float) -> list[DoorNews]:
        news = [] if first else [DoorNews(DoorEventKind.CLOSED, now)]
        if self._alarm in {Alarm.HELD_OPEN, Alarm.FORCED_OPEN}:
            news.append(DoorNews(DoorEventKind.ALARM_ENDED, now, reason=self._alarm))
        self._alarm, self._held_at, self._extra = Alarm.NONE, None, 0.0
        return news

    def _arm(self, now: float) -> None:
        """Starts the time in which the door may be open, or starts it again. Does nothing during an alarm."""
        if self._alarm in {Alarm.HELD_OPEN, Alarm.FORCED_OPEN}:
            return
        self._alarm = Alarm.NONE
        self._held_at = None if self._holding else now + self._rules.held_seconds + self._extra

    def _take(self, now: float) -> list[DoorNews]:
        taken, self._pending, self._pending_until = self._pending, [], None
        return [DoorNews(DoorEventKind.ACCESS_TAKEN, now, grant_id) for grant_id in taken]

    def _give_up(self, now: float) -> list[DoorNews]:
        untaken, self._pending, self._pending_until, self._extra = self._pending, [], None, 0.0
        doubtful = bool(self._faults & DOUBTS)
        news = [] if doubtful else [DoorNews(DoorEventKind.ACCESS_NOT_TAKEN, now, grant_id) for grant_id in untaken]
        self._untaken += 1
        if self._untaken >= self._rules.still_after:
            news += self._fault(DoorFault.CONTACT_STILL, True, now)
        return news

    def _look_for_chatter(self, what: DoorFault, chatters: bool | None, now: float) -> list[DoorNews]:
        return [] if chatters is None else self._fault(what, chatters, now)

    def _raise(self, alarm: Alarm, kind: DoorEventKind, now: float) -> list[DoorNews]:
        self._alarm, self._changed_at = alarm, now
        return [DoorNews(kind, now)]

    def _fault(self, what: DoorFault, there: bool, now: float) -> list[DoorNews]:
        if there == (what in self._faults):
            return []
        if there:
            self._faults.add(what)
        else:
            self._faults.discard(what)
        return [DoorNews(DoorEventKind.FAULT if there else DoorEventKind.FAULT_ENDED, now, reason=what)]
