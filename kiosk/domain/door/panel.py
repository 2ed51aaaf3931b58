"""The state machine of a door whose lock belongs to an access panel: when a badge number is presented.

It replaces domain.door.machine.DoorMachine, with the same checks of grants. The panel is on the protected side and
decides. It is not known here what the panel does with its lock, so nothing here says "released" or "secured". Only our
own contact, if there is one, tells about the door (domain.door.passage).

At most one badge number waits, until the panel asks or the grant's deadline has passed. While the panel does not ask,
no grant is accepted, so that no number is presented late.
"""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.domain.badge import Card, CardFormat
from kiosk.domain.door.events import DoorEventKind, DoorNews, DoorReason, SecuredBy
from kiosk.domain.door.freshness import Freshness
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Refusal, Span
from kiosk.domain.door.passage import Passage
from kiosk.domain.door.rules import DoorRules
from kiosk.domain.door.state import DoorFault, DoorMode, DoorState, DoorStatus, Readings
from kiosk.domain.ports.panel import Panel, Turn

TURN_SECONDS = 0.1
"""Longest time between two turns of the line."""
ONLINE_SECONDS = 2.0
"""A panel that has asked within this time counts as online. Panels ask several times a second."""
OFFLINE_SECONDS = 10.0
"""A panel that has not asked for this time is a fault."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A grant whose badge number waits for the panel to ask."""

    grant: Grant
    card: Card
    client: int
    uid: int | None


class PanelMachine:
    """One panel. `release_seconds` of the rules: time after a presentation in which the door is expected to open."""

    def __init__(
        self, panel: Panel, cards: CardFormat, started_at: float, rules: DoorRules, *, lockdown: bool = False
    ) -> None:
        self._panel = panel
        self._cards = cards
        self._started_at = started_at
        self._rules = rules
        self._lockdown = lockdown
        self._fresh = Freshness(started_at)
        self._news: list[DoorNews] = []
        self._replies: list[DoorReply] = []
        self._passage = Passage(rules.passage)
        self._waiting: _Waiting | None = None
        self._turned_at = started_at
        self._asked_at: float | None = None
        self._expected_until: float | None = None
        self._state = DoorState.UNKNOWN
        self._fault = ""

    @property
    def state(self) -> DoorState:
        """PANEL while the panel asks, FAULT after OFFLINE_SECONDS without a question, UNKNOWN in between."""
        return self._state

    @property
    def fault(self) -> str:
        """The last error message of the line."""
        return self._fault

    @property
    def mode(self) -> DoorMode:
        """LOCKDOWN or NORMAL."""
        return DoorMode.LOCKDOWN if self._lockdown else DoorMode.NORMAL

    @property
    def deadline(self) -> float | None:
        """When tick() must be called next."""
        waits = [self._turned_at + TURN_SECONDS, self._passage.deadline]
        if self._waiting is not None:
            waits.append(self._waiting.grant.deadline)
        return min(due for due in waits if due is not None)

    def status(self) -> DoorStatus:
        """The state as clients see it."""
        faults = (DoorFault.PANEL,) if self._state is DoorState.FAULT else ()
        return DoorStatus(
            self._state,
            self._panel.simulated,
            self._started_at,
            mode=self.mode,
            leaf=self._passage.leaf,
            alarm=self._passage.alarm,
            tamper=self._passage.tamper,
            faults=faults + self._passage.faults,
        )

    def take_news(self) -> list[DoorNews]:
        """What has happened since the last call, in order."""
        news = self._news.copy()
        self._news.clear()
        return news

    def take_replies(self) -> list[DoorReply]:
        """Replies to grants that grant() has accepted. Each grant gets one reply."""
        replies = self._replies.copy()
        self._replies.clear()
        return replies

    def sounds(self, now: float) -> bool:
        """Whether the local sounder must sound now."""
        return self._passage.sounds(now)

    def start(self, now: float) -> None:
        """Starts to answer the panel."""
        self._tell(DoorEventKind.STARTED, now, reason=SecuredBy.LOCKDOWN if self._lockdown else "")
        self.tick(now)

    def tick(self, now: float) -> None:
        """Does what is due: one turn of the line, and its consequences."""
        if self._waiting is not None and now > self._waiting.grant.deadline:
            self._withdraw(DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)
        self._turn(now)
        if self._expected_until is not None and now >= self._expected_until:
            self._expected_until = None
            self._news += self._passage.secured(now)
        self._news += self._passage.tick(now)

    def observe(self, readings: Readings | None, now: float) -> None:
        """Takes the inputs' levels; None if they could not be read."""
        self.tick(now)
        _moved, news = self._passage.observe(readings, now)
        self._news += news

    def secure(self, now: float, uid: int | None = None) -> None:
        """Withdraws the waiting number. More is not possible, because the panel owns the lock."""
        self._withdraw(DoorResult.REFUSED, Refusal.WITHDRAWN)

    def stop(self, now: float) -> None:
        """Withdraws the waiting number at the end of the process."""
        self.secure(now)
        self._tell(DoorEventKind.STOPPED, now)

    def lockdown(self, on: bool, now: float, uid: int | None = None) -> None:
        """Begins or ends a lockdown, in which no number is presented. The panel may still open the door for other
        reasons."""
        if on != self._lockdown:
            self._lockdown = on
            self._tell(DoorEventKind.LOCKDOWN if on else DoorEventKind.LOCKDOWN_ENDED, now, uid=uid)
        if on:
            self._withdraw(DoorResult.REFUSED, Refusal.LOCKDOWN)

    def client_gone(self, client: int, now: float) -> None:
        """Withdraws the waiting number of `client`. A presented number cannot be taken back."""
        if self._waiting is not None and self._waiting.client == client:
            self._withdraw(DoorResult.REFUSED, Refusal.WITHDRAWN)

    def grant(self, grant: Grant, client: int, now: float, uid: int | None = None) -> DoorReply | None:
        """Refuses a grant, or returns None if its badge number now waits for the panel. Then take_replies() gives the
        reply, at the deadline at the latest."""
        self.tick(now)
        refusal = self._fresh.refusal(grant, now, uid) or self._overruled(grant)
        if refusal is not None:
            return DoorReply(grant.id, DoorResult.REFUSED, refusal)
        if self._state is not DoorState.PANEL:
            return DoorReply(grant.id, DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)
        assert grant.badge is not None
        try:
            self._waiting = _Waiting(grant, self._cards.encode(grant.badge), client, uid)
        except ValueError:
            return DoorReply(grant.id, DoorResult.REFUSED, Refusal.INVALID)
        return None

    def _overruled(self, grant: Grant) -> Refusal | None:
        if self._lockdown:
            return Refusal.LOCKDOWN
        if grant.badge is None or grant.span is not Span.NORMAL:
            return Refusal.PANEL_OWNS_LOCK
        return None if self._waiting is None else Refusal.BUSY

    def _turn(self, now: float) -> None:
        self._turned_at = now
        waiting = self._waiting
        try:
            turn = self._panel.turn(None if waiting is None else waiting.card)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; nothing is presented until it works
            self._fault = str(error)
            self._asked_at = None
            self._withdraw(DoorResult.UNAVAILABLE, Refusal.FAULT)
            self._become(DoorState.FAULT, now)
            return
        if turn is not Turn.QUIET:
            self._asked_at = now
        if turn is Turn.PRESENTED and waiting is not None:
            self._presented(waiting, now)
        self._judge(now)

    def _judge(self, now: float) -> None:
        """Sets the state from the time of the panel's last question."""
        silence = now - (self._started_at if self._asked_at is None else self._asked_at)
        if self._asked_at is not None and silence <= ONLINE_SECONDS:
            self._become(DoorState.PANEL, now)
        elif silence >= OFFLINE_SECONDS:
            self._fault = self._fault or "the panel does not ask in the secure channel"
            self._become(DoorState.FAULT, now)
        elif self._state is not DoorState.FAULT:
            self._become(DoorState.UNKNOWN, now)

    def _become(self, state: DoorState, now: float) -> None:
        was, self._state = self._state, state
        if state is DoorState.FAULT and was is not state:
            self._tell(DoorEventKind.FAULT, now, reason=DoorFault.PANEL)
        elif was is DoorState.FAULT and was is not state:
            self._fault = ""
            self._tell(DoorEventKind.FAULT_ENDED, now, reason=DoorFault.PANEL)

    def _presented(self, waiting: _Waiting, now: float) -> None:
        self._waiting = None
        self._replies.append(DoorReply(waiting.grant.id, DoorResult.PRESENTED))
        self._tell(DoorEventKind.PRESENTED, now, waiting.grant.id, uid=waiting.uid)
        self._news += self._passage.released(waiting.grant.id, now)
        self._expected_until = now + self._rules.release_seconds

    def _withdraw(self, result: DoorResult, why: Refusal) -> None:
        if self._waiting is not None:
            self._replies.append(DoorReply(self._waiting.grant.id, result, why))
            self._waiting = None

    def _tell(
        self,
        kind: DoorEventKind,
        now: float,
        grant_id: str | None = None,
        reason: DoorReason = "",
        uid: int | None = None,
    ) -> None:
        self._news.append(DoorNews(kind, now, grant_id, reason, uid))
