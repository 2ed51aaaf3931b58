"""Notices who is let in by their face in light that they have no picture of, so that staff can take more pictures then.

Most people who are not recognised one day were enrolled in other light. That the kiosk has seen somebody so stands in
the log once, until they have got other pictures; nothing is enrolled by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import structlog

from kiosk.domain.audit import AuditKind, AuditOutcome
from kiosk.domain.decision import Decision
from kiosk.domain.second_light import Lights, is_other
from kiosk.station.staff_session import Office
from kiosk.storage.audit import Audit

WAITING = 8
"""Decisions that wait to be looked at; older ones are forgotten."""
log = structlog.get_logger("kiosk")


class LightWatch:
    """`let_in` may be called in any thread, `turn` in the staff's thread. `tell` is given the id of the decision;
    `recorded`: whether the log says who is let in ([audit] subject_ids). If not, neither does this."""

    def __init__(self, office: Office, tell: Callable[[str], None], recorded: bool = True) -> None:
        self._office, self._tell, self._recorded = office, tell, recorded
        self._decisions: deque[Decision] = deque(maxlen=WAITING)
        self._told: dict[str, Lights] = {}
        """Who was told of since the start, and what light their pictures were of then."""

    def let_in(self, decision: Decision) -> None:
        """Takes a decision. Returns at once."""
        if decision.granted and decision.subject_id is not None and _light(decision) is not None:
            self._decisions.append(decision)

    def turn(self) -> None:
        """Looks at what has come. Never raises: nobody at the door waits for this."""
        while self._decisions:
            try:
                self._look(self._decisions.popleft())
            except Exception as error:  # noqa: BLE001 - nothing depends on it, and staff's thread goes on
                log.warning("light_not_looked_at", error=type(error).__name__)

    def _look(self, decision: Decision) -> None:
        who = str(decision.subject_id)
        lights = self._office.lights([who]).get(who, ())
        if not is_other(_light(decision), lights) or self._told.get(who) == lights:
            return
        known = self._recorded and self._stands_there(who)
        if self._recorded and not known:
            self._office.note(AuditKind.STAFF, AuditOutcome.OTHER_LIGHT, None, who)
        self._told[who] = lights
        if not known:
            self._tell(decision.id)

    def _stands_there(self, who: str) -> bool:
        """Whether the log says so already, and no pictures were taken since."""
        audit = Audit(self._office.gallery.store)
        records = audit.records(kinds=(AuditKind.STAFF, AuditKind.ENROLMENT), subject_id=who)
        told = [r for r in records if r.kind is AuditKind.ENROLMENT or r.outcome == AuditOutcome.OTHER_LIGHT]
        return bool(told) and told[-1].outcome == AuditOutcome.OTHER_LIGHT


def _light(decision: Decision) -> float | None:
    quality = decision.evidence.quality
    return None if quality is None else quality.light
